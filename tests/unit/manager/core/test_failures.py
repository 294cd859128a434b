"""Why an attempt failed."""

from dataclasses import replace
from typing import Any

import pytest

from air_executor.format.attempts import Cause
from air_executor.format.models import TaskStatus
from manager.core import failures
from manager.model.facts import DeadlinePassed
from manager.model.image_facts import ImageFacts
from manager.model.values import ExitResult
from tests.unit.manager.builders import after, at, claimed, created, exited, key, started, task

A = key("a")


@pytest.mark.parametrize(
    ("stopping", "outcome", "cause", "words"),
    [
        (None, {"exit_code": 3}, "exit", "ended with exit code 3"),
        (None, {"exit_code": 127}, "exit", "ended with exit code 127"),
        (None, {"exit_code": 126}, "exit", "ended with exit code 126"),
        (None, {"exit_code": 128}, "exit", "ended with exit code 128"),
        (None, {"exit_code": 255}, "exit", "ended with exit code 255"),
        (None, {"exit_code": 137}, "signal", "SIGKILL"),
        (None, {"exit_code": 139}, "signal", "SIGSEGV"),
        (None, {"exit_code": 153}, "signal", "a file larger than job_disk_mb allows"),
        (None, {"exit_code": 137, "oom_killed": True}, "oom", "resources.memory_mb"),
        (None, {"exit_code": 1, "oom_killed": True}, "oom", "more memory than its limit"),
        (
            None,
            {"exit_code": 127, "unusable_command": "there is no command 'x'"},
            "command",
            "task 'a' could not be started: there is no command 'x'",
        ),
        (None, {"exit_code": 137, "signalled": True}, "signal", "was ended by SIGKILL (exit code 137)"),
        (None, {"exit_code": 168, "signalled": True}, "signal", "was ended by signal 40 (exit code 168)"),
        (
            None,
            {"exit_code": 137, "signalled": False},
            "exit",
            "ended with exit code 137, as a shell reports a process that was killed by SIGKILL",
        ),
        (
            None,
            {"exit_code": 153, "signalled": False},
            "exit",
            "killed by SIGXFSZ: the kernel does so where it writes a file larger than job_disk_mb allows",
        ),
        (None, {"exit_code": 255, "signalled": False}, "exit", "ended with exit code 255"),
        (None, {"exit_code": 137, "signalled": True, "oom_killed": True}, "oom", "more memory"),
        (None, {"exit_code": 137, "signalled": False, "oom_killed": True}, "oom", "more memory"),
        (Cause.TIMEOUT, {"exit_code": 143, "signalled": True}, "timeout", "longer than its timeout"),
        (Cause.TIMEOUT, {"exit_code": 143}, "timeout", "longer than its timeout of 2.5 s"),
        (Cause.TIMEOUT, {"exit_code": 0}, "timeout", "longer than its timeout of 2.5 s"),
        (Cause.CANCELLED, {"exit_code": 137}, "cancelled", "was stopped: its job was cancelled"),
        (Cause.ENGINE, {"exit_code": 143}, "engine", "network"),
    ],
)
def test_causes_come_from_facts(stopping: Any, outcome: dict[str, Any], cause: str, words: str) -> None:
    full = {"oom_killed": False, "started_at": at(1), "finished_at": at(2)} | outcome
    failure = failures.failure_of(task("a", timeout=2.5), stopping, ExitResult(**full))
    assert failure is not None
    assert (failure.cause, failure.exit_code) == (cause, outcome["exit_code"])
    assert words in failure.message


def test_success_is_exit_code_zero_even_when_a_child_was_killed_for_its_memory() -> None:
    assert failures.failure_of(task("a"), None, ExitResult(0, True, at(1), at(2))) is None


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [
        ({"exit_code": 255}, "engine"),
        ({"exit_code": 137}, "engine"),
        ({"exit_code": 143}, "engine"),
        ({"exit_code": 3}, "exit"),
        ({"exit_code": 0}, None),
        ({"exit_code": 137, "oom_killed": True}, "oom"),
    ],
)
def test_an_end_that_came_with_the_engines_own_is_told_from_what_the_command_did(
    outcome: dict[str, Any], cause: str | None
) -> None:
    full = {"oom_killed": False, "started_at": at(3), "finished_at": at(4), "interrupted": True} | outcome
    failure = failures.failure_of(task("a"), None, ExitResult(**full))
    assert (failure and failure.cause) == cause


@pytest.mark.parametrize(("code", "status"), [(0, TaskStatus.COMPLETED), (3, TaskStatus.FAILED)])
def test_a_command_that_had_ended_in_time_is_not_a_timeout_because_that_was_seen_late(
    code: int, status: TaskStatus
) -> None:
    ended = after(
        claimed(A),
        created(A),
        started(A, 3),
        DeadlinePassed(key=A, at=at(100)),
        exited(A, code, 8, finished_at=at(8)),
    )
    assert ended.status is status
    assert ended.failure is None or ended.failure.cause is Cause.EXIT


def test_a_command_that_was_stopped_is_a_timeout_whatever_the_clocks_say() -> None:
    ended = after(claimed(A), created(A), started(A, 3), DeadlinePassed(key=A, at=at(63)), exited(A, 143, 4))
    assert ended.failure is not None and ended.failure.cause is Cause.TIMEOUT


@pytest.mark.parametrize(("code", "cause"), [(128 + 37, Cause.TIMEOUT), (128 + 2, Cause.SIGNAL)])
def test_a_command_that_was_stopped_by_the_signal_of_its_image_is_one_as_well(
    code: int, cause: Cause
) -> None:
    begun = replace(started(A, 3), of_image=ImageFacts(stop_signal="SIGRTMIN+3"))
    ended = after(claimed(A), created(A), begun, DeadlinePassed(key=A, at=at(63)), exited(A, code, 4))
    assert ended.failure is not None and ended.failure.cause is cause
