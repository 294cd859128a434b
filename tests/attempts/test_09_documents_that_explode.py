"""A job writer's `tasks.json` of a few MB is worth gigabytes or minutes once it is read.

Values are counted in the text before there are any, counts are bounded before entries are validated, and the
first error ends it. What is large is read in a thread of its own.
"""

import json
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from air_executor.errors import BadInput
from air_executor.format.limits import Bounds
from air_executor.format.models import Job
from air_executor.store import JobFolder
from manager.core import admission
from manager.folder import reader
from manager.folder.reader import Contents, Reader
from manager.model.facts import JobFound
from tests.unit.manager.builders import OWNER, T0, UID, at, settings, task

BOUNDS = Bounds(1 << 20)
MOST = 30
"""Times the bound that a document may take in memory, whatever is in it. (`args` took 320 times its size.)"""
MANY = BOUNDS.parts // 2 - 20


def _task(**fields: str) -> bytes:
    rest = "".join(f', "{name}": {value}' for name, value in fields.items())
    return f'[{{"id": "a", "command": "x"{rest}}}]'.encode()


def _list(entry: str, count: int = MANY) -> str:
    return f"[{','.join([entry] * count)}]"


def _keys(value: str) -> str:
    return ",".join(f'"{number:x}":{value}' for number in range(MANY))


ATTACKS: dict[str, Callable[[], bytes]] = {
    "numbers as arguments": lambda: _task(args=_list("1", 2 * MANY)),
    "numbers as causes": lambda: _task(retries=f'{{"on": {_list("1", 2 * MANY)}}}'),
    "a key twice among many": lambda: f'[{{{_keys("0.5")},"0":1}}]'.encode(),
    "keys that nobody knows": lambda: _task(_="0")[:-2] + f",{_keys('1')}}}]".encode(),
    "variables that are no strings": lambda: _task(env=f"{{{_keys('1')}}}"),
    "attempts that are none": lambda: _task(attempts=_list("{}")),
    "lists": lambda: _list("[]").encode(),
    "objects": lambda: _list("{}").encode(),
    "objects in lists in objects": lambda: _list('{"":[{"":[]}]}', MANY // 4).encode(),
    "numbers with a point": lambda: _list("0.5", 2 * MANY).encode(),
    "wide letters": lambda: json.dumps("😀" * 250_000, ensure_ascii=False).encode(),
}


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    path = tmp_path / "job"
    path.mkdir()
    (path / "state.json").write_text('{"id": "1", "name": "job"}')
    return JobFolder(path)


def peak(folder: JobFolder, bounds: Bounds = BOUNDS) -> int:
    """Bytes that it takes to find out that the tasks are none."""
    tracemalloc.start()
    try:
        with pytest.raises(BadInput):
            folder.read_tasks(bounds)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("attack", ATTACKS)
def test_whatever_is_in_a_document_it_takes_memory_in_proportion(folder: JobFolder, attack: str) -> None:
    document = ATTACKS[attack]()
    assert len(document) <= BOUNDS.bytes
    folder.tasks_file.write_bytes(document)
    assert peak(folder) < MOST * BOUNDS.bytes


def test_more_values_than_a_document_may_have_are_never_made(folder: JobFolder) -> None:
    folder.tasks_file.write_text(_list("1", BOUNDS.bytes // 2 - 10))
    assert peak(folder) < 4 * BOUNDS.bytes


def test_commas_in_strings_are_no_values(folder: JobFolder) -> None:
    folder.tasks_file.write_bytes(_task(args=json.dumps(["," * 131_000] * 2)))
    assert len(folder.read_tasks(BOUNDS)) == 1


def test_what_is_no_json_costs_no_more_than_its_length(folder: JobFolder) -> None:
    """To look for the strings in it, each part of it is read once."""
    folder.tasks_file.write_bytes(b'"' + b'\\"' * 50_000 + b"," * 200_000 + b"\\")
    began = time.thread_time()
    with pytest.raises(BadInput):
        folder.read_tasks(BOUNDS)
    assert time.thread_time() - began < 5  # where each is read once more for each, it takes minutes


def test_a_dense_graph_is_refused_by_its_edges() -> None:
    names = [f"t{number}" for number in range(600)]
    tasks = tuple(task(name, *names[:index]) for index, name in enumerate(names[:-1]))
    everything = (*tasks, *(task(f"u{number}", *names[:-1]) for number in range(150)))
    job = Job(id="1", name="job", created_at=T0)
    found = JobFound(name="job", job=job, tasks=everything, owner=OWNER, at=at(1))
    with pytest.raises(BadInput, match="dependencies together; at most 100000 are allowed"):
        admission.take(found, UID, settings())


def test_a_large_document_holds_up_no_small_one(
    folder: JobFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, go = threading.Event(), threading.Event()
    read = reader._contents

    def slowly(large: JobFolder, bounds: Bounds) -> Contents:
        if large.name == "job":
            assert go.wait(30)
        return read(large, bounds)

    monkeypatch.setattr(reader, "_contents", slowly)
    folder.tasks_file.write_text(_list("1", 200_000))
    small = JobFolder(tmp_path / "small")
    small.path.mkdir()
    small.state_file.write_text('{"id": "2", "name": "small"}')
    small.tasks_file.write_bytes(_task())
    reads = Reader(Bounds(8 << 20), done.set)
    assert reads.contents(folder) is None
    found = reads.contents(small)
    assert found is not None
    assert [each.id for each in found.tasks] == ["a"]
    go.set()
    assert done.wait(30)
    refused = reads.contents(folder)
    assert refused is not None
    assert "the job has 200000 tasks" in str(refused.problem)
