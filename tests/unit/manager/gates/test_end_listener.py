"""Who hears what gates say at the end."""

import os
import queue
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from air_executor.format.results import Result
from manager.gates.end_listener import EndListener
from manager.gates.secret_keeper import SecretKeeper
from manager.model.assignment import Assignment
from manager.model.facts import CommandSucceeded, Fact, TaskRequested
from manager.model.home import GateFolder
from manager.model.values import AttemptKey
from manager.settings import Secret
from tests.unit.manager.builders import (
    container,
    granted,
    key,
    task,
)

ENDED = b"ENDED 0 1700000000.250000000\n"
A, B = key("a"), key("b")


class Gate:
    """Its end of the FIFO."""

    def __init__(self, fifo: Path) -> None:
        os.mkfifo(fifo)
        self.handle = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        self.listeners = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)

    def says(self, content: bytes) -> None:
        os.write(self.handle, content)

    def leaves(self) -> None:
        os.close(self.handle)


@pytest.fixture
def heard() -> "queue.SimpleQueue[Fact]":
    return queue.SimpleQueue()


@pytest.fixture
def ends(heard: "queue.SimpleQueue[Fact]") -> Iterator[EndListener]:
    listener = EndListener(SecretKeeper({"db": Secret(command=("printf", "s3cret-value"))}), heard.put)
    listener.start()
    yield listener
    for each in (A, B):
        listener.forget(each)


def an_assignment(of: AttemptKey, folder: Path) -> Assignment:
    spec = container(task(), of, folder)
    gate = GateFolder(folder / "gate")
    return Assignment(of, folder, folder / "work", task(), granted(), spec, gate, None)


def listened_to(ends: EndListener, of: AttemptKey, fifo: Path) -> Gate:
    gate = Gate(fifo)
    ends.hold(of, gate.listeners)
    ends.listen(an_assignment(of, fifo.parent))
    return gate


def test_a_success_is_told_with_the_gates_time(
    ends: EndListener, heard: "queue.SimpleQueue[Fact]", tmp_path: Path
) -> None:
    gate = listened_to(ends, A, tmp_path / "a")
    gate.says(ENDED)
    fact = heard.get(timeout=5)
    assert isinstance(fact, CommandSucceeded)
    assert (fact.key, fact.finished_at) == (A, datetime(2023, 11, 14, 22, 13, 20, 250_000, UTC))
    gate.leaves()


def test_an_end_that_was_before_the_begin_was_told_is_told_after_it(
    ends: EndListener, heard: "queue.SimpleQueue[Fact]", tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "a")
    ends.hold(A, gate.listeners)
    gate.says(ENDED)
    gate.leaves()
    with pytest.raises(queue.Empty):
        heard.get(timeout=0.1)
    ends.listen(an_assignment(A, tmp_path))
    assert isinstance(heard.get(timeout=5), CommandSucceeded)


def test_what_the_task_has_asked_for_is_told_before_its_end(
    ends: EndListener, heard: "queue.SimpleQueue[Fact]", tmp_path: Path
) -> None:
    """Requests come before dependants start."""
    new = tmp_path / "gate" / "inbox" / "new"
    new.mkdir(parents=True)
    (new / "r.json").write_text('{"id": "x", "command": "true"}')
    gate = listened_to(ends, A, tmp_path / "a")
    gate.says(ENDED)
    asked = heard.get(timeout=5)
    assert isinstance(asked, TaskRequested) and (asked.spec.id, asked.parent) == ("x", A)
    assert isinstance(heard.get(timeout=5), CommandSucceeded)
    gate.leaves()


def left(tmp_path: Path, text: str) -> None:
    result = tmp_path / "gate" / "inbox" / "result"
    result.mkdir(parents=True)
    (result / "result.json").write_text(text)


def test_what_it_has_left_is_told_with_its_end(
    ends: EndListener, heard: "queue.SimpleQueue[Fact]", tmp_path: Path
) -> None:
    left(tmp_path, '{"rows": 42}')
    gate = listened_to(ends, A, tmp_path / "a")
    gate.says(ENDED)
    fact = heard.get(timeout=5)
    assert isinstance(fact, CommandSucceeded)
    assert fact.delivery.result == Result('{"rows":42}')
    gate.leaves()


def test_a_success_that_leaves_no_result_but_something_else_is_told_by_who_follows_it(
    ends: EndListener, heard: "queue.SimpleQueue[Fact]", tmp_path: Path
) -> None:
    left(tmp_path, "{")
    gate = listened_to(ends, A, tmp_path / "a")
    gate.says(ENDED)
    gate.leaves()
    (tmp_path / "other").mkdir()
    other = listened_to(ends, B, tmp_path / "other" / "b")
    other.says(ENDED)
    assert heard.get(timeout=5).key == B  # type: ignore[union-attr]
    assert heard.empty()
    other.leaves()


def test_a_result_with_the_value_of_a_secret_in_it_is_told_by_who_follows_it(
    ends: EndListener, heard: "queue.SimpleQueue[Fact]", tmp_path: Path
) -> None:
    left(tmp_path, '"postgres://me:s3cret-value@db"')
    gate = Gate(tmp_path / "a")
    ends.hold(A, gate.listeners)
    asked = an_assignment(A, tmp_path)
    ends.listen(replace(asked, grant=asked.grant.model_copy(update={"secrets": {"db": "/run/secrets/db"}})))
    gate.says(ENDED)
    (tmp_path / "other").mkdir()
    other = listened_to(ends, B, tmp_path / "other" / "b")
    other.says(ENDED)
    assert heard.get(timeout=5).key == B  # type: ignore[union-attr]
    assert heard.empty()
    for each in (gate, other):
        each.leaves()


def test_what_promises_outputs_is_told_by_who_has_the_time_to_read_them(
    ends: EndListener, heard: "queue.SimpleQueue[Fact]", tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "a")
    ends.hold(A, gate.listeners)
    promising = replace(an_assignment(A, tmp_path), task=task(outputs=("*.csv",)))
    ends.listen(promising)
    gate.says(ENDED)
    other = listened_to(ends, B, tmp_path / "b")
    other.says(ENDED)
    assert heard.get(timeout=5).key == B  # type: ignore[union-attr]
    assert heard.empty()
    for each in (gate, other):
        each.leaves()


@pytest.mark.parametrize("content", [b"", b"ENDED 3 1700000000.250000000\n", b"ENDED 0", ENDED + ENDED])
def test_a_failure_a_silence_and_nonsense_are_left_to_the_engine(
    ends: EndListener, heard: "queue.SimpleQueue[Fact]", tmp_path: Path, content: bytes
) -> None:
    gate = listened_to(ends, A, tmp_path / "a")
    if content:
        gate.says(content)
    gate.leaves()
    other = listened_to(ends, B, tmp_path / "b")
    other.says(ENDED)
    fact = heard.get(timeout=5)
    assert isinstance(fact, CommandSucceeded) and fact.key == B
    assert heard.empty()
    other.leaves()


def test_who_is_forgotten_is_not_heard_and_leaves_no_descriptor(
    ends: EndListener, heard: "queue.SimpleQueue[Fact]", tmp_path: Path
) -> None:
    gate = listened_to(ends, A, tmp_path / "a")
    ends.forget(A)
    ends.forget(A)
    with pytest.raises(OSError):
        os.fstat(gate.listeners)
    gate.says(ENDED)
    with pytest.raises(queue.Empty):
        heard.get(timeout=0.1)
    gate.leaves()


def test_who_never_had_a_gate_that_speaks_is_no_error(ends: EndListener, tmp_path: Path) -> None:
    ends.listen(an_assignment(A, tmp_path))
    ends.forget(A)


def test_the_last_word_of_a_gate_is_had_by_whoever_asks_until_its_attempt_is_over(
    ends: EndListener, heard: "queue.SimpleQueue[Fact]", tmp_path: Path
) -> None:
    """Whether the listener has come to read it or not."""
    unheard, listened = Gate(tmp_path / "a"), listened_to(ends, B, tmp_path / "b")
    ends.hold(A, unheard.listeners)
    assert ends.last_word(A) is None, "it has not spoken"
    for gate in (unheard, listened):
        gate.says(b"ENDED 137 1700000000.250000000 0\n")
        gate.leaves()
    for key_ in (A, B):
        assert until_said(ends, key_) == (137, 0)
        assert until_said(ends, key_) == (137, 0), "as often as one asks"
        ends.forget(key_)
        assert ends.last_word(key_) is None
    assert heard.empty()


def until_said(ends: EndListener, of: AttemptKey) -> tuple[int, int | None]:
    said = ends.last_word(of)
    assert said is not None
    return said.exit_code, said.signal


def test_a_success_that_was_asked_for_before_it_was_heard_is_told_all_the_same(
    ends: EndListener, heard: "queue.SimpleQueue[Fact]", tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "a")
    ends.hold(A, gate.listeners)
    gate.says(ENDED)
    gate.leaves()
    assert until_said(ends, A) == (0, None)
    ends.listen(an_assignment(A, tmp_path))
    assert isinstance(heard.get(timeout=5), CommandSucceeded)


def test_a_gate_that_left_without_a_word_has_no_last_one(ends: EndListener, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "a")
    ends.hold(A, gate.listeners)
    gate.leaves()
    assert ends.last_word(A) is None
