"""What follows from each fact for all tasks of a job together."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from air_executor.format.attempts import Cause
from air_executor.format.models import JobState, TaskSpec, TaskStatus
from manager.core import lifecycle
from manager.core.live_job import MAX_REFUSALS, PROSPECTS, LiveJob
from manager.model.facts import (
    CancelRequested,
    ContainerDropped,
    ContainerLost,
    DeadlinePassed,
    DiskExceeded,
    GracePassed,
    ImageLacking,
    ImageSupplied,
    JobBroken,
    JobEnded,
    JobFact,
    JobVanished,
    NetworkLost,
    RequestRefused,
    TaskRequested,
)
from tests.unit.manager.builders import (
    T0,
    UID,
    ahead,
    at,
    claimed,
    created,
    exited,
    key,
    live_job,
    needed,
    removed,
    run,
    started,
    succeeded,
    task,
    voided,
    waits,
)


def statuses(job: LiveJob) -> dict[str, str]:
    return {name: str(one.status) for name, one in job.tasks.items()}


def asks(request: str, task_id: str, *dependencies: str, **fields: object) -> TaskRequested:
    spec = TaskSpec.model_validate({"id": task_id, "command": "true", "dependencies": dependencies} | fields)
    return TaskRequested(uid=UID, request=request, spec=spec, at=at(6))


def test_a_task_that_another_queued_knows_which() -> None:
    job = live_job(task("a", image="one:1"), task("c"))
    job.apply(replace(asks("r", "b", image="two:1"), parent=key("a")))
    job.apply(asks("s", "d"))
    assert [each.parent for each in job.tasks.values()] == [None, None, "a", None]
    assert job.written_images == {"one:1"}


def test_it_knows_whom_its_tasks_ask_to_run_as() -> None:
    job = live_job(task("a"), task("b", user="1001"))
    job.apply(asks("r", "c", user="1002"))
    job.apply(asks("s", "d", "nobody", user="1003"))
    assert job.users == {None, "1001", "1002"}


def begun(job: LiveJob, task_id: str) -> None:
    for fact in (claimed(key(task_id)), created(key(task_id)), started(key(task_id))):
        job.apply(fact)


def test_a_taken_job_is_working_and_its_first_tasks_are_ready() -> None:
    job = live_job(task("b", "a"), task("a"), task("c"))
    assert job.job.state is JobState.WORKING
    assert list(job.ready) == ["a", "c"]
    assert not job.settled


def test_a_task_is_ready_when_the_last_of_its_dependencies_has_completed() -> None:
    job = live_job(task("a"), task("b"), task("c", "a", "b"))
    run(job, "a")
    assert list(job.ready) == ["b"]
    run(job, "b")
    assert list(job.ready) == ["c"]
    assert job.ready["c"] == at(4.5), "since its last dependency was recorded"


def test_a_dependency_that_is_named_twice_counts_once() -> None:
    job = live_job(task("a"), task("b", "a", "a"))
    run(job, "a")
    assert list(job.ready) == ["b"]


def test_a_dependant_may_start_before_the_container_before_it_is_removed() -> None:
    job = live_job(task("a"), task("b", "a"))
    begun(job, "a")
    job.apply(exited(key("a")))
    assert list(job.ready) == ["b"]
    assert not job.settled


def test_a_dependant_may_start_before_the_engine_tells_of_the_end_before_it() -> None:
    job = live_job(task("a"), task("b", "a"), max_parallel=1)
    begun(job, "a")
    assert job.busy == 1
    job.apply(succeeded(key("a")))
    assert job.ready == {"b": at(3.6)}
    assert job.busy == 0, "what has ended holds no runner"
    assert not job.settled
    job.apply(succeeded(key("a")))
    job.apply(exited(key("a")))
    assert job.ready == {"b": at(3.6)}, "once"
    assert statuses(job) == {"a": "completed", "b": "pending"}


def test_a_job_whose_command_has_just_succeeded_is_taken_up_again_with_its_dependants_ready() -> None:
    before = live_job(task("a"), task("b", "a"))
    begun(before, "a")
    before.apply(succeeded(key("a")))
    job = LiveJob(before.job, before.tasks.values(), before.owner, max_tasks=10)
    job.recall()
    assert job.ready == {"b": at(3.5)}
    assert job.unsure == {key("a")}, "its container has still to be looked for"
    job.apply(ContainerLost(key=key("a"), message="gone", at=at(9)))
    assert statuses(job) == {"a": "completed", "b": "pending"}


def test_a_cancel_lets_a_command_that_has_succeeded_be_recorded_so() -> None:
    job = live_job(task("a"), task("b", "a"))
    begun(job, "a")
    job.apply(succeeded(key("a")))
    job.apply(CancelRequested(uid=UID, at=at(3.7)))
    job.apply(exited(key("a")))
    assert statuses(job) == {"a": "completed", "b": "skipped"}


def test_the_first_failure_skips_what_has_not_begun_and_lets_finish_what_runs() -> None:
    job = live_job(task("a"), task("b"), task("c", "a"), task("d", "b"), task("e"))
    begun(job, "a")
    begun(job, "b")
    job.apply(exited(key("a"), 3))
    assert statuses(job) == {"a": "failed", "b": "running", "c": "skipped", "d": "skipped", "e": "skipped"}
    assert job.tasks["b"].attempts[0].stopping is None
    skipped = job.tasks["c"].failure
    assert skipped is not None
    assert skipped.cause is Cause.EXIT
    assert skipped.message == "never ran: task 'a' ended with exit code 3"
    job.apply(exited(key("b"), 0))
    assert statuses(job)["b"] == "completed"


def test_the_jobs_failure_is_the_first_one() -> None:
    job = live_job(task("a"), task("b"))
    begun(job, "a")
    begun(job, "b")
    job.apply(exited(key("b"), 4))
    job.apply(exited(key("a"), 5))
    assert job.job.failure is not None
    assert job.job.failure.exit_code == 4


def test_a_job_is_settled_when_its_last_container_is_gone_and_then_ends_once() -> None:
    job = live_job(task("a"))
    begun(job, "a")
    job.apply(exited(key("a")))
    job.apply(JobEnded(uid=UID, at=at(9)))
    assert job.job.state is JobState.WORKING, "its container is still there"
    job.apply(removed(key("a")))
    job.apply(JobEnded(uid=UID, at=at(9)))
    assert job.job.state is JobState.COMPLETED
    before = job.job
    job.apply(CancelRequested(uid=UID, at=at(10)))
    assert job.job is before


def test_a_cancel_stops_what_runs_and_skips_the_rest_and_the_job_works_on_until_all_is_gone() -> None:
    job = live_job(task("a"), task("b", "a"), task("c"))
    begun(job, "a")
    job.apply(CancelRequested(uid=UID, at=at(5)))
    assert statuses(job) == {"a": "running", "b": "skipped", "c": "skipped"}
    assert job.tasks["a"].attempts[0].stopping is Cause.CANCELLED
    assert job.job.state is JobState.WORKING
    job.apply(exited(key("a"), 143))
    job.apply(removed(key("a")))
    job.apply(JobEnded(uid=UID, at=at(9)))
    assert job.job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.cause is Cause.CANCELLED
    assert job.tasks["a"].failure is not None
    assert job.tasks["a"].failure.cause is Cause.CANCELLED


def exceeds(job: LiveJob) -> None:
    job.apply(DiskExceeded(uid=UID, setting="job_disk_mb", unit="MiB", limit=8, used=9, at=at(5)))


def test_a_job_with_too_much_on_the_disk_is_stopped_without_a_grace_and_says_by_which_setting() -> None:
    job = live_job(task("a", retries=5), task("b", "a"))
    begun(job, "a")
    exceeds(job)
    assert statuses(job) == {"a": "running", "b": "skipped"}
    assert job.overdue == {key("a")}
    job.apply(exited(key("a"), 137))
    failure = job.tasks["a"].failure
    assert failure is not None
    assert (statuses(job)["a"], failure.cause, failure.setting) == ("failed", "cancelled", "job_disk_mb")
    assert "more on the disk than job_disk_mb allows" in failure.message
    assert job.failure is not None
    assert "it has 9 MiB on the disk, the setting job_disk_mb allows 8" in job.failure.message
    job.apply(removed(key("a")))
    job.apply(JobEnded(uid=UID, at=at(9)))
    assert job.job.state is JobState.FAILED


def test_a_job_that_was_to_stop_within_a_grace_loses_it_with_too_much_on_the_disk() -> None:
    job = live_job(task("a"))
    begun(job, "a")
    job.apply(CancelRequested(uid=UID, at=at(4)))
    exceeds(job)
    assert job.overdue == {key("a")}
    assert job.failure is not None
    assert job.failure.setting is None, "the first failure stays"


def test_too_much_on_the_disk_changes_nothing_for_a_job_whose_tasks_are_over() -> None:
    job = live_job(task("a"))
    begun(job, "a")
    job.apply(exited(key("a")))
    exceeds(job)
    assert (job.failure, job.overdue) == (None, set())


def test_a_cancelled_task_is_not_tried_again() -> None:
    job = live_job(task("a", retries=5))
    begun(job, "a")
    job.apply(CancelRequested(uid=UID, at=at(5)))
    job.apply(exited(key("a"), 143))
    assert statuses(job) == {"a": "failed"}


def test_a_cancel_that_comes_after_the_last_task_was_recorded_changes_nothing() -> None:
    job = live_job(task("a"))
    begun(job, "a")
    job.apply(exited(key("a")))
    job.apply(CancelRequested(uid=UID, at=at(6)))
    job.apply(removed(key("a")))
    job.apply(JobEnded(uid=UID, at=at(7)))
    assert job.job.state is JobState.COMPLETED


@pytest.mark.parametrize(
    "fact",
    [
        CancelRequested(uid=UID, at=at(8)),
        JobVanished(uid=UID, at=at(8)),
        NetworkLost(uid=UID, at=at(8)),
        DeadlinePassed(key=key("a"), at=at(8)),
        RequestRefused(uid=UID, request="r", reason="is not JSON", at=at(8)),
        asks("r1", "z"),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_a_fact_that_comes_twice_writes_nothing_the_second_time(fact: JobFact) -> None:
    job = live_job(task("a", timeout=3), task("b", "a"))
    begun(job, "a")
    job.apply(fact)
    job.take_changes()
    before = job.job
    job.apply(replace(fact, at=at(99)))
    assert job.take_changes() is None
    assert job.job is before


def test_a_vanished_folder_cancels_the_job() -> None:
    job = live_job(task("a"))
    job.apply(JobVanished(uid=UID, at=at(5)))
    assert job.settled
    assert job.failure is not None
    assert "folder was deleted" in job.failure.message


def test_a_failed_attempt_is_tried_again_when_its_container_is_gone() -> None:
    job = live_job(task("a", retries=1), task("b", "a"))
    begun(job, "a")
    job.apply(exited(key("a"), 1))
    assert statuses(job) == {"a": "pending", "b": "pending"}
    assert not job.ready, "its container is still there"
    job.apply(removed(key("a")))
    assert list(job.ready) == ["a"]
    assert job.next_key("a").number == 2
    run(job, "a", 0, number=2)
    assert statuses(job) == {"a": "completed", "b": "pending"}
    assert list(job.ready) == ["b"]


def test_the_last_attempts_failure_fails_the_job() -> None:
    job = live_job(task("a", retries=1), task("b", "a"))
    run(job, "a", 1)
    run(job, "a", 2, number=2)
    assert statuses(job) == {"a": "failed", "b": "skipped"}
    assert [attempt.exit_code for attempt in job.tasks["a"].attempts] == [1, 2]


def test_nothing_is_tried_again_in_a_job_that_has_failed() -> None:
    job = live_job(task("a"), task("b", retries=3))
    begun(job, "a")
    begun(job, "b")
    job.apply(exited(key("a"), 1))
    job.apply(exited(key("b"), 1))
    assert statuses(job) == {"a": "failed", "b": "failed"}


def test_a_task_that_ran_and_failed_is_failed_even_when_it_waited_for_another_try() -> None:
    """`skipped` is for what never ran."""
    job = live_job(task("a"), task("b", retries=3))
    begun(job, "a")
    begun(job, "b")
    job.apply(exited(key("b"), 5))
    job.apply(exited(key("a"), 1))
    assert statuses(job) == {"a": "failed", "b": "failed"}
    assert job.tasks["b"].failure is not None
    assert job.tasks["b"].failure.exit_code == 5


def test_a_request_adds_a_task_that_runs() -> None:
    job = live_job(task("a"))
    begun(job, "a")
    job.apply(asks("r1", "b", "a"))
    job.apply(asks("r2", "c"))
    assert list(job.ready) == ["c"]
    assert [decision.accepted for decision in job.requests.values()] == [True, True]
    job.apply(exited(key("a")))
    job.apply(removed(key("a")))
    assert list(job.ready) == ["c", "b"]
    assert not job.settled
    assert job.tasks["b"].job_name == "job"


def test_a_request_may_depend_on_a_task_that_has_completed() -> None:
    job = live_job(task("a"), task("keep"))
    run(job, "a")
    job.apply(asks("r1", "b", "a"))
    assert "b" in job.ready


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (asks("r1", "b", "nobody"), "unknown dependency 'nobody' of task 'b'"),
        (asks("r1", "b", "b"), "dependency cycle: b -> b"),
        (asks("r1", "a", command="other"), "another task with this id exists"),
        (asks("r1", "a", args=["x"]), "another task with this id exists"),
        (RequestRefused(uid=UID, request="r1", reason="is not JSON", at=at(6)), "is not JSON"),
    ],
)
def test_a_request_that_breaks_a_rule_is_rejected_and_named(fact: JobFact, reason: str) -> None:
    job = live_job(task("a"))
    job.apply(fact)
    decision = job.view().job.requests[0]
    assert not decision.accepted
    assert decision.reason is not None
    assert reason in decision.reason
    assert decision.request == "r1"
    assert list(job.tasks) == ["a"]


def test_the_same_request_twice_is_one_request() -> None:
    job = live_job(task("a"))
    job.apply(asks("r1", "b"))
    job.apply(asks("r1", "b"))
    job.apply(asks("r1", "c"))
    assert list(job.tasks) == ["a", "b"]
    assert len(job.requests) == 1


def test_the_same_task_asked_for_twice_is_accepted_and_runs_once() -> None:
    job = live_job(task("a"))
    job.apply(asks("r1", "b"))
    job.apply(asks("r2", "b"))
    assert list(job.tasks) == ["a", "b"]
    assert [decision.accepted for decision in job.requests.values()] == [True, True]


def test_tasks_that_queue_tasks_for_ever_meet_a_limit_that_is_named() -> None:
    job = live_job(task("a"), max_tasks=3)
    for number in range(5):
        job.apply(asks(f"r{number}", f"t{number}"))
    assert len(job.tasks) == 3
    assert [decision.accepted for decision in job.requests.values()] == [True, True, False, False, False]
    assert job.requests["r4"].reason == "the job has 3 tasks, the limit is max_tasks = 3"


def test_a_flood_of_bad_requests_does_not_fill_the_record() -> None:
    job = live_job(task("a"), max_tasks=3)
    for number in range(MAX_REFUSALS + 100):
        job.apply(RequestRefused(uid=UID, request=f"r{number}", reason="is not JSON", at=at(6)))
    assert len(job.requests) == MAX_REFUSALS
    job.apply(asks("real", "b"))
    assert job.requests["real"].accepted


def test_a_task_asked_for_in_a_failed_job_is_skipped() -> None:
    job = live_job(task("a"), task("b"))
    begun(job, "b")
    run(job, "a", 1)
    job.apply(asks("r1", "c"))
    assert statuses(job)["c"] == "skipped"


def test_a_lost_network_stops_what_runs_in_it_and_nothing_else() -> None:
    job = live_job(task("a"), task("b", network="none"), task("c"))
    begun(job, "a")
    begun(job, "b")
    job.apply(NetworkLost(uid=UID, at=at(5)))
    assert job.tasks["a"].attempts[0].stopping is Cause.ENGINE
    assert job.tasks["b"].attempts[0].stopping is None
    assert list(job.ready) == ["c"]


def test_overdue_attempts_are_forgotten_with_their_container() -> None:
    job = live_job(task("a"))
    begun(job, "a")
    job.apply(CancelRequested(uid=UID, at=at(5)))
    job.apply(GracePassed(key=key("a"), at=at(6)))
    assert job.overdue == {key("a")}
    job.apply(exited(key("a"), 137))
    job.apply(removed(key("a")))
    assert not job.overdue


def test_what_has_ended_in_time_is_not_overdue_when_its_grace_has_passed() -> None:
    job = live_job(task("a"))
    run(job, "a")
    job.apply(GracePassed(key=key("a"), at=at(9)))
    assert not job.overdue


def test_the_time_of_the_last_change_never_goes_back() -> None:
    job = live_job(task("a"))
    job.apply(claimed(key("a"), 50))
    job.apply(created(key("a"), 10))
    assert job.job.updated_at == at(50)


def test_tasks_that_a_hand_written_job_says_are_completed_are_passed_over() -> None:
    job = live_job(task("a", status=TaskStatus.COMPLETED), task("b", "a"))
    assert list(job.ready) == ["b"]


def test_a_job_whose_tasks_are_all_completed_is_settled_at_once() -> None:
    assert live_job(task("a", status=TaskStatus.COMPLETED)).settled


def test_ten_thousand_tasks_cost_time_in_proportion() -> None:
    def seconds(count: int) -> float:
        job = live_job(task("root"), *(task(f"t{number}", "root") for number in range(count)))
        began = time.thread_time()
        run(job, "root")
        for number in range(200):
            run(job, f"t{number}")
        return time.thread_time() - began

    seconds(10)
    assert seconds(8000) < 20 * seconds(400) + 0.5


def test_reasons_are_cut_and_requests_that_bring_no_task_are_bounded() -> None:
    job = live_job(task("a"), max_tasks=5)
    job.apply(RequestRefused(uid=UID, request="long", reason="x" * 100_000, at=at(1)))
    assert len(job.requests["long"].reason or "") == 500
    for number in range(2000):
        job.apply(
            TaskRequested(uid=UID, request=f"r{number}", spec=TaskSpec(id="a", command="true"), at=at(1))
        )
    assert len(job.requests) == MAX_REFUSALS


def test_tasks_that_come_by_requests_may_be_only_so_large_together() -> None:
    job = live_job(task("a"), max_tasks=1000)
    for number in range(100):
        big = TaskSpec(id=f"t{number}", command="x", args=("y" * 125_000, "z" * 125_000))
        job.apply(TaskRequested(uid=UID, request=f"r{number}", spec=big, at=at(1)))
    accepted = [decision for decision in job.requests.values() if decision.accepted]
    assert len(accepted) == 67
    assert "larger than" in (job.requests["r99"].reason or "")


def foreseen(job: LiveJob, task_id: str) -> None:
    """Its container waits at its gate."""
    for fact in (ahead(key(task_id)), created(key(task_id)), waits(key(task_id))):
        job.apply(fact)


def test_tasks_are_prospects_when_all_that_is_missing_is_under_way() -> None:
    job = live_job(task("a"), task("x"), task("b", "a"), task("c", "a", "x"), task("d", "b"), task("e"))
    assert list(job.prospects()) == [], "nothing runs"
    job.apply(claimed(key("a")))
    assert list(job.prospects()) == [], "what was claimed has not begun"
    job.apply(created(key("a")))
    assert list(job.prospects()) == []
    job.apply(started(key("a")))
    assert list(job.prospects()) == ["b"], "c waits for x as well, and e for nothing but a runner"
    begun(job, "x")
    assert sorted(set(job.prospects())) == ["b", "c"]
    run_out(job, "x")
    assert sorted(set(job.prospects())) == ["b", "c"], "what is done is not missing"


def run_out(job: LiveJob, task_id: str, code: int = 0) -> None:
    job.apply(exited(key(task_id), code))
    job.apply(removed(key(task_id)))


def test_a_task_behind_one_that_has_a_container_ahead_is_a_prospect() -> None:
    job = live_job(task("a"), task("b", "a"), task("c", "b"), task("d", "c"))
    begun(job, "a")
    job.apply(ahead(key("b")))
    assert list(job.prospects()) == ["c"]
    job.apply(ahead(key("c")))
    assert list(job.prospects()) == ["d"]
    job.apply(ahead(key("d")))
    assert list(job.prospects()) == []


def test_a_task_behind_one_whose_container_was_void_is_no_prospect() -> None:
    """It will wait for that one's container to be made."""
    job = live_job(task("a"), task("b", "a"), task("c", "b"))
    begun(job, "a")
    foreseen(job, "b")
    job.apply(voided(key("b")))
    assert list(job.prospects()) == []


def test_what_will_be_tried_again_is_not_under_way() -> None:
    job = live_job(task("a", retries=1), task("b", "a"))
    begun(job, "a")
    run_out(job, "a", 1)
    assert list(job.prospects()) == []


def test_nothing_is_a_prospect_in_a_job_that_has_failed() -> None:
    job = live_job(task("a"), task("b"), task("c", "b"))
    begun(job, "a")
    begun(job, "b")
    assert list(job.prospects()) == ["c"]
    run_out(job, "a", 1)
    assert list(job.prospects()) == []


def test_a_task_that_comes_by_a_request_may_be_a_prospect() -> None:
    job = live_job(task("a"))
    begun(job, "a")
    job.apply(asks("r1", "b", "a"))
    assert list(job.prospects()) == ["b"]


def test_of_very_many_dependants_a_few_are_looked_at() -> None:
    job = live_job(task("a"), *(task(f"t{number}", "a") for number in range(1000)))
    begun(job, "a")
    assert list(job.prospects()) == [f"t{number}" for number in range(PROSPECTS)]


def counts(job: LiveJob) -> tuple[int, int]:
    return job.busy, job.ahead


def test_who_waits_ahead_of_time_holds_no_runner() -> None:
    job = live_job(task("a"), task("b", "a"))
    begun(job, "a")
    assert counts(job) == (1, 0)
    for fact in (ahead(key("b")), created(key("b")), waits(key("b"))):
        job.apply(fact)
        assert counts(job) == (1, 1)
    job.apply(exited(key("a")))
    assert counts(job) == (0, 1)
    job.apply(needed(key("b")))
    assert counts(job) == (1, 0)
    job.apply(started(key("b")))
    assert counts(job) == (1, 0)
    job.apply(exited(key("b")))
    assert counts(job) == (0, 0)


def test_a_void_container_counts_neither_as_busy_nor_as_ahead_until_it_is_needed() -> None:
    job = live_job(task("a"), task("b", "a"))
    begun(job, "a")
    foreseen(job, "b")
    job.apply(voided(key("b")))
    assert counts(job) == (1, 0)
    run_out(job, "a")
    assert (counts(job), list(job.ready)) == ((0, 0), ["b"])
    job.apply(needed(key("b", incarnation=2)))
    assert (counts(job), list(job.ready)) == ((1, 0), [])


def test_a_task_with_a_container_ahead_is_ready_when_its_last_dependency_was_recorded() -> None:
    job = live_job(task("a"), task("x"), task("b", "a", "x"))
    begun(job, "a")
    begun(job, "x")
    foreseen(job, "b")
    assert "b" not in job.ready
    run_out(job, "x")
    assert "b" not in job.ready
    job.apply(exited(key("a"), seconds=7))
    assert job.ready["b"] == at(7.5)
    job.apply(needed(key("b"), 8))
    assert job.tasks["b"].attempts[0].timings.ready_at == at(7.5)
    assert "b" not in job.ready


Happens = Callable[[LiveJob], None]


@pytest.mark.parametrize(
    "happens",
    [
        lambda job: run_out(job, "a"),
        lambda job: run_out(job, "a", 1),
        lambda job: job.apply(CancelRequested(uid=UID, at=at(5))),
        lambda job: foreseen(job, "b"),
    ],
    ids=["its turn has come", "a dependency failed", "cancelled", "claimed before"],
)
def test_a_claim_ahead_that_comes_too_late_changes_nothing(happens: Happens) -> None:
    job = live_job(task("a"), task("b", "a"))
    begun(job, "a")
    happens(job)
    before, record = dict(job.tasks), job.job
    job.apply(ahead(key("b")))
    assert (job.tasks, job.job) == (before, record)


def test_a_turn_that_has_not_come_changes_nothing() -> None:
    job = live_job(task("a"), task("b", "a"))
    begun(job, "a")
    foreseen(job, "b")
    before = dict(job.tasks)
    job.apply(needed(key("b")))
    assert job.tasks == before


def test_a_turn_that_is_given_twice_changes_nothing_the_second_time() -> None:
    job = live_job(task("a"), task("b", "a"))
    begun(job, "a")
    foreseen(job, "b")
    run_out(job, "a")
    job.apply(needed(key("b"), 8))
    before, record = dict(job.tasks), job.job
    job.apply(needed(key("b"), 9))
    assert (job.tasks, job.job) == (before, record)


def test_a_failure_stops_what_waits_ahead_of_time_and_not_what_has_its_turn() -> None:
    job = live_job(task("a"), task("x"), task("b", "a"), task("c", "x"))
    begun(job, "a")
    begun(job, "x")
    foreseen(job, "b")
    foreseen(job, "c")
    run_out(job, "x")
    job.apply(needed(key("c")))
    job.apply(exited(key("a"), 3))
    assert job.tasks["b"].attempts[0].stopping is Cause.EXIT
    assert job.tasks["c"].attempts[0].stopping is None, "it had a runner: as good as running"
    assert statuses(job) == {"a": "failed", "x": "completed", "b": "pending", "c": "pending"}
    job.apply(removed(key("a")))
    assert not job.settled
    job.apply(ContainerDropped(key=key("b"), at=at(9)))
    job.apply(removed(key("b")))
    for fact in (started(key("c"), 9), exited(key("c"), 0, 10), removed(key("c"), 11)):
        job.apply(fact)
    assert statuses(job) == {"a": "failed", "x": "completed", "b": "skipped", "c": "completed"}
    assert job.settled


def test_a_turn_does_not_come_to_what_was_told_to_stop() -> None:
    job = live_job(task("a"), task("x"), task("b", "a"))
    begun(job, "a")
    begun(job, "x")
    foreseen(job, "b")
    job.apply(exited(key("x"), 3))
    run_out(job, "a")
    assert list(job.ready) == []
    before = dict(job.tasks)
    job.apply(needed(key("b")))
    assert job.tasks == before


def test_a_cancel_stops_what_waits_as_well_as_what_runs() -> None:
    job = live_job(task("a"), task("b", "a"), task("c", "b"))
    begun(job, "a")
    foreseen(job, "b")
    job.apply(CancelRequested(uid=UID, at=at(5)))
    assert [job.tasks[name].attempts[0].stopping for name in "ab"] == [Cause.CANCELLED] * 2
    assert statuses(job) == {"a": "running", "b": "pending", "c": "skipped"}


def test_a_lost_network_makes_stale_what_waits_in_it_and_nothing_else() -> None:
    job = live_job(
        task("a", network="none"), task("b", "a"), task("c", "a", network="private"), task("d", "a")
    )
    begun(job, "a")
    foreseen(job, "b")
    foreseen(job, "c")
    job.apply(ahead(key("d")))
    job.apply(created(key("d")))
    assert [one.id for one in job.networked()] == ["b"]
    job.apply(NetworkLost(uid=UID, at=at(5)))
    assert {name: job.tasks[name].attempts[0].stale for name in "abcd"} == {
        "a": False,
        "b": True,
        "c": False,
        "d": False,
    }
    assert not any(job.tasks[name].attempts[0].stopping for name in "abcd")


def test_a_container_ahead_that_is_lost_is_tried_again_only_when_its_turn_has_come() -> None:
    """Opened by a manager that could not write it down; nothing of that is known of what was not needed."""
    job = live_job(task("a"), task("b", "a", retries=1))
    begun(job, "a")
    foreseen(job, "b")
    job.apply(ContainerLost(key=key("b"), message="gone", at=at(5)))
    job.apply(removed(key("b")))
    assert (statuses(job)["b"], list(job.ready)) == ("pending", [])
    run_out(job, "a")
    assert list(job.ready) == ["b"]
    assert job.next_key("b").number == 2


def test_a_job_with_a_container_ahead_is_taken_up_again_as_it_was() -> None:
    job = live_job(task("a"), task("b", "a"), task("c", "b"))
    begun(job, "a")
    foreseen(job, "b")
    again = LiveJob(job.job, job.tasks.values(), job.owner, max_tasks=job.max_tasks)
    again.recall()
    assert again.unsure == {key("a"), key("b")}
    assert (counts(again), list(again.ready), list(again.prospects())) == ((1, 1), [], ["c"])
    run_out(job, "a")
    ready = LiveJob(job.job, job.tasks.values(), job.owner, max_tasks=job.max_tasks)
    assert ready.ready == job.ready == {"b": at(4.5)}


ENDS: dict[str, list[JobFact]] = {
    "never ran: task 'a' ended with exit code 3": [exited(key("a"), 3)],
    "never ran: task 'a' was ended by SIGKILL (exit code 137)": [exited(key("a"), 137, signalled=True)],
    "never ran: task 'a' was killed: it used more memory than its limit; raise resources.memory_mb": [
        exited(key("a"), 137, oom_killed=True)
    ],
    "never ran: task 'a' could not be started: there is no command 'x' in the image": [
        exited(key("a"), 127, unusable_command="there is no command 'x' in the image")
    ],
    "never ran: task 'a' was stopped: it ran longer than its timeout of 60 s": [
        DeadlinePassed(key=key("a"), at=at(64)),
        exited(key("a"), 143, 65),
    ],
    "never ran: job 'job' was cancelled: somebody asked for it": [
        CancelRequested(uid=UID, at=at(5)),
        exited(key("a"), 143),
    ],
    "never ran: job 'job' was cancelled: its folder was deleted": [
        JobVanished(uid=UID, at=at(5)),
        exited(key("a"), 143),
    ],
    "never ran: job 'job' was stopped: it has 9 MiB on the disk, the setting job_disk_mb allows 8; delete "
    "some of its files, or raise the setting, before it is retried": [
        DiskExceeded(uid=UID, setting="job_disk_mb", unit="MiB", limit=8, used=9, at=at(5)),
        exited(key("a"), 137),
    ],
    "never ran: job 'job' was stopped: the manager met an error of its own": [
        JobBroken(uid=UID, message="the manager met an error of its own", at=at(5)),
        exited(key("a"), 143),
    ],
}
"""What ends a job whose first task runs, by what its second is said to be skipped for."""
MADE: dict[str, list[JobFact]] = {
    "claimed": [ahead(key("b"))],
    "created": [ahead(key("b")), created(key("b"))],
    "waiting": [ahead(key("b")), created(key("b")), waits(key("b"))],
    "void": [ahead(key("b")), created(key("b")), waits(key("b")), voided(key("b"))],
}
"""How far a container of the second task has come by then."""


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("why", ENDS)
def test_a_task_that_never_ran_has_the_same_record_and_says_why_whatever_was_made_for_it(
    why: str, made: str
) -> None:
    first, second = task("a", command="x"), task("b", "a")
    without, with_one = live_job(first, second), live_job(first, second)
    for job, facts in ((without, []), (with_one, MADE[made])):
        begun(job, "a")
        for fact in (*facts, *ENDS[why]):
            job.apply(fact)
    attempt = with_one.tasks["b"].attempt
    assert attempt is not None
    at_last = with_one.attempt_key(with_one.tasks["b"])
    with_one.apply(ContainerDropped(key=at_last, at=at(66)))
    with_one.apply(removed(at_last, 67))
    for job in (without, with_one):
        job.apply(removed(key("a"), 67))
        assert job.settled and not job.overdue and not job.unsure
    skipped = without.tasks["b"]
    assert (skipped.status, skipped.attempts, skipped.started_at) == ("skipped", (), None)
    assert skipped.failure is not None and skipped.error == skipped.failure.message == why
    assert with_one.tasks["b"].model_copy(update={"completed_at": skipped.completed_at}) == skipped


def test_a_task_that_is_tried_again_with_its_job_is_ready_since_then() -> None:
    """And not since its last attempt, maybe days ago."""
    ended = live_job(task("a"))
    run(ended, "a", 1)
    ended.apply(JobEnded(uid=UID, at=at(9)))
    again = LiveJob(
        ended.job.model_copy(update={"state": JobState.WORKING, "failure": None}),
        map(lifecycle.start_over, ended.tasks.values()),
        ended.owner,
        max_tasks=10,
        since=at(7200),
    )
    assert again.ready == {"a": at(7200)}


def test_an_error_of_the_managers_own_fails_the_job_by_its_cause_and_stops_what_runs() -> None:
    job = live_job(task("a"), task("b", "a"))
    for fact in (claimed(key("a")), created(key("a")), started(key("a"))):
        job.apply(fact)
    job.apply(JobBroken(uid=UID, message="the manager met an error of its own", at=at(5)))
    assert job.failure is not None
    assert job.failure.cause is Cause.ENGINE
    assert job.failure.message == "job 'job' was stopped: the manager met an error of its own"
    assert job.tasks["a"].attempts[-1].stopping is Cause.CANCELLED
    assert job.tasks["b"].status is TaskStatus.SKIPPED


def test_a_task_that_waits_for_its_image_is_offered_again_since_its_turn_when_that_is_there() -> None:
    job = live_job(task("a"), task("b"))
    job.apply(ImageLacking(uid=UID, task="a", image="image", at=at(1)))
    assert (list(job.ready), job.settled) == (["b"], False)
    job.apply(ImageLacking(uid=UID, task="a", image="image", at=at(2)))
    job.apply(ImageSupplied(uid=UID, image="another", at=at(3)))
    assert list(job.ready) == ["b"]
    job.apply(ImageSupplied(uid=UID, image="image", at=at(4)))
    assert job.ready == {"b": T0, "a": T0}
    assert job.take_changes() is not None  # of the taking
    assert job.take_changes() is None, "that it waited is nothing to be recorded"
