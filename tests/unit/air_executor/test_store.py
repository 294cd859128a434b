import json
import os
import threading
from pathlib import Path

import pytest

from air_executor import BadInput, Client, JobExists, JobNotFound, JobState, JobView, Task
from air_executor import store as store_module
from air_executor.files import write_durably
from air_executor.store import Store, home_folder
from tests.unit.air_executor.builders import DEMO, a_job, a_task, hand_written, publish

OLD_STATE = (
    '{"id": "1", "name": "old", "state": "waiting",'
    ' "created_at": "2025-10-02T07:30:15.123456Z", "updated_at": "2025-10-02T07:30:15.123456"}'
)


@pytest.fixture
def store(home: Path) -> Store:
    return Store(home)


def test_the_home_folder_is_what_was_given_else_the_variable_else_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert home_folder() == tmp_path / ".air-executor"
    monkeypatch.setenv("AIR_EXECUTOR_HOME", "elsewhere")
    assert home_folder() == tmp_path / "elsewhere"
    assert home_folder("/srv/x") == Path("/srv/x")


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIR_EXECUTOR_HOME", "")
    assert home_folder() == tmp_path / ".air-executor"


def test_a_created_job_is_read_again_as_it_was(store: Store) -> None:
    job, tasks = a_job(), (a_task(job_name="demo"), a_task(id="b", dependencies=["greet"]))
    store.create(job, tasks)
    assert store.existing("demo").read() == JobView(job=job, tasks=tasks)


def test_a_created_job_leaves_nothing_else_behind(store: Store) -> None:
    store.create(a_job(), [a_task()])
    assert [entry.name for entry in store.jobs.iterdir()] == ["demo"]
    assert sorted(entry.name for entry in (store.jobs / "demo").iterdir()) == ["state.json", "tasks.json"]


def test_a_job_appears_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every single step of creation there is either no folder or one with both files whole."""
    seen = []

    def look(*_: object) -> None:
        folder = store.folder("demo")
        seen.append(folder.path.exists())
        assert not seen[-1] or len(folder.read().tasks) == 1
        assert [found.name for found in store.folders()] == ["demo"] * seen[-1]

    for call in ("write_durably", "sync_folder"):
        original = getattr(store_module, call)
        monkeypatch.setattr(store_module, call, lambda *a, original=original: (look(), original(*a), look()))
    store.create(a_job(), [a_task()])
    assert seen[0] is False
    assert seen[-1] is True


def test_a_name_that_is_taken_is_refused_and_what_is_there_stays(store: Store) -> None:
    store.create(a_job(id="first"), [a_task()])
    with pytest.raises(JobExists, match="'demo'"):
        store.create(a_job(id="second"), [a_task()])
    assert store.existing("demo").read_job().id == "first"
    assert [entry.name for entry in store.jobs.iterdir()] == ["demo"]


def test_an_empty_folder_of_that_name_is_not_replaced(store: Store) -> None:
    (store.jobs / "demo").mkdir(parents=True)
    with pytest.raises(JobExists):
        store.create(a_job(), [a_task()])
    assert list((store.jobs / "demo").iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_creation_that_breaks_off_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    calls = []

    def break_off(_: int) -> None:
        calls.append(1)
        if len(calls) == 3:  # tasks.json is written, state.json is about to be
            raise error

    monkeypatch.setattr(os, "fsync", break_off)
    with pytest.raises(type(error)):
        store.create(a_job(), [a_task()])
    assert list(store.jobs.iterdir()) == []


def test_of_two_that_create_the_same_job_at_once_one_succeeds(store: Store) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(8)

    def create(number: int) -> None:
        start.wait()
        try:
            store.create(a_job(id=str(number)), [a_task()])
            outcomes.append(str(number))
        except JobExists:
            outcomes.append("exists")

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("exists") == 7
    assert store.existing("demo").read_job().id in outcomes
    assert len(list(store.jobs.iterdir())) == 1


def test_a_reader_never_sees_half_a_file_while_it_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "tasks.json"
    write_durably(file, "[]")
    texts = {json.dumps([{"number": number, "filling": "x" * 20_000}]) for number in range(2)}
    enough = threading.Event()

    def replace() -> None:
        while not enough.is_set():
            for text in texts:
                write_durably(file, text)

    writer = threading.Thread(target=replace)
    writer.start()
    seen, reads = set(), 0
    while not texts <= seen or reads < 2000:
        seen.add(file.read_text())
        reads += 1
    enough.set()
    writer.join()
    assert texts <= seen <= {*texts, "[]"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["tasks.json"]


def test_a_failed_replacement_keeps_the_old_file_and_leaves_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "state.json"
    write_durably(file, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_durably(file, "new")
    assert file.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_a_replacement_is_synced_before_it_is_renamed_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, steps = tmp_path / "state.json", []
    fsync = os.fsync

    def note(handle: int) -> None:
        kind = "folder" if Path(f"/proc/self/fd/{handle}").is_dir() else "file"
        steps.append((kind, file.exists()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    write_durably(file, "new")
    assert steps == [("file", False), ("folder", True)]


@pytest.mark.parametrize("name", ["../x", "/", "", "a\0b", "x" * 300, ".new-1"])
def test_a_name_that_breaks_the_rule_never_becomes_a_path(store: Store, name: str) -> None:
    with pytest.raises(BadInput, match="not a valid name"):
        store.existing(name)


def test_a_job_that_is_not_there_is_named_with_the_folder(store: Store) -> None:
    with pytest.raises(JobNotFound, match=f"no job 'gone' in {store.jobs}"):
        store.existing("gone")


def test_only_what_may_be_a_job_is_listed(store: Store) -> None:
    assert list(store.folders()) == []
    store.create(a_job(), [a_task()])
    (store.jobs / ".warm").mkdir()
    (store.jobs / "not a name").mkdir()
    (store.jobs / "file").write_text("")
    (store.jobs / "link").symlink_to(store.jobs / "demo")
    assert [folder.name for folder in store.folders()] == ["demo"]


def test_the_two_files_of_an_older_script_are_a_job(home: Path, store: Store) -> None:
    tasks = (
        '[{"id": "a", "job_name": "old", "command": "echo", "args": [], "dependencies": [], "error": null}]'
    )
    hand_written(home, "old", OLD_STATE, tasks)
    view = store.existing("old").read()
    assert (view.name, view.state, [task.id for task in view.tasks]) == ("old", JobState.WAITING, ["a"])


def test_what_a_task_runs_may_be_said_by_its_jobs_defaults(home: Path, store: Store) -> None:
    state = OLD_STATE.replace("{", '{"defaults": {"image": "debian:12"}, ', 1)
    hand_written(home, "old", state, '[{"id": "a", "args": ["x"]}]')
    assert [task.id for task in store.existing("old").read_tasks()] == ["a"]


def test_a_job_without_its_tasks_file_is_not_yet_a_job(home: Path, store: Store) -> None:
    hand_written(home, "old", OLD_STATE)
    with pytest.raises(FileNotFoundError):
        store.existing("old").read()
    assert store.existing("old").look() is None


def test_a_job_under_another_name_than_its_folder_is_refused(home: Path, store: Store) -> None:
    hand_written(home, "copy", OLD_STATE, "[]")
    with pytest.raises(BadInput, match=r"state.json: name: is 'old', but the folder is 'copy'"):
        store.existing("copy").read()


@pytest.mark.parametrize(
    ("tasks", "rule"),
    [
        ("{}", "must be a list of tasks"),
        ("[5]", r"tasks\[0\]: must be an object"),
        ('[{"id": "a", "command": "echo", "args": [1]}]', r"tasks\[0\].args\[0\]: must be a string"),
        ("", "is not JSON"),
        (b"\0" * 50, "is not JSON"),
        (b"[\xff]", "is not UTF-8"),
    ],
)
def test_a_broken_tasks_file_is_named_with_place_and_rule(
    home: Path, store: Store, tasks: str | bytes, rule: str
) -> None:
    folder = hand_written(home, "old", OLD_STATE, tasks)
    with pytest.raises(BadInput, match=rule) as refused:
        store.existing("old").read()
    assert refused.value.where == str(folder / "tasks.json")


def test_a_job_that_failed_for_its_bad_tasks_is_shown_without_them(home: Path, store: Store) -> None:
    hand_written(home, "old", OLD_STATE.replace("waiting", "failed"), "nonsense")
    view = store.existing("old").read()
    assert (view.state, view.tasks) == (JobState.FAILED, ())


def test_a_file_that_may_not_be_read_is_a_complaint_of_that_job(
    home: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = hand_written(home, "old", OLD_STATE, "[]")

    def refuse(folder: int, path: Path, _: object) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("air_executor.store._content", refuse)
    complaint = store.existing("old").look()
    assert str(complaint) == f"{folder / 'state.json'}: can't be read: Permission denied"


def test_a_folder_in_the_place_of_a_file_is_named_and_leaves_nothing_open(store: Store) -> None:
    folder = store.create(a_job(), [a_task()])
    folder.tasks_file.unlink()
    folder.tasks_file.mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(IsADirectoryError) as caught:
        folder.read_tasks()
    assert caught.value.filename == folder.tasks_file
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_stamp_changes_with_each_file_and_only_then(client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    folder = client.store.existing("demo")
    first = folder.stamp()
    assert folder.stamp() == first
    publish(home, "demo", state=JobState.WORKING)
    second = folder.stamp()
    assert second != first
    write_durably(folder.tasks_file, folder.tasks_file.read_text())
    assert folder.stamp() != second


def test_asking_twice_for_cancellation_is_asking_once(client: Client) -> None:
    client.create_job("demo", DEMO)
    folder = client.store.existing("demo")
    folder.request_cancel()
    folder.request_cancel()
    assert folder.cancel_marker.is_file()


def test_a_job_of_ten_thousand_tasks_is_written_and_read(store: Store) -> None:
    tasks = [Task(id=f"t{number}", command="true", job_name="demo") for number in range(10_000)]
    store.create(a_job(), tasks)
    assert len(store.existing("demo").read().tasks) == 10_000


def test_a_new_jobs_folder_is_its_makers_with_the_group_that_the_jobs_folder_gives(store: Store) -> None:
    here = (os.geteuid(), os.getegid())
    assert store.owner_of_new() == here
    store.jobs.mkdir(parents=True)
    assert store.owner_of_new() == here
    if os.geteuid() == 0:
        os.chown(store.jobs, 0, 4321)
        store.jobs.chmod(0o2770)
        assert store.owner_of_new() == (0, 4321)
    store.create(a_job(), [a_task()])
    made = (store.jobs / "demo").stat()
    assert store.owner_of_new() == (made.st_uid, made.st_gid)
