"""A job writer has megabytes below a key that nobody knows: each change of the job writes them again.

What is not known is kept while it is small; more of it is refused, in any record.
"""

import json
from pathlib import Path

import pytest

from air_executor.errors import BadInput
from air_executor.format.documents import validate
from air_executor.format.models import Job, Task
from manager.core import admission
from manager.folder import journal
from manager.folder.journal import Journal
from manager.model.facts import JobFound
from tests.unit.manager.builders import OWNER, T0, UID, at, settings, task

LARGE = "x" * (16 << 10)
CONTAINER = {"name": "c", "image": "i"}


def test_small_ones_are_kept() -> None:
    job = validate(Job, {"id": "1", "name": "job", "theirs": {"note": "x" * 10_000}})
    assert job.model_dump()["theirs"] == {"note": "x" * 10_000}


@pytest.mark.parametrize(
    "theirs", [{"note": LARGE}, {"notes": list(range(10_000))}, {f"k{number}": 1 for number in range(5000)}]
)
def test_large_ones_are_refused(theirs: dict[str, object]) -> None:
    with pytest.raises(BadInput, match=r"bytes below keys that are not known.*at most 16384 are kept"):
        validate(Job, {"id": "1", "name": "job", **theirs})


@pytest.mark.parametrize("inner", [{"container": CONTAINER | {"theirs": LARGE}}, {"theirs": LARGE}])
def test_in_records_within_records_as_well(inner: dict[str, object]) -> None:
    attempt = {"number": 1, "phase": "removed", "container": CONTAINER} | inner
    with pytest.raises(BadInput, match=r"^attempts\[0\]"):
        validate(Task, {"id": "a", "command": "x", "attempts": [attempt]})


def test_what_is_known_has_a_bound_of_its_own() -> None:
    with pytest.raises(BadInput, match="id: "):
        validate(Job, {"id": LARGE, "name": "job"})


def test_a_journal_that_has_them_already_goes_on_without_them(tmp_path: Path) -> None:
    written = Journal(tmp_path)
    job = Job(id="1", name="job", created_at=T0)
    found = JobFound(name="job", job=job, tasks=(task("a"),), owner=OWNER, at=at(1))
    changes = admission.take(found, UID, settings()).take_changes()
    assert changes is not None
    written.record(changes)
    written.close()
    (path,) = tmp_path.glob("*.journal")
    entries = json.loads(path.read_bytes().split(b" ", 2)[2])
    for entry in entries:
        for kind in ("job", "task"):
            if kind in entry:
                entry[kind] |= {"theirs": LARGE}
    path.write_bytes(journal._line([json.dumps(entry) for entry in entries]))
    (remembered,) = Journal(tmp_path).remembered()
    assert (remembered.job.uid, remembered.tasks[0].id) == (UID, "a")
    assert not remembered.job.model_extra
