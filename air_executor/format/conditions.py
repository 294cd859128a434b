"""When a task runs, what its failure comes to, and what is said of it beyond its status."""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, FailFast, Field

from air_executor.format.limits import at_most

LARGEST_EXIT_CODE = 255


class RunIf(StrEnum):
    """What must have become of a task's dependencies, when all of them are over, so that it runs."""

    SUCCESS = "success"  # all of them have succeeded
    FAILURE = "failure"  # at least one has failed, or never ran because of a failure or a cancel
    ALWAYS = "always"  # whatever became of them


class OnSkip(StrEnum):
    """What follows for its dependants when a task is skipped by its exit code."""

    SKIP = "skip"  # as if it had never run: those that run after a success are skipped as well
    CONTINUE = "continue"  # as after a success


class OnFailure(StrEnum):
    """What follows for the rest of a job when one of its tasks fails."""

    STOP = "stop"  # nothing begins any more but cleanup
    CONTINUE = "continue"  # what does not depend on it goes on


class Outcome(StrEnum):
    """What came of a task, where its status does not say it."""

    ALLOWED_FAILURE = "allowed_failure"  # failed, and its job goes on as after a success
    SKIPPED_BY_EXIT_CODE = "skipped_by_exit_code"  # it ran, and ended with one of its `skip_exit_codes`
    NOT_CALLED_FOR = "not_called_for"  # it never ran, and nothing has failed because of which


class JobOutcome(StrEnum):
    """What came of a job, where its state and its failure do not say it."""

    COMPLETED_WITH_FAILURES = "completed_with_failures"  # of tasks with `allow_failure`
    TIMED_OUT = "timed_out"  # stopped by its own `timeout`
    CANCELLED = "cancelled"  # stopped by somebody, after its first failure


ExitCodes = Annotated[
    tuple[Annotated[int, Field(ge=1, le=LARGEST_EXIT_CODE, strict=True)], ...],
    FailFast(),
    BeforeValidator(at_most(LARGEST_EXIT_CODE, "exit codes")),
]
"""Other than 0."""
