"""FAULTS 20, 26, 32, 34: folders that are no jobs, or not yet; and names that break the rule."""

import json
from pathlib import Path
from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.models import JobState
from tests.real_manager import RealManager
from tests.waiting import until

TASKS = [{"id": "a", "command": "echo", "args": ["hi"], "network": "none"}]
GOOD = json.dumps(TASKS).encode()


def state(name: str, **change: Any) -> bytes:
    return json.dumps({"id": "1", "name": name, "state": "waiting"} | change).encode()


def by_hand(manager: RealManager, name: str, state_json: bytes, tasks_json: bytes) -> Path:
    folder = manager.home / "jobs" / name
    folder.mkdir(parents=True)
    (folder / "state.json").write_bytes(state_json)
    (folder / "tasks.json").write_bytes(tasks_json)
    return folder


def refusal(manager: RealManager, name: str) -> str:
    view = until(lambda: (look := manager.client.store.folder(name).look()) is not None and failed(look), 15)
    assert view.job.failure is not None
    assert view.job.failure.cause == "bad_input"
    assert all(task.status in ("skipped", "pending") and not task.attempts for task in view.tasks)
    return str(view.job.failure.message)


def failed(look: Any) -> Any:
    return look if not isinstance(look, BadInput) and look.state is JobState.FAILED else None


@pytest.mark.parametrize(
    ("name", "state_json", "tasks_json", "words"),
    [
        ("state-cut", state("state-cut")[:-4], GOOD, "state.json: is not JSON: line 1"),
        ("state-empty", b"", GOOD, "state.json: is not JSON: line 1, column 1"),
        ("state-zeros", b"\0" * 512, GOOD, "state.json: is not JSON"),
        ("state-list", b"[]", GOOD, "state.json: must be an object, not a list"),
        ("state-word", state("state-word", state="asleep"), GOOD, "state.json: state:"),
        ("tasks-cut", state("tasks-cut"), GOOD[:-4], "tasks.json: is not JSON: line 1"),
        ("tasks-empty", state("tasks-empty"), b"", "tasks.json: is not JSON: line 1, column 1"),
        ("tasks-zeros", state("tasks-zeros"), b"\0" * 512, "tasks.json: is not JSON"),
        ("tasks-object", state("tasks-object"), b"{}", "tasks.json: must be a list of tasks"),
        ("tasks-none", state("tasks-none"), b"[]", "a job needs at least one task"),
        (
            "tasks-twice",
            state("tasks-twice"),
            b'[{"id": "a", "id": "b", "command": "x"}]',
            "the key 'id' twice",
        ),
        ("tasks-deep", state("tasks-deep"), b"[" * 100_000, "nested too deeply"),
    ],
    ids=lambda value: value if isinstance(value, str) and "-" in value and " " not in value else "",
)
def test_20_a_damaged_job_is_refused_with_file_and_place_and_others_go_on(
    served: RealManager, name: str, state_json: bytes, tasks_json: bytes, words: str
) -> None:
    folder = by_hand(served, name, state_json, tasks_json)
    served.client.create_job(f"beside-{name}", TASKS)
    assert words in refusal(served, name)
    assert served.client.wait(f"beside-{name}", 30).state == "completed"
    kept = [file.read_bytes() for file in folder.iterdir()]
    assert tasks_json in kept or name.startswith("tasks-none"), "what somebody wrote is not lost"
    if name in ("state-cut", "state-empty", "state-zeros", "state-list"):
        assert state_json in kept


BAD_NAMES = [
    "../x",
    "/",
    "a/b",
    "",
    ".",
    "..",
    "-rf",
    "a b",
    "a\0b",
    "n" * 300,
    "\u0430dmin",
    "a\n",
    "caf\u00e9",
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_26_the_library_refuses_bad_names_with_the_rule(served: RealManager, name: str) -> None:
    with pytest.raises(BadInput, match="must be 1 to 200"):
        served.client.create_job(name, TASKS)
    with pytest.raises(BadInput, match="must be 1 to 200"):
        served.client.create_job("good", [{"id": name, "command": "true"}])
    assert not (served.home / "jobs" / "good").exists()


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_26_a_hand_written_job_with_a_bad_task_name_is_refused_with_the_rule(
    served: RealManager, name: str
) -> None:
    job = f"names-{BAD_NAMES.index(name)}"
    by_hand(served, job, state(job), json.dumps([{"id": name, "command": "true"}]).encode())
    assert "must be 1 to 200" in refusal(served, job)
    assert served.containers("--filter", f"label=air-executor.job={job}") == []


def test_26_folders_whose_name_breaks_the_rule_are_no_jobs(served: RealManager) -> None:
    folders = [by_hand(served, name, state(name), GOOD) for name in ("with space", ".hidden", "caf\u00e9")]
    served.client.create_job("marker", TASKS)
    served.client.wait("marker", 30)
    for folder in folders:
        assert sorted(file.name for file in folder.iterdir()) == ["state.json", "tasks.json"]


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ([("a", ["b"]), ("b", ["c"]), ("c", ["a"])], "dependency cycle: a -> b -> c -> a"),
        ([("a", ["a"])], "dependency cycle: a -> a"),
        ([("a", ["ghost"])], "unknown dependency 'ghost' of task 'a'"),
        ([("a", []), ("b", []), ("a", [])], "duplicate id 'a'"),
    ],
    ids=["cycle", "self", "unknown", "duplicate"],
)
def test_32_a_graph_that_can_not_be_is_refused_at_creation_and_by_hand_in_the_same_words(
    served: RealManager, tasks: list[tuple[str, list[str]]], words: str
) -> None:
    made = [{"id": name, "command": "true", "dependencies": after} for name, after in tasks]
    job = f"graph-{words.split()[0]}-{len(tasks)}-{words[-1].isalnum()}"
    with pytest.raises(BadInput) as caught:
        served.client.create_job(job, made)
    assert words in str(caught.value)
    assert not (served.home / "jobs" / job).exists()
    by_hand(served, job, state(job), json.dumps(made).encode())
    assert words in refusal(served, job)


def test_34_the_folder_of_a_slow_writer_waits(served: RealManager) -> None:
    folder = served.home / "jobs" / "slow"
    folder.mkdir(parents=True)

    def others_go_on(number: int) -> None:
        served.client.create_job(f"beside-slow-{number}", TASKS)
        served.client.wait(f"beside-slow-{number}", 30)
        assert "job=slow refused" not in served.output()

    others_go_on(0)
    (folder / "state.json").write_bytes(state("slow", created_at="2025-10-02T07:30:15"))
    others_go_on(1)
    (folder / "tasks.json").write_bytes(GOOD)
    view = served.client.wait("slow", 30)
    assert view.state == "completed"
    assert view.job.created_at.isoformat() == "2025-10-02T07:30:15+00:00"
