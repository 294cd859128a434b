import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from air_executor import Job, JobState, JobView, Request, Task, TaskSpec, TaskStatus, Timings
from air_executor.errors import BadInput
from air_executor.format.attempts import Phase
from air_executor.format.documents import validate
from air_executor.format.fields import format_time
from air_executor.format.text import job_text
from tests.unit.air_executor.builders import NOON, a_job, a_task, after, an_attempt

MOMENT = datetime(2025, 10, 2, 7, 30, 15, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2025-10-02T07:30:15.123456Z",
        "2025-10-02T07:30:15.123456+00:00",
        "2025-10-02T07:30:15.123456",  # no zone: UTC
        "2025-10-02T09:30:15.123456+02:00",
        "2025-10-02T00:00:15.123456-07:30",
        "2025-10-02 07:30:15.123456",
        "2025-10-02T07:30:15.123456789Z",  # nanoseconds, as the engine writes them
    ],
)
def test_times_are_read_in_every_usual_form_as_utc(text: str) -> None:
    assert a_job(created_at=text).created_at == MOMENT
    assert a_job(created_at=text).created_at.tzinfo is UTC


@pytest.fixture
def _tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_tokyo")
def test_a_time_without_zone_is_utc_wherever_it_is_read() -> None:
    assert a_job(created_at="2025-10-02T07:30:15.123456").created_at == MOMENT


def test_a_time_without_fraction_is_read() -> None:
    assert a_job(created_at="2025-10-02T12:00:00Z").created_at == NOON


@pytest.mark.parametrize(
    "value", ["yesterday", "", 5, 1759390215.0, None, ["2025-10-02"], "2025-13-02T00:00:00Z"]
)
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match="must be a time such as"):
        a_job(created_at=value)


def test_times_are_written_with_microseconds_and_z() -> None:
    assert format_time(NOON) == "2025-10-02T12:00:00.000000Z"
    tokyo = timezone(timedelta(hours=9))
    assert format_time(NOON.astimezone(tokyo)) == "2025-10-02T12:00:00.000000Z"
    assert json.loads(job_text(a_job()))["created_at"] == "2025-10-02T12:00:00.000000Z"


def test_a_job_of_an_older_writer_is_read() -> None:
    job = Job.model_validate(
        {
            "id": "8f0c",
            "name": "old",
            "state": "waiting",
            "created_at": "2025-10-02T07:30:15.123456",
            "updated_at": "2025-10-02T07:30:15.123456",
        }
    )
    assert job.state is JobState.WAITING
    assert job.schema_ == 1
    assert (job.uid, job.max_parallel, job.request, job.failure, job.requests) == (None, None, None, None, ())


def test_a_task_of_an_older_writer_is_read() -> None:
    task = Task.model_validate(
        {
            "id": "greet",
            "job_name": "old",
            "command": "echo",
            "args": ["hello"],
            "dependencies": [],
            "status": "completed",
            "created_at": "2025-10-02T07:30:15Z",
            "started_at": "2025-10-02T07:30:16Z",
            "completed_at": "2025-10-02T07:30:17Z",
            "error": None,
        }
    )
    assert task.status is TaskStatus.COMPLETED
    assert task.attempts == ()
    assert task.attempt is None


@pytest.mark.parametrize("value", [0, -1, True, "2", 1.0])
def test_max_parallel_is_a_whole_number_above_zero(value: Any) -> None:
    with pytest.raises(ValidationError, match="max_parallel"):
        a_job(max_parallel=value)


@pytest.mark.parametrize("state", ["done", "WAITING", "", None, "skipped"])
def test_a_job_has_one_of_four_states(state: Any) -> None:
    with pytest.raises(ValidationError, match="state"):
        a_job(state=state)


def test_what_is_over_is_told_from_what_is_not() -> None:
    assert [state for state in JobState if state.ended] == [JobState.COMPLETED, JobState.FAILED]
    assert [status for status in TaskStatus if not status.ended] == [TaskStatus.PENDING, TaskStatus.RUNNING]


def test_an_attempt_is_live_until_its_container_is_gone_and_undecided_until_recorded() -> None:
    attempts = {phase: an_attempt(phase=phase) for phase in Phase}
    assert [phase for phase in Phase if not attempts[phase].live] == [Phase.REMOVED]
    assert [phase for phase in Phase if not attempts[phase].undecided] == [Phase.RECORDED, Phase.REMOVED]


def test_durations_are_in_milliseconds() -> None:
    timings = an_attempt().timings
    assert timings.create_to_start_ms == 91
    assert timings.ran_ms == 3002


def test_durations_are_never_negative_and_unknown_without_both_ends() -> None:
    assert Timings(created_at=NOON, started_at=after(-5)).create_to_start_ms == 0
    assert Timings(ready_at=NOON, started_at=after(-5)).ready_to_began_ms == 0
    assert Timings(started_at=NOON).ready_to_began_ms is None
    assert Timings(started_at=NOON).ran_ms is None
    assert Timings(finished_at=NOON).ran_ms is None


def test_what_a_container_made_long_before_took_is_not_the_time_that_it_waited() -> None:
    timings = Timings(
        created_at=NOON, container_started_at=after(0.1), ready_at=after(270), started_at=after(270.005)
    )
    assert (timings.create_to_start_ms, timings.ready_to_began_ms) == (100, 5)
    assert timings.made_beforehand
    assert not timings.model_copy(update={"ready_at": after(0.05)}).made_beforehand
    assert not Timings(container_started_at=NOON).made_beforehand


@pytest.mark.parametrize(
    ("fields", "provably"),
    [
        ({"failure": {"cause": "image", "message": "m"}, "timings": {}}, True),
        ({"failure": {"cause": "lost", "message": "m"}, "timings": {}}, False),
        ({"failure": {"cause": "cancelled", "message": "m"}, "timings": {}, "stopping": "cancelled"}, False),
        ({"failure": {"cause": "exit", "message": "m"}}, False),
        ({"timings": {}}, False),
        ({"timings": {}, "phase": "claimed"}, False),
    ],
)
def test_a_command_never_began_where_that_is_known(fields: dict[str, Any], provably: bool) -> None:
    assert an_attempt(**fields).never_began is provably


def test_a_task_is_made_as_its_spec_asks() -> None:
    spec = TaskSpec(id="a", command="echo", args=("x",), timeout=5, resources={"pids": 3})
    task = Task.of(spec, "demo", NOON)
    assert (task.id, task.command, task.args, task.timeout, task.resources.pids) == (
        "a",
        "echo",
        ("x",),
        5,
        3,
    )
    assert (task.job_name, task.created_at, task.status) == ("demo", NOON, TaskStatus.PENDING)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"image": ""}, "image"),
        ({"image": "NOPE:bad ref"}, "image"),
        ({"workdir": ""}, "workdir"),
        ({"workdir": "rel"}, "workdir"),
        ({"network": "host"}, "network"),
        ({"command": "x" * 256}, "command"),
    ],
    ids=str,
)
def test_what_can_never_work_is_refused_when_it_is_asked_for_and_read_in_records(
    fields: dict[str, str], place: str
) -> None:
    asked = {"id": "a", "command": "true"} | fields
    with pytest.raises(ValidationError, match=place):
        TaskSpec.model_validate(asked)
    assert getattr(Task.model_validate(asked), place) == fields[place]


@pytest.mark.parametrize("place", ["command", "args", "env", "workdir"])
def test_half_of_a_surrogate_pair_is_told_as_that(place: str) -> None:
    value: Any = {"args": ["\ud800"], "env": {"A": "\udfff"}}.get(place, "/\udc80")
    with pytest.raises(BadInput, match="surrogate"):
        validate(TaskSpec, {"id": "a", "command": "true"} | {place: value})


def test_the_same_airflow_task_instance_is_known_again_whatever_it_asks_for() -> None:
    asked = Request(dag_id="d", run_id="r", task_id="t", generation=0, digest="x")
    assert asked.same_instance(Request(dag_id="d", run_id="r", task_id="t", generation=5, digest="y"))
    for other in ({"dag_id": "e"}, {"run_id": "s"}, {"task_id": "u"}, {"map_index": 0}):
        assert not asked.same_instance(asked.model_copy(update=other))


def test_progress_counts_completed_tasks_only() -> None:
    statuses = ["completed", "completed", "failed", "skipped", "running", "pending"]
    view = JobView(job=a_job(), tasks=[a_task(id=f"t{i}", status=s) for i, s in enumerate(statuses)])
    assert view.progress == "2/6 completed"


def test_the_failed_task_is_the_one_that_failed_first() -> None:
    late = a_task(id="late", status="failed", completed_at=after(9))
    early = a_task(id="early", status="failed", completed_at=after(2))
    skipped = a_task(id="skipped", status="skipped", completed_at=after(1))
    assert JobView(job=a_job(), tasks=[late, skipped, early]).failed_task == early
    assert JobView(job=a_job(), tasks=[skipped]).failed_task is None


def test_records_are_never_changed_in_place() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        a_task().status = TaskStatus.COMPLETED
