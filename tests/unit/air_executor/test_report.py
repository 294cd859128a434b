from collections.abc import Callable
from typing import Any

import pytest

from air_executor import Failure, JobView
from air_executor.format.attempts import Cause
from air_executor.report import (
    command_line,
    container_line,
    failure_summary,
    job_lines,
    one_line,
    results_block,
)
from tests.unit.air_executor.builders import NOON, a_job, a_task, after, an_attempt

FAILED = Failure(cause=Cause.EXIT, message="the command ended with exit code 3", exit_code=3)


def view(*tasks: Any, **job: Any) -> JobView:
    return JobView(job=a_job(**job), tasks=tasks)


def test_the_block_of_a_completed_job_has_exactly_this_shape() -> None:
    greet = a_task(
        args=["Hello", "world"],
        status="completed",
        started_at=after(0.091),
        completed_at=after(3.093),
        attempts=[an_attempt(exit_code=0).model_dump()],
    )
    assert results_block(view(greet, state="completed")) == "\n".join(
        [
            "==============================================================",
            "🎉 Air-Executor Job Results",
            "==============================================================",
            "Job Name: demo",
            "Final State: completed",
            "Created: 2025-10-02T12:00:00.000000Z",
            "Updated: 2025-10-02T12:00:05.000000Z",
            "",
            "Task Execution Details:",
            "--------------------------------------------------------------",
            "✅ greet: completed",
            "   Command: echo Hello world",
            "   Started: 2025-10-02T12:00:00.091000Z",
            "   Completed: 2025-10-02T12:00:03.093000Z",
            "   Container: demo-greet-1f (0123456789ab), image runner:1, "
            "created → started 91 ms, ran 3002 ms, exit code 0",
        ]
    )


def test_a_failed_task_shows_its_cause_exit_code_and_message() -> None:
    lines = results_block(view(a_task(status="failed", failure=FAILED), state="failed")).splitlines()
    assert lines[-4:] == [
        "❌ greet: failed",
        "   Command: echo",
        "   Cause: exit, exit code 3",
        "   the command ended with exit code 3",
    ]


def test_a_skipped_task_shows_why_and_no_times() -> None:
    failure = Failure(cause=Cause.CANCELLED, message="the job was cancelled")
    task = a_task(status="skipped", completed_at=NOON, failure=failure)
    assert results_block(view(task)).splitlines()[-4:] == [
        "⏭ greet: skipped",
        "   Command: echo",
        "   Cause: cancelled",
        "   the job was cancelled",
    ]


def test_what_is_not_known_is_left_out() -> None:
    attempt = an_attempt(container={"name": "c", "image": "i"}, timings={})
    lines = results_block(view(a_task(attempts=[attempt.model_dump()]))).splitlines()
    assert lines[-3:] == ["⏳ greet: pending", "   Command: echo", "   Container: c, image i"]


def made(start: str, ready: float, container: float = 0.091, began: float = 60.005) -> str:
    """The line of a container that was made at noon and took 91 ms, and whose task waited 5 ms."""
    timings = {
        "ready_at": after(ready),
        "created_at": NOON,
        "container_started_at": after(container),
        "started_at": after(began),
        "finished_at": after(began + 3),
    }
    return container_line(an_attempt(start=start, timings=timings, exit_code=0))


@pytest.mark.parametrize("start", ["warm", "ahead"])
def test_a_container_made_ahead_shows_how_long_its_task_waited_for_the_command_to_begin(start: str) -> None:
    assert made(start, ready=60.0) == (
        "demo-greet-1f (0123456789ab), image runner:1, created → started 91 ms beforehand, "
        f"ready → began 5 ms ({start}), ran 3000 ms, exit code 0"
    )


def test_a_container_whose_tasks_turn_came_while_it_was_made_was_not_there_beforehand() -> None:
    assert "created → started 91 ms, ready → began 55 ms (ahead)" in made("ahead", ready=0.05, began=0.105)


def test_a_cold_container_shows_both_what_it_took_and_how_long_its_task_waited() -> None:
    assert "created → started 91 ms, ready → began 101 ms (cold), ran" in made("cold", -0.01, began=0.091)


@pytest.mark.parametrize(
    ("start", "shown"), [("warm", ", created → started 91 ms (warm), ran"), ("cold", "91 ms, ran")]
)
def test_when_the_task_was_ready_is_not_made_up_where_a_record_does_not_say(start: str, shown: str) -> None:
    assert shown in container_line(an_attempt(start=start))


@pytest.mark.parametrize(
    ("phase", "ready_at", "shown"),
    [
        ("claimed", None, ", is being made (ahead)"),
        ("waiting", None, ", waits for its task's turn (ahead)"),
        ("waiting", NOON, ", is about to begin (ahead)"),
    ],
)
def test_what_has_not_begun_shows_what_it_waits_for(phase: str, ready_at: Any, shown: str) -> None:
    assert container_line(an_attempt(phase=phase, start="ahead", timings={"ready_at": ready_at})).endswith(
        shown
    )


NOT_HAD = an_attempt(
    container={"name": "c", "image": "nope:1"},
    timings={"ready_at": NOON, "recorded_at": NOON},
    failure={"cause": "image", "message": "task 'greet' could not be started: there is no image nope:1"},
)


def test_a_command_that_never_began_is_not_said_to_have_an_empty_log() -> None:
    task = a_task(status="failed", failure=NOT_HAD.failure, attempts=[NOT_HAD.model_dump()])
    assert "   Container: c, image nope:1, its command never began" in results_block(view(task))
    assert failure_summary(view(task), "").endswith("\nIt has no log: its command never began.")


@pytest.mark.parametrize("dropped", [True, False], ids=["now", "by an older manager"])
def test_a_skipped_task_shows_no_container_that_was_made_for_nothing(dropped: bool) -> None:
    failure = Failure(cause=Cause.EXIT, message="never ran: task 'a' ended with exit code 3")
    attempt = an_attempt(
        start="ahead", phase="recorded", dropped=dropped, failure=failure, timings={"created_at": NOON}
    )
    with_one, without = (
        results_block(view(a_task(status="skipped", failure=failure, attempts=attempts)))
        for attempts in ([attempt.model_dump()], [])
    )
    assert with_one == without


def test_the_gpus_that_an_attempt_has_are_named() -> None:
    grant = {"image": "i", "user": "1:1", "network": {"kind": "none"}, "gpus": ["0", "GPU-1"]}
    limits = {"memory_mb": 1, "cpus": 1, "pids": 1, "tmp_mb": 1, "log_mb": 1, "timeout": 1}
    assert ", GPU 0, GPU-1" in container_line(an_attempt(grant=grant | limits))
    assert "GPU" not in container_line(an_attempt(grant=grant | limits | {"gpus": []}))


def test_the_last_of_several_attempts_is_shown_and_how_many_there_were() -> None:
    attempts = [an_attempt(number=number, exit_code=number).model_dump() for number in (1, 2)]
    block = results_block(view(a_task(attempts=attempts)))
    assert block.endswith("exit code 2\n   Attempts: 2")


def test_the_cause_of_the_whole_job_is_shown() -> None:
    block = results_block(view(failure={"cause": "bad_input", "message": "dependency cycle: a -> a"}))
    assert "\nCause: bad_input: dependency cycle: a -> a\n" in block


@pytest.mark.parametrize("show", [lambda job: results_block(job).splitlines(), lambda job: [*job_lines(job)]])
def test_a_task_of_a_job_that_was_refused_does_not_seem_to_wait(show: Callable[[JobView], list[str]]) -> None:
    refused = {"cause": "bad_input", "message": "dependency cycle: a -> a"}
    task = a_task(dependencies=["greet"])
    assert show(view(task, state="failed", failure=refused))[-1] == "   never ran: its job was refused"
    assert not any("refused" in line for line in show(view(task, state="working")))


def test_a_task_that_failed_has_not_completed() -> None:
    lines = results_block(view(a_task(status="failed", failure=FAILED, completed_at=NOON))).splitlines()
    assert "   Ended: 2025-10-02T12:00:00.000000Z" in lines
    assert not any("Completed:" in line for line in lines)


def test_an_error_of_an_older_writer_is_shown() -> None:
    assert results_block(view(a_task(status="failed", error="broken"))).endswith("   broken")


def test_hostile_commands_can_neither_steer_the_terminal_nor_forge_a_line() -> None:
    evil = a_task(args=["\x1b[2J\n✅ other: completed\u2028❌", "\x9b31m"], error="x\n✅ forged: completed")
    block = results_block(view(evil))
    assert not set("\x1b\x9b\u2028") & set(block)
    assert [line for line in block.splitlines() if line.startswith("✅")] == []


def test_long_texts_are_cut() -> None:
    assert len(one_line("x" * 100_000)) == 1000
    assert one_line("x" * 1000) == "x" * 1000


def test_the_summary_names_task_and_cause_and_ends_with_the_log() -> None:
    failed = a_task(status="failed", failure=FAILED)
    assert failure_summary(view(failed), "one\ntwo\n") == (
        "Job demo failed: task greet failed: exit, exit code 3: the command ended with exit code 3\n"
        "The end of its log:\none\ntwo"
    )


def test_the_summary_says_when_there_is_no_log() -> None:
    assert failure_summary(view(a_task(status="failed", failure=FAILED)), " \n").endswith("Its log is empty.")


def test_the_log_in_the_summary_is_harmless() -> None:
    assert "\x1b" not in failure_summary(view(a_task(status="failed")), "\x1b[2J")


def test_the_summary_of_a_job_without_a_failed_task_gives_the_jobs_cause() -> None:
    cancelled = view(a_task(status="skipped"), failure={"cause": "cancelled", "message": "somebody asked"})
    assert failure_summary(cancelled, "") == "Job demo failed: cancelled: somebody asked"
    assert failure_summary(view(), "") == "Job demo failed: no cause was recorded"


def test_the_details_of_a_live_job_tell_what_is_waited_for_and_what_was_rejected() -> None:
    rejected = {"request": "r1", "accepted": False, "reason": "unknown dependency 'x'", "at": NOON}
    accepted = {"request": "r2", "accepted": True, "at": NOON}
    lines = list(
        job_lines(view(a_task(id="b", dependencies=["a"]), state="working", requests=[rejected, accepted]))
    )
    assert lines[0] == "demo: working, 0/1 completed"
    assert "   Rejected request r1: unknown dependency 'x'" in lines
    assert not any("r2" in line for line in lines)
    assert lines[-1] == "   After: a"


def test_a_result_and_outputs_have_a_line_each_that_nobody_can_forge() -> None:
    files = [{"path": f"a{number}\n.csv", "size": number, "sha256": "0" * 64} for number in range(7)]
    done = a_task(status="completed", result={"rows": "\x1b[31m" + "x" * 300}, produced=files)
    lines = results_block(view(done)).splitlines()
    result = next(line for line in lines if line.startswith("   Result: "))
    assert result.startswith('   Result: {"rows":"') and len(result) < 220 and "\x1b" not in result
    outputs = next(line for line in lines if line.startswith("   Outputs: "))
    assert outputs.startswith("   Outputs: a0\\n.csv (0 bytes), a1") and outputs.endswith("and 2 more")


def test_a_reference_is_shown_as_it_is_written() -> None:
    asked = a_task(args=["-n", {"result": "fetch", "path": "rows"}])
    assert '   Command: echo -n {"result": "fetch", "path": "rows"}' in results_block(view(asked))


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"command": None, "image": "i"}, "(the image's)"),
        ({"command": "c", "args": ["x"], "entrypoint": "image"}, "(the image's) c x"),
        ({"command": "c", "entrypoint": ["sh", "-c"]}, "sh -c c"),
        ({"command": "c"}, "c"),
    ],
)
def test_what_is_executed_is_shown_as_far_as_the_task_says_it(fields: dict[str, Any], shown: str) -> None:
    assert command_line(a_task(**fields)) == shown


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"status": "failed", "outcome": "allowed_failure"}, "❌ greet: failed, allowed"),
        ({"status": "skipped", "outcome": "skipped_by_exit_code"}, "⏭ greet: skipped by its exit code"),
        ({"status": "skipped", "outcome": "not_called_for"}, "⏭ greet: skipped, not called for"),
    ],
)
def test_what_came_of_a_task_is_said_where_its_status_does_not_say_it(
    fields: dict[str, Any], line: str
) -> None:
    shown = view(a_task(**fields), state="completed")
    assert line in results_block(shown).splitlines()
    assert line in job_lines(shown)


def test_what_came_of_a_job_is_said_likewise_and_its_labels() -> None:
    shown = view(
        a_task(labels={"step": "1"}), state="failed", outcome="timed_out", labels={"a": "b", "c": ""}
    )
    assert "Outcome: timed out" in results_block(shown).splitlines()
    lines = list(job_lines(shown))
    assert {"   Outcome: timed out", "   Labels: a=b, c=", "   Labels: step=1"} <= set(lines)


@pytest.mark.parametrize(
    ("run_if", "words"),
    [("success", ""), ("failure", ", if one of them has failed"), ("always", ", whatever becomes of them")],
)
def test_of_a_task_that_waits_it_is_said_for_what(run_if: str, words: str) -> None:
    waits = a_task(id="b", dependencies=["greet"], run_if=run_if)
    assert f"   After: greet{words}" in job_lines(view(a_task(), waits, state="working"))


def test_the_failure_of_a_job_is_not_one_that_was_allowed() -> None:
    allowed = a_task(id="a", status="failed", completed_at=NOON, allow_failure=True, failure=FAILED)
    failed = a_task(id="b", status="failed", completed_at=after(3), failure=FAILED)
    assert "task b failed" in failure_summary(view(allowed, failed, state="failed"), "")
