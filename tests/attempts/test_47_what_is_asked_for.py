"""Whoever makes jobs tries to have files brought that are not his, to go past the operator's
rules by, or to keep the manager busy with names that are nearly right."""

import json
import os
from collections.abc import Callable
from itertools import islice, permutations
from pathlib import Path

import pytest

from air_executor import BadInput, Client, daemon
from air_executor.files import Readers
from air_executor.format.nearest import LONGEST, MOST, nearest
from manager.daemon.policy_file import publish
from tests.attempts.other_user import USER, does, needs_root
from tests.fakes.engine import FakeEngine
from tests.fakes.manager import InProcess, a_task
from tests.unit.air_executor.builders import DEMO, hand_written


def told(home: Path, manager: InProcess) -> None:
    """The manager has told its rules, and that it runs."""
    publish(home, manager.settings, Readers(os.geteuid(), os.getegid()))
    words = {"pid": os.getpid(), "process": daemon.process_of(os.getpid()), "host": "box", "engine": "Docker"}
    times = dict.fromkeys(("started_at", "updated_at"), "2025-10-02T12:00:00Z")
    (home / daemon.STATUS).write_text(json.dumps(words | times | {"runners": 0, "max_runners": 1}))


@pytest.mark.parametrize(
    "place", [lambda path: path.symlink_to("/etc/shadow"), os.mkfifo, lambda path: path.symlink_to("/")]
)
def test_a_file_that_leads_elsewhere_is_not_brought(tmp_path: Path, place: Callable[[Path], None]) -> None:
    (tmp_path / "in").mkdir()
    place(tmp_path / "in" / "x")
    client = Client(tmp_path / "home")
    for files in ({"in": tmp_path / "in"}, {"x": tmp_path / "in" / "x"}):
        with pytest.raises(BadInput, match=r"^files: "):
            client.create_job("job", DEMO, files=files)
    assert not client.store.jobs.exists()


@pytest.mark.parametrize("place", ["../../other/work/x", "/etc/x", "a/../../b", "a\0b", "\x1b]0;x\x07", ""])
def test_no_file_goes_elsewhere(tmp_path: Path, place: str) -> None:
    client = Client(tmp_path / "home")
    with pytest.raises(BadInput, match="must be a path below /work"):
        client.create_job("job", DEMO, files={place: b"x"})
    assert not client.store.jobs.exists()


@needs_root
def test_nobody_exchanges_what_is_being_brought(open_home: Path) -> None:
    """Other members of the group may write in `jobs`, and see the folder that a job is written in."""
    client = Client(open_home)
    client.create_job("job", DEMO, files={"a/b": b"mine"})
    jobs = client.store.jobs
    jobs.chmod(0o3777)

    def tries() -> None:
        for act in (
            lambda: (jobs / "job").rename(jobs / "other"),
            lambda: (jobs / "job" / "work" / "a" / "b").write_text("yours"),
            lambda: (jobs / "job" / "work" / "a" / "b").read_text(),
        ):
            with pytest.raises(PermissionError):
                act()

    does(tries, USER)
    assert client.store.existing("job").work.joinpath("a/b").read_bytes() == b"mine"


def test_a_record_that_tells_of_files_which_were_never_brought_harms_nobody(
    tmp_path: Path, start: Callable[..., InProcess], engine: FakeEngine
) -> None:
    manager = start()
    state = {"id": "1", "name": "job", "created_at": "2025-10-02T12:00:00Z"}
    tasks = json.dumps([{"id": "a", "command": "true"}])
    hand_written(
        tmp_path, "job", json.dumps(state | {"inputs": {"entries": 1 << 60, "bytes": 10**300}}), tasks
    )
    for name, inputs in (("less", {"entries": -1, "bytes": 0}), ("list", []), ("text", "all")):
        hand_written(tmp_path, name, json.dumps(state | {"name": name, "inputs": inputs}), tasks)
        failure = manager.client.wait(name, 10).job.failure
        assert failure is not None and "inputs" in failure.message
    assert manager.client.wait("job", 10).state == "completed"


def test_whoever_writes_the_files_himself_meets_the_same_rule_in_the_same_words(
    tmp_path: Path, start: Callable[..., InProcess], engine: FakeEngine
) -> None:
    manager = start(images=("debian:*",))
    told(tmp_path, manager)
    task = {"id": "a", "command": "true", "image": "alpine:3"}
    with pytest.raises(BadInput) as refused:
        manager.client.create_job("job", [task])
    state = {"id": "1", "name": "job", "created_at": "2025-10-02T12:00:00Z"}
    folder = hand_written(tmp_path, "job", json.dumps(state), json.dumps([task]))
    failure = manager.client.wait("job", 10).job.failure
    assert failure is not None
    assert failure.message == f"{folder / 'tasks.json'}: {refused.value}"


@pytest.mark.parametrize(
    "text", [b"", b"[" * 100_000, b'{"schema": 99, "policy": {}}', b'{"policy": {"images": [' + b'"a",' * 10]
)
def test_rules_that_nobody_can_read_keep_nobody_from_making_jobs(
    tmp_path: Path, start: Callable[..., InProcess], engine: FakeEngine, text: bytes
) -> None:
    manager = start(images=("debian:*",))
    told(tmp_path, manager)
    (tmp_path / daemon.POLICY).write_bytes(text)
    manager.client.create_job("job", [a_task("a", image="alpine:3")])
    assert manager.client.wait("job", 10).state == "failed", "the manager decides in any case"


def test_rules_tell_nothing_but_rules(tmp_path: Path, start: Callable[..., InProcess]) -> None:
    manager = start(unreachable=["10.1.2.3/32"], registries=("hidden.example",))
    told(tmp_path, manager)
    text = (tmp_path / daemon.POLICY).read_text()
    assert "10.1.2.3" not in text and "hidden.example" not in text and str(tmp_path) not in text


def test_names_that_are_nearly_right_cost_little() -> None:
    """Only as many are compared, and as long ones, as take some hundredths of a second at the worst."""
    compared: list[str] = []

    class Name(str):
        def lower(self) -> str:
            compared.append(self)
            return super().lower()

    many = (Name("".join(each)) for each in islice(permutations("abcdefghij"), 10 * MOST))
    nearest("jihgfedcba", many)
    assert len(compared) == MOST
    assert nearest("x" * 100_000, ["x"]) is None
    assert nearest("x", ["x" * (LONGEST + 1)]) is None
