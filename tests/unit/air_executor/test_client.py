import hashlib
import json
import pickle
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from air_executor import (
    BadInput,
    Client,
    Failure,
    JobEnded,
    JobExists,
    JobNotEnded,
    JobNotFound,
    JobState,
    JobView,
    NothingToRetry,
    Request,
    RequestConflict,
    TaskSpec,
    TaskStatus,
    WaitTimeout,
)
from air_executor.client import Options, read_document
from air_executor.policy import Policy
from tests.unit.air_executor.builders import (
    DEMO,
    after,
    an_attempt,
    complete,
    fail,
    hand_written,
    publish,
    write_log,
)

ASKED = Request(dag_id="dag", run_id="run", task_id="make")


def later(seconds: float, function: Any, *args: Any) -> threading.Timer:
    timer = threading.Timer(seconds, function, args)
    timer.start()
    return timer


class Clock:
    """A time that passes only while somebody rests."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("air_executor.client.time", clock)
    return clock


def markers(client: Client) -> list[str]:
    """The jobs that were asked to stop."""
    return sorted(folder.name for folder in client.store.folders() if folder.cancel_marker.exists())


# --- create_job, status, jobs


def test_a_created_job_waits_with_its_tasks_pending(client: Client) -> None:
    made = client.create_job("demo", DEMO, max_parallel=2)
    assert client.status("demo") == made
    assert (made.state, made.progress, made.job.max_parallel) == (JobState.WAITING, "0/2 completed", 2)
    assert [(task.id, task.status, task.job_name) for task in made.tasks] == [
        ("greet", TaskStatus.PENDING, "demo"),
        ("process", TaskStatus.PENDING, "demo"),
    ]


def test_tasks_may_be_specs_or_mappings(client: Client) -> None:
    made = client.create_job("demo", [TaskSpec(id="a", command="x"), {"id": "b", "command": "y"}])
    assert [task.id for task in made.tasks] == ["a", "b"]


def test_two_jobs_have_different_ids(client: Client) -> None:
    assert client.create_job("a", DEMO).job.id != client.create_job("b", DEMO).job.id


@pytest.mark.parametrize(
    ("name", "tasks", "options", "field"),
    [
        ("../x", DEMO, {}, "job.name"),
        ("demo", [], {}, "tasks"),
        ("demo", "echo", {}, "tasks"),
        ("demo", {"id": "a", "command": "echo"}, {}, "tasks"),
        ("demo", [DEMO[0], {"id": "b", "command": 5}], {}, "tasks[1].command"),
        ("demo", [DEMO[1]], {}, "tasks[0].dependencies"),
        ("demo", DEMO, {"max_parallel": 0}, "job.max_parallel"),
    ],
)
def test_bad_input_is_refused_with_its_field_and_nothing_is_written(
    client: Client, name: str, tasks: Any, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadInput) as refused:
        client.create_job(name, tasks, **options)
    assert refused.value.field == field
    assert not client.store.jobs.exists()


@pytest.mark.parametrize("name", ["抽取", "é", "e\u0301", "\udc80", "x" * 201])
def test_a_name_that_no_job_can_have_is_refused_wherever_it_is_said(client: Client, name: str) -> None:
    tasks = [{"id": "a", "command": "true"}]
    asked = Request(dag_id="d", run_id="r", task_id="t")
    for call in (
        lambda: client.create_job(name, tasks),
        lambda: client.submit(name, tasks, asked),
        lambda: client.status(name),
        lambda: client.cancel(name),
        lambda: client.queue(name, tasks[0]),
        lambda: client.create_job("job", [{"id": name, "command": "true"}]),
    ):
        with pytest.raises(BadInput, match="must be 1 to 200 of the letters a-z"):
            call()


def test_a_name_is_used_once(client: Client) -> None:
    client.create_job("demo", DEMO)
    with pytest.raises(JobExists):
        client.create_job("demo", DEMO)


def test_a_job_that_does_not_exist_is_not_found(client: Client) -> None:
    for ask in (client.status, client.wait, client.results, client.cancel):
        with pytest.raises(JobNotFound, match="'gone'"):
            ask("gone")


def test_jobs_come_oldest_first_and_broken_ones_as_complaints(client: Client, home: Path) -> None:
    for name, seconds in (("young", 20), ("old", 5), ("middle", 10)):
        client.create_job(name, DEMO)
        publish(home, name, created_at=after(seconds))
    hand_written(home, "broken", "nonsense")
    hand_written(home, "half", json.dumps({"id": "1", "name": "half"}))
    *views, complaint = client.jobs()
    assert [view.name for view in views if isinstance(view, JobView)] == ["old", "middle", "young"]
    assert isinstance(complaint, BadInput)
    assert "broken" in str(complaint)


def test_there_are_no_jobs_before_the_first(client: Client) -> None:
    assert list(client.jobs()) == []


# --- submit: one job for each Airflow task instance


def test_the_first_request_creates_the_job(client: Client) -> None:
    made = client.submit("demo", DEMO, ASKED)
    assert made.name == "demo"
    assert made.job.request is not None
    assert made.job.request.same_instance(ASKED)


@pytest.mark.parametrize("state", [JobState.WAITING, JobState.WORKING, JobState.COMPLETED])
def test_a_retry_finds_the_job_that_lives_or_has_completed(
    client: Client, home: Path, state: JobState
) -> None:
    made = client.submit("demo", DEMO, ASKED)
    publish(home, "demo", state=state)
    again = client.submit("demo", DEMO, ASKED)
    assert (again.name, again.job.id, again.state) == ("demo", made.job.id, state)
    assert [view.name for view in client.jobs() if isinstance(view, JobView)] == ["demo"]
    assert markers(client) == []


def test_a_retry_after_a_failed_job_gets_a_fresh_one_and_the_record_stays(client: Client, home: Path) -> None:
    client.submit("demo", DEMO, ASKED)
    fail(home, "demo")
    assert client.submit("demo", DEMO, ASKED).name == "demo.2"
    assert client.submit("demo", DEMO, ASKED).name == "demo.2"  # lives: found again
    fail(home, "demo.2")
    assert client.submit("demo", DEMO, ASKED).name == "demo.3"
    assert client.status("demo").state is JobState.FAILED
    assert client.status("demo.2").state is JobState.FAILED


def test_a_completed_successor_is_found_behind_a_failed_job(client: Client, home: Path) -> None:
    client.submit("demo", DEMO, ASKED)
    fail(home, "demo")
    client.submit("demo", DEMO, ASKED)
    complete(home, "demo.2")
    found = client.submit("demo", DEMO, ASKED)
    assert (found.name, found.state) == ("demo.2", JobState.COMPLETED)


CLEARED = ASKED.model_copy(update={"generation": 1})


def test_a_cleared_task_gets_a_fresh_job_although_the_first_completed(client: Client, home: Path) -> None:
    client.submit("demo", DEMO, ASKED)
    complete(home, "demo")
    assert client.submit("demo", DEMO, CLEARED).name == "demo.2"
    assert client.submit("demo", DEMO, CLEARED).name == "demo.2"  # a retry of the cleared task
    assert markers(client) == []


def test_a_live_job_is_cancelled_and_over_before_the_cleared_task_gets_a_fresh_one(
    client: Client, home: Path
) -> None:
    client.submit("demo", DEMO, ASKED)

    def manager() -> None:
        while not client.store.existing("demo").cancel_marker.exists():
            time.sleep(0.01)
        assert not client.store.folder("demo.2").path.exists()
        fail(home, "demo")

    stopping = later(0, manager)
    assert client.submit("demo", DEMO, CLEARED).name == "demo.2"
    stopping.join()
    assert client.status("demo").state is JobState.FAILED
    assert markers(client) == ["demo"]


def test_other_tasks_for_the_same_request_get_a_fresh_job(client: Client, home: Path) -> None:
    client.submit("demo", DEMO, ASKED)
    complete(home, "demo")
    assert client.submit("demo", [DEMO[0]], ASKED).name == "demo.2"


def test_a_job_that_ends_while_it_is_being_cancelled_is_no_error(
    client: Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.submit("demo", DEMO, ASKED)
    cancel = Client.cancel

    def just_ended(self: Client, job: str) -> None:
        complete(home, job)
        cancel(self, job)

    monkeypatch.setattr(Client, "cancel", just_ended)
    assert client.submit("demo", DEMO, CLEARED).name == "demo.2"


@pytest.mark.parametrize(
    "change", [{"dag_id": "other"}, {"run_id": "other"}, {"task_id": "other"}, {"map_index": 1}]
)
def test_the_name_of_another_requests_job_is_a_conflict_that_says_whose(
    client: Client, change: dict[str, Any]
) -> None:
    client.submit("demo", DEMO, ASKED)
    with pytest.raises(RequestConflict, match="'make' of DAG 'dag', run 'run'"):
        client.submit("demo", DEMO, ASKED.model_copy(update=change))


def test_the_name_of_a_job_that_airflow_did_not_make_is_a_conflict(client: Client) -> None:
    client.create_job("demo", DEMO)
    with pytest.raises(RequestConflict, match="not made by Airflow"):
        client.submit("demo", DEMO, ASKED)


def test_a_folder_that_is_no_job_yet_is_an_error_and_not_an_endless_loop(client: Client) -> None:
    (client.store.jobs / "demo").mkdir(parents=True)
    with pytest.raises(JobExists):
        client.submit("demo", DEMO, ASKED)


def test_of_many_that_submit_the_same_at_once_all_get_one_job(client: Client) -> None:
    ids: list[str] = []
    start = threading.Barrier(6)

    def submit() -> None:
        start.wait()
        ids.append(client.submit("demo", DEMO, ASKED).job.id)

    threads = [threading.Thread(target=submit) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 6
    assert len(set(ids)) == 1
    assert len(list(client.store.folders())) == 1


# --- wait and results


def test_waiting_returns_the_ended_job_whether_it_completed_or_failed(client: Client, home: Path) -> None:
    for name, end in (("good", complete), ("bad", fail)):
        client.create_job(name, DEMO)
        ending = later(0.1, end, home, name)
        assert client.wait(name, 10).state is (JobState.COMPLETED if end is complete else JobState.FAILED)
        ending.join()


def test_waiting_reports_the_first_view_and_each_change_once(client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    seen: list[str] = []

    def live() -> None:
        while len(seen) < 1:
            time.sleep(0.01)
        publish(home, "demo", state=JobState.WORKING)
        while len(seen) < 2:
            time.sleep(0.01)
        complete(home, "demo")

    living = later(0, live)
    client.wait("demo", 10, on_change=lambda view: seen.append(f"{view.state} {view.progress}"))
    living.join()
    assert seen[0] == "waiting 0/2 completed"
    assert seen[1] == "working 0/2 completed"
    assert seen[-1] == "completed 2/2 completed"
    assert len(seen) <= 4  # the two files of the end may be seen one after the other


def test_waiting_reports_every_so_often_although_nothing_changes(client: Client, clock: Clock) -> None:
    client.create_job("demo", DEMO)
    seen: list[JobView] = []
    with pytest.raises(WaitTimeout):
        client.wait("demo", 0.7, on_change=seen.append, every=0.1)
    assert 7 <= len(seen) <= 8


def test_waiting_without_every_reports_nothing_while_nothing_changes(client: Client) -> None:
    client.create_job("demo", DEMO)
    seen: list[JobView] = []
    with pytest.raises(WaitTimeout):
        client.wait("demo", 0.3, on_change=seen.append)
    assert len(seen) == 1


def test_a_timeout_says_how_far_the_job_came_and_what_to_check(
    client: Client, home: Path, clock: Clock
) -> None:
    client.create_job("demo", DEMO)
    begun = clock.now
    with pytest.raises(WaitTimeout) as timeout:
        client.wait("demo", 0.2)
    assert 0.2 <= clock.now - begun < 0.3
    assert "did not end within 0.2 s (waiting, 0/2 completed)" in str(timeout.value)
    assert f"No manager is running for {home}" in timeout.value.hint


def test_a_timeout_of_zero_looks_once(client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    with pytest.raises(WaitTimeout):
        client.wait("demo", 0)
    complete(home, "demo")
    assert client.wait("demo", 0).state is JobState.COMPLETED


def test_a_job_that_can_not_be_read_for_a_while_is_waited_for(client: Client, home: Path) -> None:
    folder = hand_written(home, "demo", '{"id": "1", "na')
    ending = later(
        0.1, (folder / "state.json").write_text, '{"id": "1", "name": "demo", "state": "completed"}'
    )
    assert client.wait("demo", 10).state is JobState.COMPLETED
    ending.join()


def test_a_job_that_stays_unreadable_times_out_and_says_so(client: Client, home: Path) -> None:
    hand_written(home, "demo", "nonsense")
    with pytest.raises(WaitTimeout, match="can't be read yet"):
        client.wait("demo", 0.2)


def test_a_job_whose_folder_vanishes_is_not_waited_for_any_longer(client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    going = later(0.1, (home / "jobs" / "demo").rename, home / "gone")
    with pytest.raises(JobNotFound):
        client.wait("demo", 10)
    going.join()


def test_results_are_there_when_the_job_has_ended_and_not_before(client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    with pytest.raises(BadInput, match="has not ended yet"):
        client.results("demo")
    complete(home, "demo")
    assert client.results("demo").progress == "2/2 completed"


# --- cancel, retry, reset, queue, logs


def test_cancelling_leaves_a_marker_and_touches_nothing_else(client: Client) -> None:
    made = client.create_job("demo", DEMO)
    client.cancel("demo")
    assert markers(client) == ["demo"]
    assert client.status("demo") == made


def test_an_ended_job_can_not_be_cancelled(client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    complete(home, "demo")
    with pytest.raises(JobEnded):
        client.cancel("demo")
    assert markers(client) == []


@pytest.mark.parametrize("ask", ["retry", "reset"])
def test_what_is_asked_of_a_failed_job_is_a_marker_and_a_file_that_wakes_the_manager(
    client: Client, home: Path, ask: str
) -> None:
    client.create_job("demo", DEMO)
    ended = fail(home, "demo")
    for _ in range(2):
        getattr(client, ask)("demo")
    assert (home / "jobs" / "demo" / ask).is_file()
    assert (home / "jobs" / ".wake-demo").read_bytes() == b""
    assert client.status("demo") == ended
    assert [folder.name for folder in client.store.folders()] == ["demo"]


@pytest.mark.parametrize("ask", ["retry", "reset"])
def test_only_a_job_that_has_ended_runs_again(client: Client, home: Path, ask: str) -> None:
    with pytest.raises(JobNotFound):
        getattr(client, ask)("demo")
    client.create_job("demo", DEMO)
    with pytest.raises(JobNotEnded, match=r"has not ended \(waiting\).*`air-executor cancel demo`"):
        getattr(client, ask)("demo")
    assert sorted(path.name for path in (home / "jobs").rglob("*")) == ["demo", "state.json", "tasks.json"]


def test_a_completed_job_has_nothing_to_retry_but_may_start_over(client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    complete(home, "demo")
    with pytest.raises(NothingToRetry, match=r"it completed.*`air-executor reset demo` starts it over"):
        client.retry("demo")
    client.reset("demo")
    assert client.store.existing("demo").reset_marker.exists()


def test_a_job_that_was_refused_for_its_files_is_looked_at_again_by_a_reset(
    client: Client, home: Path
) -> None:
    client.create_job("demo", DEMO)
    failure = Failure(cause="bad_input", message="tasks.json: tasks[0].network: is not allowed here")
    publish(home, "demo", state=JobState.FAILED, failure=failure)
    with pytest.raises(NothingToRetry, match=r"network: is not allowed here.*reset demo` has the manager"):
        client.retry("demo")
    client.reset("demo")
    assert client.store.existing("demo").reset_marker.exists()


def test_a_bad_input_that_only_a_task_has_met_may_have_been_put_right(client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    failure = Failure(cause="bad_input", message="work is not a folder")
    first, second = client.status("demo").tasks
    met = first.model_copy(update={"failure": failure, "attempts": (an_attempt(),)})
    publish(home, "demo", [met, second], state=JobState.FAILED, failure=failure)
    client.retry("demo")
    assert client.store.existing("demo").retry_marker.exists()


def test_nothing_depends_on_being_able_to_wake_the_manager(client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    fail(home, "demo")
    (home / "jobs" / ".wake-demo").symlink_to(home / "no" / "such")
    client.retry("demo")
    assert client.store.existing("demo").retry_marker.exists()


def test_an_ended_job_that_is_to_run_again_is_waited_for(client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    fail(home, "demo")
    client.retry("demo")
    with pytest.raises(WaitTimeout):
        client.wait("demo", 0.1)

    def run_again() -> None:
        publish(home, "demo", state=JobState.WORKING)
        client.store.existing("demo").retry_marker.unlink()  # the manager's order: first it can be seen
        complete(home, "demo")

    ending = later(0.1, run_again)
    assert client.wait("demo", 10).state is JobState.COMPLETED
    ending.join()


def test_a_refused_request_to_run_again_is_not_waited_for_any_longer(client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    fail(home, "demo")
    client.retry("demo")
    refusing = later(0.1, client.store.existing("demo").retry_marker.unlink)
    assert client.wait("demo", 10).state is JobState.FAILED
    refusing.join()


def test_a_queued_task_is_in_the_inbox_and_its_id_returned(client: Client) -> None:
    client.create_job("demo", DEMO)
    assert client.queue("demo", {"id": "more", "command": "echo", "dependencies": ["greet"]}) == "more"
    (file,) = client.store.existing("demo").inbox_new.iterdir()
    assert json.loads(file.read_text()) == {"id": "more", "command": "echo", "dependencies": ["greet"]}


def test_a_bad_task_is_not_queued(client: Client) -> None:
    client.create_job("demo", DEMO)
    with pytest.raises(BadInput, match=r"task\.id: 'a/b'"):
        client.queue("demo", {"id": "a/b", "command": "echo"})
    assert not client.store.existing("demo").inbox.exists()


def test_nothing_is_queued_in_a_job_that_is_not_there_or_has_ended(client: Client, home: Path) -> None:
    with pytest.raises(JobNotFound):
        client.queue("gone", DEMO[0])
    client.create_job("demo", DEMO)
    fail(home, "demo")
    with pytest.raises(JobEnded):
        client.queue("demo", {"id": "more", "command": "echo"})


def test_the_end_of_a_tasks_log(client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    assert client.log_tail("demo", "greet") == ""
    write_log(home, "demo", "greet", "1\n2\n3\n")
    assert client.log_tail("demo", "greet", 2) == "2\n3"


def test_a_log_is_never_looked_for_outside_the_job(client: Client) -> None:
    client.create_job("demo", DEMO)
    with pytest.raises(BadInput, match="not a valid name"):
        client.log_file("demo", "../../manager")


# --- the document that the command line reads


def test_a_document_gives_name_tasks_and_max_parallel() -> None:
    document = {"_why": "a comment", "job": {"name": "demo", "max_parallel": 1, "_": 0}, "tasks": DEMO}
    job, tasks = read_document(document)
    assert (job.name, [task.id for task in tasks], job.max_parallel) == ("demo", ["greet", "process"], 1)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], ""),
        ({"tasks": DEMO}, "job"),
        ({"job": "demo", "tasks": DEMO}, "job"),
        ({"job": {}, "tasks": DEMO}, "job.name"),
        ({"job": {"name": 5}, "tasks": DEMO}, "job.name"),
        ({"job": {"name": "demo"}}, "tasks"),
        ({"job": {"name": "demo"}, "tasks": {}}, "tasks"),
        ({"job": {"name": "demo"}, "tasks": DEMO, "extra": 1}, "extra"),
        ({"job": {"name": "demo", "state": "completed"}, "tasks": DEMO}, "job.state"),
    ],
)
def test_a_wrong_document_is_refused_with_the_field(document: Any, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_document(document)
    assert refused.value.field == field


def test_a_client_can_be_given_to_another_process(tmp_path: Path) -> None:
    client = Client(tmp_path)
    client.create_job("job", [{"id": "a", "command": "true"}])
    assert pickle.loads(pickle.dumps(client)).status("job").job.name == "job"


# --- What a job brings, and what the operator allows


def test_files_are_in_the_work_folder_before_anybody_sees_the_job(client: Client, tmp_path: Path) -> None:
    (tmp_path / "local").write_text("from a file")
    view = client.create_job("demo", DEMO, files={"data/a": tmp_path / "local", "b": "text"})
    work = client.store.existing("demo").work
    assert ((work / "data" / "a").read_text(), (work / "b").read_text()) == ("from a file", "text")
    assert view.job.inputs is not None
    assert client.status("demo").job.inputs == view.job.inputs
    assert (view.job.inputs.entries, view.job.inputs.bytes) == (2, 15)


def test_a_job_that_brings_nothing_is_written_as_before(client: Client) -> None:
    client.create_job("demo", DEMO, files={})
    folder = client.store.existing("demo").path
    assert sorted(each.name for each in folder.iterdir()) == ["state.json", "tasks.json"]
    assert "inputs" not in json.loads((folder / "state.json").read_text())


@pytest.mark.parametrize("bad", ["link", "gone"])
def test_where_a_file_is_refused_nothing_is_left_behind(client: Client, tmp_path: Path, bad: str) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises((BadInput, FileNotFoundError)):
        client.create_job("demo", DEMO, files={"a": b"1", "b": tmp_path / bad})
    assert not client.store.jobs.exists() or list(client.store.jobs.iterdir()) == []


def test_what_breaks_while_it_is_copied_leaves_nothing_behind(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("air_executor.inputs._write", broken)
    with pytest.raises(OSError, match="No space"):
        client.create_job("demo", DEMO, files={"x/a": b"1"})
    assert list(client.store.jobs.iterdir()) == []


def test_a_job_that_was_created_with_files_does_not_start_over(client: Client, home: Path) -> None:
    client.create_job("demo", DEMO, files={"a": b"1"})
    fail(home, "demo")
    with pytest.raises(BadInput, match=r"created with files in its work/.* create it anew"):
        client.reset("demo")
    assert not client.store.existing("demo").reset_marker.exists()
    client.retry("demo")


def test_the_same_files_are_the_same_request_and_others_another_one(client: Client, home: Path) -> None:
    first = client.submit("demo", DEMO, ASKED, files={"a": b"1"})
    assert client.submit("demo", DEMO, ASKED, files={"a": b"1"}).job.id == first.job.id
    complete(home, "demo")
    assert client.submit("demo", DEMO, ASKED, files={"a": b"2"}).name == "demo.2"


@pytest.fixture
def rules(client: Client, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a manager that is running."""
    policy = Policy(images=("debian:*",), max_timeout=60, job_disk_mb=1, max_tasks=2)
    monkeypatch.setattr("air_executor.daemon.read_policy", {home: policy}.get)


NOT_ALLOWED = [{"id": "a", "command": "true"}, {"id": "b", "command": "true", "image": "alpine:3"}]


@pytest.mark.usefixtures("rules")
def test_a_job_that_the_operator_does_not_allow_is_refused_where_it_is_made(client: Client) -> None:
    for make in (
        lambda: client.create_job("demo", NOT_ALLOWED),
        lambda: client.submit("demo", NOT_ALLOWED, ASKED),
        lambda: client.check_job("demo", NOT_ALLOWED),
    ):
        with pytest.raises(BadInput, match=r"^tasks\[1\]\.image: 'alpine:3' is not .*setting `images`"):
            make()
    with pytest.raises(BadInput, match="limit is max_tasks = 2"):
        client.create_job("demo", [*NOT_ALLOWED, {"id": "c", "command": "true"}])
    with pytest.raises(BadInput, match="setting `job_disk_mb`"):
        client.create_job("demo", DEMO, files={"a": b"x" * (1 << 21)})
    assert not client.store.jobs.exists()


@pytest.mark.usefixtures("rules")
def test_a_task_that_is_queued_is_checked_as_well(client: Client) -> None:
    client.create_job("demo", DEMO)
    with pytest.raises(BadInput, match=r"task\.timeout: 61 is more .*setting `max_timeout`"):
        client.queue("demo", {"id": "c", "command": "true", "timeout": 61})
    assert client.queue("demo", {"id": "c", "command": "true", "timeout": 60}) == "c"


def test_where_the_rules_are_not_to_be_seen_the_manager_decides(client: Client) -> None:
    assert client.policy() is None
    client.create_job("demo", NOT_ALLOWED)


def test_what_is_only_checked_is_not_created(client: Client) -> None:
    view = client.check_job("demo", DEMO, max_parallel=1, files={"a": b"1"})
    assert (view.name, len(view.tasks), view.job.max_parallel) == ("demo", 2, 1)
    assert not client.store.jobs.exists()
    client.create_job("demo", DEMO)
    with pytest.raises(JobExists):
        client.check_job("demo", DEMO)


# --- what a job says of itself


def test_what_a_job_says_of_itself_is_in_its_record(client: Client) -> None:
    said: Options = {"on_failure": "continue", "timeout": 60, "priority": -1, "labels": {"team": "data"}}
    job = client.create_job("demo", DEMO, **said).job
    assert (job.on_failure, job.timeout, job.priority, job.labels) == ("continue", 60, -1, {"team": "data"})
    assert client.status("demo").job == job


def test_what_it_can_not_say_is_refused_with_the_field(client: Client) -> None:
    with pytest.raises(BadInput, match=r"^job\.timeout: "):
        client.create_job("demo", DEMO, timeout=-1)
    with pytest.raises(BadInput, match=r"^job\.timeuot: is not a known field"):
        client.create_job("demo", DEMO, timeuot=1)  # type: ignore[misc]
    assert list(client.jobs()) == []


def test_who_asks_for_something_else_of_the_job_gets_another_one(client: Client) -> None:
    request = Request(dag_id="d", run_id="r", task_id="t")
    first = client.submit("demo", DEMO, request, on_failure="continue")
    assert client.submit("demo", DEMO, request, on_failure="continue").name == first.name == "demo"
    complete(client.store.home, "demo")
    assert client.submit("demo", DEMO, request).name == "demo.2"


def test_a_request_without_options_has_the_hash_that_it_always_had(client: Client) -> None:
    request = Request(dag_id="d", run_id="r", task_id="t")
    asked = client.submit("demo", [{"id": "a", "command": "true"}], request).job.request
    body = '[{"command": "true", "id": "a"}]'
    assert asked is not None and asked.digest == hashlib.sha256(body.encode()).hexdigest()


def test_a_clear_asks_a_job_once_to_stop_that_was_asked_already(client: Client) -> None:
    request = Request(dag_id="d", run_id="r", task_id="t")
    client.submit("demo", DEMO, request)
    client.cancel("demo")
    folder = client.store.folder("demo")
    asked = folder.marked_at("cancel")

    def ends(view: JobView) -> None:
        complete(client.store.home, "demo")

    with pytest.MonkeyPatch.context() as patch:
        wait = client.wait
        patch.setattr(client, "wait", lambda job, timeout: wait(job, timeout, on_change=ends))
        cleared = client.submit("demo", DEMO, request.model_copy(update={"generation": 1}))
    assert cleared.name == "demo.2"
    assert folder.marked_at("cancel") == asked is not None
