"""What runs again when a job is tried again."""

from air_executor.format.attempts import Cause, Failure
from air_executor.format.models import Task
from manager.core.rerun import rerun
from tests.unit.manager.builders import task

FAILURE = Failure(cause=Cause.EXIT, message="it failed", exit_code=1)


def ended(
    task_id: str, *dependencies: str, status: str, outcome: str | None = None, **fields: object
) -> Task:
    failure = FAILURE if status != "completed" else None
    return task(task_id, *dependencies, status=status, outcome=outcome, failure=failure, **fields)


def again(*tasks: Task) -> list[str]:
    after = rerun(tasks)
    assert [each.id for each in after] == [each.id for each in tasks]
    pending = [each for each in after if each.status == "pending"]
    assert all((each.failure, each.error, each.outcome) == (None, None, None) for each in pending)
    return [each.id for each in pending]


def test_what_failed_and_what_never_ran_because_of_that() -> None:
    tasks = (
        ended("a", status="completed"),
        ended("b", "a", status="failed"),
        ended("c", "b", status="skipped"),
    )
    assert again(*tasks) == ["b", "c"]


def test_cleanup_runs_again_with_what_it_cleans_up_after_and_else_stays() -> None:
    tasks = (
        ended("a", status="failed"),
        ended("clean", "a", status="completed", run_if="always"),
        ended("last", "clean", status="completed", run_if="always"),
        ended("b", status="completed"),
        ended("other", "b", status="completed", run_if="always"),
        ended("unused", "b", status="skipped", outcome="not_called_for", run_if="failure"),
    )
    assert again(*tasks) == ["a", "clean", "last"]


def test_what_may_fail_or_has_skipped_itself_stays_as_what_has_completed() -> None:
    tasks = (
        ended("a", status="failed", outcome="allowed_failure", allow_failure=True),
        ended("b", status="skipped", outcome="skipped_by_exit_code", skip_exit_codes=(1,)),
        ended("c", "b", status="skipped", outcome="not_called_for"),
        ended("d", status="failed"),
    )
    assert again(*tasks) == ["d"]


def test_a_failure_of_which_somebody_has_written_that_it_was_allowed_is_one() -> None:
    assert again(ended("a", status="failed", outcome="allowed_failure")) == ["a"]


def test_a_long_chain_is_no_problem() -> None:
    chain = [ended("t0", status="failed")]
    chain += [ended(f"t{n}", f"t{n - 1}", status="completed", run_if="always") for n in range(1, 10_000)]
    assert len(again(*chain)) == 10_000
