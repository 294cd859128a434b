"""What a task's dependencies have come to, one by one; all together: test_conditions_of_any_graph.py."""

from typing import Any

import pytest

from air_executor.format.conditions import RunIf
from manager.core import conditions
from manager.core.conditions import Standing, Tally, Verdict
from tests.unit.manager.builders import task


def over(status: str, outcome: str | None = None, **fields: Any) -> Standing:
    made = task("a", status=status, outcome=outcome, **fields)
    assert conditions.is_over(made)
    return conditions.standing(made)


@pytest.mark.parametrize(
    ("standing", "of"),
    [
        (Standing.WELL, over("completed")),
        (Standing.WELL, over("failed", "allowed_failure", allow_failure=True)),
        (Standing.FAILED, over("failed")),
        (Standing.FAILED, over("failed", "allowed_failure")),  # so says a record that somebody has written
        (Standing.FAILED, over("skipped")),
        (Standing.IDLE, over("skipped", "not_called_for", on_skip="continue")),
        (Standing.IDLE, over("skipped", "skipped_by_exit_code")),
        (Standing.WELL, over("skipped", "skipped_by_exit_code", on_skip="continue")),
    ],
)
def test_what_a_task_that_is_over_is_to_others(standing: Standing, of: Standing) -> None:
    assert of is standing


@pytest.mark.parametrize(
    ("missing", "failed", "idle", "success", "failure", "always"),
    [
        (0, 0, 0, "RUN", "IDLE", "RUN"),
        (1, 1, 1, "WAIT", "WAIT", "WAIT"),
        (0, 1, 0, "FALLEN", "RUN", "RUN"),
        (0, 0, 1, "IDLE", "IDLE", "RUN"),
        (0, 1, 1, "FALLEN", "RUN", "RUN"),
    ],
)
def test_what_becomes_of_a_task(
    missing: int, failed: int, idle: int, success: str, failure: str, always: str
) -> None:
    tally = Tally(missing, failed, idle)
    assert [tally.verdict(each) for each in RunIf] == [Verdict[word] for word in (success, failure, always)]


def test_cleanup_is_what_runs_after_something_whatever_became_of_that() -> None:
    cleanup = task("a", "b", run_if="always")
    assert conditions.is_cleanup(cleanup) and conditions.outlives_cancel(cleanup)
    assert conditions.is_cleanup(task("a", "b", run_if="failure"))
    assert not conditions.is_cleanup(task("a", run_if="always"))
    assert not conditions.is_cleanup(task("a", "b"))
    assert not conditions.outlives_cancel(cleanup.model_copy(update={"parent": "b"}))
