"""Which state of a task follows which."""

from dataclasses import replace
from typing import Any

import pytest

from air_executor.clock import Instant
from air_executor.format.attempts import Attempt, Cause, Container, Failure, Phase, Timings
from air_executor.format.models import TaskStatus
from manager.core import lifecycle
from manager.model.facts import (
    AttemptNeeded,
    CommandSucceeded,
    ContainerCreated,
    ContainerDropped,
    ContainerLost,
    ContainerStarted,
    ContainerVoided,
    ContainerWaiting,
    DeadlinePassed,
    LaunchFailed,
    OfAttempt,
)
from manager.model.image_facts import ImageFacts
from tests.unit.manager.builders import (
    T0,
    after,
    ahead,
    at,
    claimed,
    created,
    exited,
    key,
    needed,
    removed,
    started,
    succeeded,
    task,
    voided,
    waits,
)

A = key("a")
NEVER = Failure(cause=Cause.CANCELLED, message="never ran: job 'job' was cancelled: somebody asked for it")
NO = Failure(cause=Cause.IMAGE, message="there is no image 'x'")


def test_a_whole_life_leaves_every_time_and_the_container_in_the_record() -> None:
    done = after(claimed(A), created(A), started(A), exited(A), removed(A))
    attempt = done.attempts[0]
    assert done.status is TaskStatus.COMPLETED
    assert (done.started_at, done.completed_at) == (at(3), at(4))
    assert attempt.container.model_dump() == {
        "id": "id-a-1",
        "name": "airx-a-1",
        "image": "image",
        "image_id": "sha256:image",
        **dict.fromkeys(("digest", "stop_signal", "entrypoint", "command")),
    }
    times = attempt.timings
    assert (times.ready_at, times.created_at, times.container_started_at) == (T0, at(2), at(3))
    assert (times.started_at, times.finished_at, times.recorded_at) == (at(3), at(4), at(4.5))
    assert (attempt.exit_code, attempt.oom_killed, attempt.log) == (0, False, "logs/a.log")
    assert (times.create_to_start_ms, times.ran_ms) == (1000, 1000)


@pytest.mark.parametrize(
    ("facts", "status", "phase"),
    [
        ([claimed(A)], "pending", "claimed"),
        ([claimed(A), created(A)], "pending", "created"),
        ([claimed(A), created(A), started(A)], "running", "running"),
        ([claimed(A), created(A), started(A), exited(A)], "completed", "recorded"),
        ([claimed(A), created(A), started(A), exited(A), removed(A)], "completed", "removed"),
        ([claimed(A), created(A), started(A), exited(A, 3)], "failed", "recorded"),
    ],
)
def test_each_step_has_its_status_and_phase(facts: list[OfAttempt], status: str, phase: str) -> None:
    found = after(*facts)
    assert (found.status, found.attempts[0].phase) == (status, phase)


LATE: list[OfAttempt] = [
    claimed(A),
    created(A),
    started(A),
    succeeded(A),
    exited(A, 9),
    removed(A),
    LaunchFailed(key=A, failure=NO, at=at(9)),
    ContainerLost(key=A, message="gone", at=at(9)),
    ContainerDropped(key=A, at=at(9)),
    DeadlinePassed(key=A, at=at(9)),
]


@pytest.mark.parametrize("fact", LATE, ids=lambda fact: type(fact).__name__)
def test_after_the_end_no_fact_changes_anything(fact: OfAttempt) -> None:
    done = after(claimed(A), created(A), started(A), exited(A, 3), removed(A))
    assert lifecycle.step(done, fact) is done


@pytest.mark.parametrize("fact", LATE, ids=lambda fact: type(fact).__name__)
@pytest.mark.parametrize("other", [key("a", 2), key("a", 1, incarnation=2)], ids=["attempt", "incarnation"])
def test_a_fact_about_another_attempt_or_incarnation_changes_nothing(fact: Any, other: Any) -> None:
    running = after(claimed(A), created(A), started(A))
    foreign = replace(fact, key=other)
    assert lifecycle.step(running, foreign) is running


def test_an_exit_that_is_told_before_the_start_counts() -> None:
    done = after(claimed(A), created(A), exited(A))
    assert done.status is TaskStatus.COMPLETED
    assert done.started_at == at(3), "the engine knows when it began"


def test_an_exit_of_what_was_not_even_created_is_not_believed() -> None:
    before = after(claimed(A))
    assert lifecycle.step(before, exited(A)) is before


def test_a_failed_launch_records_its_cause_and_no_exit_code() -> None:
    failed = after(claimed(A), LaunchFailed(key=A, failure=NO, at=at(2)))
    assert failed.status is TaskStatus.FAILED
    assert failed.failure == NO
    assert failed.error == NO.message
    assert failed.attempts[0].exit_code is None
    assert failed.attempts[0].log is None
    assert failed.completed_at == at(2)


def test_a_lost_container_has_no_invented_exit_code() -> None:
    lost = after(claimed(A), created(A), started(A), ContainerLost(key=A, message="gone", at=at(9)))
    assert lost.status is TaskStatus.FAILED
    assert lost.failure is not None
    assert (lost.failure.cause, lost.failure.exit_code) == (Cause.LOST, None)
    assert lost.attempts[0].exit_code is None


def test_a_container_that_is_dropped_before_its_start_leaves_the_task_skipped() -> None:
    stopping = lifecycle.stop(after(claimed(A), created(A)), Cause.CANCELLED)
    dropped = after(ContainerDropped(key=A, at=at(5)), of=stopping)
    assert dropped.status is TaskStatus.SKIPPED
    assert dropped.failure is not None
    assert dropped.failure.cause is Cause.CANCELLED


def test_what_was_told_to_stop_before_its_command_can_have_begun_is_over_at_once() -> None:
    dropped = lifecycle.drop(lifecycle.stop(after(claimed(A)), Cause.CANCELLED), NEVER, at(5))
    assert (dropped.status, dropped.failure, dropped.error) == (TaskStatus.SKIPPED, NEVER, NEVER.message)
    (attempt,) = dropped.attempts
    assert (attempt.phase, attempt.at_work, attempt.live) == (Phase.RECORDED, False, True)
    assert lifecycle.step(dropped, created(A)) is dropped


@pytest.mark.parametrize(
    "facts",
    [[claimed(A)], [claimed(A), created(A)], [claimed(A), created(A), started(A)], [ahead(A), waits(A)]],
)
def test_what_was_not_told_to_stop_or_may_have_begun_is_not_over(facts: list[OfAttempt]) -> None:
    task = after(*facts)
    assert lifecycle.drop(task, NEVER, at(5)) is task
    if len(facts) > 1:
        stopping = lifecycle.stop(task, Cause.CANCELLED)
        assert lifecycle.drop(stopping, NEVER, at(5)) is stopping


def test_the_first_reason_to_stop_stays() -> None:
    running = after(claimed(A), created(A), started(A))
    stopping = lifecycle.stop(lifecycle.stop(running, Cause.CANCELLED), Cause.TIMEOUT)
    assert stopping.attempts[0].stopping is Cause.CANCELLED


def test_an_exit_that_was_recorded_before_a_stop_wins() -> None:
    done = after(claimed(A), created(A), started(A), exited(A))
    assert lifecycle.stop(done, Cause.CANCELLED) is done


def test_a_deadline_stops_a_task_that_runs_and_only_that() -> None:
    running = after(
        claimed(A), created(A), started(A), DeadlinePassed(key=A, at=at(9)), of=task("a", timeout=5)
    )
    assert running.attempts[0].stopping is Cause.TIMEOUT
    waiting = after(claimed(A), created(A), of=task("a", timeout=5))
    assert lifecycle.step(waiting, DeadlinePassed(key=A, at=at(9))) is waiting


def test_durations_are_never_negative_when_the_engines_clock_jumps_back() -> None:
    done = after(claimed(A), created(A), started(A, 100), exited(A, 0, finished_at=at(50)))
    times = done.attempts[0].timings
    assert times.ran_ms == 0
    assert times.finished_at == times.started_at == at(100)
    assert times.recorded_at is not None
    assert times.recorded_at >= at(100)


def test_the_record_of_an_earlier_attempt_stays_and_its_log_is_where_it_was_put() -> None:
    failed = after(claimed(A), created(A), started(A), exited(A, 7), removed(A), of=task("a", retries=1))
    waiting = lifecycle.again(failed)
    assert (waiting.status, waiting.failure, waiting.started_at) == (TaskStatus.PENDING, None, None)
    second = after(claimed(key("a", 2)), of=waiting)
    first = second.attempts[0]
    assert (first.exit_code, first.log) == (7, "logs/a.log.1")
    assert first.failure is not None


def test_a_task_whose_attempt_is_open_can_not_be_claimed_again() -> None:
    running = after(claimed(A), created(A))
    assert lifecycle.step(running, claimed(key("a", 2))) is running


HOUR = 3600.0


@pytest.mark.parametrize("jump", [-24 * HOUR, 0, 24 * HOUR])
def test_how_long_a_command_ran_does_not_depend_on_a_clock_that_is_set(jump: float) -> None:
    attempt = Attempt(
        number=1,
        phase=Phase.RUNNING,
        container=Container(name="c", image="i"),
        timings=Timings(started_at=at(0)),
        claimed=Instant(boot="this", seconds=98),
        began=Instant(boot="this", seconds=100),
    )
    now = Instant(boot="this", seconds=107)
    assert lifecycle.ran(attempt, now, at(7 + jump)) == 7
    unseen = attempt.model_copy(update={"began": None})
    expected = {-24 * HOUR: 0, 0: 7, 24 * HOUR: 9}  # never longer than since the claim
    assert lifecycle.ran(unseen, now, at(7 + jump)) == expected[jump]


def test_what_was_made_ahead_leaves_the_times_of_its_container_and_of_its_turn() -> None:
    done = after(
        ahead(A, 1),
        created(A, 2),
        waits(A, 3),
        needed(A, 50),
        started(A, 51),
        exited(A, 0, 52),
        removed(A, 53),
    )
    (attempt,) = done.attempts
    times = attempt.timings
    assert done.status is TaskStatus.COMPLETED
    assert (attempt.start, attempt.incarnation) == ("ahead", 1)
    assert (times.created_at, times.container_started_at) == (at(2), at(3))
    assert (times.ready_at, times.started_at, times.finished_at) == (T0, at(51), at(52))
    assert (done.started_at, times.ran_ms) == (at(51), 1000)


@pytest.mark.parametrize(
    ("facts", "phase", "is_needed"),
    [
        ([ahead(A)], Phase.CLAIMED, False),
        ([ahead(A), created(A)], Phase.CREATED, False),
        ([ahead(A), created(A), waits(A)], Phase.WAITING, False),
        ([ahead(A), needed(A), created(A), waits(A)], Phase.WAITING, True),
        ([ahead(A), created(A), needed(A), waits(A)], Phase.WAITING, True),
        ([ahead(A), created(A), waits(A), needed(A)], Phase.WAITING, True),
    ],
)
def test_a_task_is_pending_until_its_command_begins_whatever_its_container_does(
    facts: list[OfAttempt], phase: Phase, is_needed: bool
) -> None:
    found = after(*facts)
    assert (found.status, found.started_at) == (TaskStatus.PENDING, None)
    assert (found.attempts[0].phase, found.attempts[0].needed) == (phase, is_needed)
    assert found.attempts[0].gated


def test_a_claim_in_time_needs_no_turn_and_has_no_gate() -> None:
    found = after(claimed(A))
    assert (found.attempts[0].needed, found.attempts[0].gated) == (True, False)
    assert lifecycle.step(found, needed(A)) is found


@pytest.mark.parametrize("facts", [[], [created(A)], [created(A), waits(A)]])
def test_a_turn_comes_once(facts: list[OfAttempt]) -> None:
    once = after(ahead(A), *facts, needed(A, 5))
    assert lifecycle.step(once, needed(A, 6), at(6)) is once
    assert once.attempts[0].timings.ready_at == T0


def test_a_turn_that_nobody_dated_is_as_late_as_the_decision() -> None:
    once = lifecycle.step(after(ahead(A)), needed(A, 5), None)
    assert once.attempts[0].timings.ready_at == at(5)


def test_how_long_a_claim_is_ago_is_counted_from_the_turn() -> None:
    """What waited for hours must not seem to have run for hours."""
    early = after(ahead(A), created(A), waits(A))
    late = lifecycle.step(
        early, AttemptNeeded(key=A, at=at(7200), instant=Instant(boot="this", seconds=7200)), at(7200)
    )
    running = lifecycle.step(late, started(A, 3))
    elapsed = lifecycle.ran(running.attempts[0], Instant(boot="this", seconds=7205), at(7205))
    assert elapsed == 5


@pytest.mark.parametrize(
    "facts", [[claimed(A)], [claimed(A), created(A)], [ahead(A), created(A), waits(A), started(A)]]
)
def test_only_a_container_with_a_gate_waits_and_only_before_its_command(facts: list[OfAttempt]) -> None:
    before = after(*facts)
    assert lifecycle.step(before, waits(A)) is before


@pytest.mark.parametrize(
    "fact", [waits(A, 9), needed(A, 9), voided(A, 9)], ids=lambda fact: type(fact).__name__
)
@pytest.mark.parametrize(
    "facts",
    [
        [ahead(A), created(A), waits(A), needed(A), started(A)],
        [ahead(A), created(A), waits(A), needed(A), started(A), exited(A)],
        [ahead(A), created(A), waits(A), needed(A), started(A), exited(A), removed(A)],
        [ahead(A), ContainerDropped(key=A, at=at(3))],
    ],
    ids=["running", "recorded", "removed", "dropped"],
)
def test_once_its_command_has_begun_or_it_is_over_a_gate_changes_nothing(
    facts: list[OfAttempt], fact: OfAttempt
) -> None:
    before = after(*facts)
    assert lifecycle.step(before, fact) is before


@pytest.mark.parametrize("fact", [ContainerWaiting, AttemptNeeded], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("other", [key("a", 2), key("a", 1, incarnation=2)], ids=["attempt", "incarnation"])
def test_a_gate_of_another_attempt_or_incarnation_changes_nothing(fact: Any, other: Any) -> None:
    before = after(ahead(A), created(A))
    foreign = waits(other, 9) if fact is ContainerWaiting else fact(key=other, at=at(9))
    assert lifecycle.step(before, foreign) is before


@pytest.mark.parametrize("facts", [[], [created(A)], [created(A), waits(A)]])
@pytest.mark.parametrize("turn", [False, True])
def test_what_is_void_becomes_the_same_attempt_in_another_container_made_when_it_is_needed(
    facts: list[OfAttempt], turn: bool
) -> None:
    before = after(ahead(A), *facts, *([needed(A)] if turn else []))
    (attempt,) = lifecycle.step(before, voided(A)).attempts
    assert (attempt.number, attempt.incarnation, attempt.phase) == (1, 2, Phase.CLAIMED)
    assert (attempt.start, attempt.gated, attempt.stale, attempt.needed) == ("cold", True, False, turn)
    assert attempt.container.model_dump(exclude_none=True) == {"name": "airx-a-1.2", "image": "image"}
    times = attempt.timings
    assert (times.created_at, times.container_started_at, times.started_at) == (None, None, None)


def test_after_so_many_void_containers_there_is_no_further_one() -> None:
    void = after(ahead(A), needed(A), *(voided(key("a", incarnation=number)) for number in range(1, 5)))
    last = ContainerVoided(key=key("a", incarnation=5), at=at(9), why="its gate has left")
    (attempt,) = lifecycle.step(void, last).attempts
    assert attempt.failure is not None
    assert (attempt.phase, attempt.failure.cause) == (Phase.RECORDED, Cause.ENGINE)
    assert "5 containers could not be used: its gate has left" in attempt.failure.message


def test_a_cold_container_without_a_gate_is_followed_by_another_without_one() -> None:
    (attempt,) = after(claimed(A), created(A), voided(A)).attempts
    assert (attempt.incarnation, attempt.gated) == (2, False)


def test_what_is_void_is_so_once_and_its_successor_lives_as_any_other() -> None:
    again = key("a", incarnation=2)
    void = after(ahead(A), created(A), waits(A), voided(A))
    assert lifecycle.step(void, voided(A)) is void
    assert lifecycle.step(void, started(A)) is void, "nothing of the one before counts"
    done = after(needed(again, 8), created(again, 9), started(again, 10), exited(again, 0, 11), of=void)
    assert done.status is TaskStatus.COMPLETED
    assert done.attempts[0].timings.created_at == at(9)
    assert done.attempts[0].timings.container_started_at == at(10)


def test_what_was_told_to_stop_is_still_told_so_when_its_container_was_void() -> None:
    stopping = lifecycle.stop(after(ahead(A), created(A)), Cause.CANCELLED)
    assert lifecycle.step(stopping, voided(A)).attempts[0].stopping is Cause.CANCELLED


@pytest.mark.parametrize("facts", [[], [created(A)], [created(A), waits(A)]])
def test_what_was_made_ahead_and_is_dropped_leaves_the_task_skipped(facts: list[OfAttempt]) -> None:
    stopping = lifecycle.stop(after(ahead(A), *facts), Cause.EXIT)
    dropped = after(ContainerDropped(key=A, at=at(5)), of=stopping)
    assert (dropped.status, dropped.started_at, dropped.completed_at) == (TaskStatus.SKIPPED, None, at(5))
    (attempt,) = dropped.attempts
    assert attempt.failure is not None
    assert (attempt.phase, attempt.failure.cause, attempt.exit_code) == (Phase.RECORDED, Cause.EXIT, None)
    assert attempt.timings.recorded_at == at(5)
    assert attempt.dropped and attempt.live, "until its container is gone"


@pytest.mark.parametrize(
    "facts",
    [[claimed(A), created(A)], [ahead(A)], [ahead(A), created(A)], [ahead(A), created(A), waits(A)]],
)
def test_what_becomes_of_a_task_that_never_ran_does_not_tell_how_far_its_container_had_come(
    facts: list[OfAttempt],
) -> None:
    stopping = lifecycle.stop(after(*facts), Cause.CANCELLED)
    dropped = lifecycle.step(stopping, ContainerDropped(key=A, at=at(5)), not_run=NEVER)
    assert after(removed(A), of=dropped) == lifecycle.skip(task("a"), NEVER, at(5))


@pytest.mark.parametrize("facts", [[], [created(key("a", 2))]])
def test_what_ran_and_failed_is_failed_and_has_its_log_also_when_a_container_for_another_try_is_dropped(
    facts: list[OfAttempt],
) -> None:
    failed = after(claimed(A), created(A), started(A), exited(A, 7), removed(A), of=task("a", retries=1))
    tried = after(claimed(key("a", 2)), *facts, of=lifecycle.again(failed))
    stopping = lifecycle.stop(tried, Cause.CANCELLED)
    assert stopping.attempts[0].log == "logs/a.log.1"
    dropped = lifecycle.step(stopping, ContainerDropped(key=key("a", 2), at=at(9)), not_run=NEVER)
    assert after(removed(key("a", 2)), of=dropped) == failed


def test_a_command_that_is_missing_behind_its_gate_is_the_tasks_failure() -> None:
    words = "there is no command 'x' in the image"
    failed = after(
        ahead(A),
        created(A),
        waits(A, 2.5),
        needed(A),
        exited(A, 127, 9, unusable_command=words, started_at=at(9)),
    )
    message = f"task 'a' could not be started: {words}"
    assert failed.failure == Failure(cause=Cause.COMMAND, message=message, exit_code=127)
    assert failed.attempts[0].timings.container_started_at == at(2.5)
    assert (failed.started_at, failed.attempts[0].timings.started_at) == (None, None)
    assert (failed.completed_at, failed.attempts[0].timings.finished_at) == (at(9.5), None)
    assert (failed.attempts[0].exit_code, failed.attempts[0].log) == (127, None)
    assert failed.attempts[0].never_began


def test_what_waits_without_its_network_is_stale_and_what_runs_is_stopped() -> None:
    waiting = after(ahead(A), created(A), waits(A))
    stale = lifecycle.lose_network(waiting)
    assert (stale.attempts[0].stale, stale.attempts[0].stopping) == (True, None)
    assert lifecycle.lose_network(stale) is stale
    running = lifecycle.lose_network(after(ahead(A), created(A), waits(A), needed(A), started(A)))
    assert (running.attempts[0].stale, running.attempts[0].stopping) == (False, Cause.ENGINE)


def test_a_deadline_does_not_pass_for_what_waits_at_its_gate() -> None:
    waiting = after(ahead(A), created(A), waits(A), needed(A))
    assert lifecycle.step(waiting, DeadlinePassed(key=A, at=at(9))) is waiting


def test_what_has_a_container_ahead_can_not_be_claimed_again() -> None:
    waiting = after(ahead(A))
    assert lifecycle.step(waiting, claimed(key("a", 2))) is waiting
    assert lifecycle.step(waiting, ahead(key("a", 2))) is waiting


def test_a_command_that_has_succeeded_runs_until_its_container_has_ended() -> None:
    running = after(claimed(A), created(A), started(A), succeeded(A))
    attempt = running.attempts[0]
    assert (running.status, attempt.phase, running.completed_at) == ("running", "running", None)
    assert (attempt.exit_code, attempt.timings.finished_at) == (0, at(3.5))
    assert running.done and attempt.ended_well and not attempt.at_work
    completed = after(exited(A, oom_killed=True), of=running)
    assert (completed.status, completed.completed_at) == ("completed", at(3.5))
    assert completed.done and not completed.attempts[0].ended_well


@pytest.mark.parametrize(
    "fact",
    [exited(A, 137), exited(A, 255, interrupted=True), ContainerLost(key=A, message="gone", at=at(9))],
    ids=["killed", "interrupted", "lost"],
)
def test_what_becomes_of_the_container_of_a_command_that_has_succeeded_changes_no_outcome(
    fact: OfAttempt,
) -> None:
    done = after(claimed(A), created(A), started(A), succeeded(A), fact)
    assert (done.status, done.failure, done.attempts[0].exit_code) == ("completed", None, 0)
    assert done.attempts[0].timings.finished_at == at(3.5)


@pytest.mark.parametrize("cause", [Cause.TIMEOUT, Cause.CANCELLED, Cause.ENGINE])
def test_a_command_that_has_succeeded_is_not_stopped_any_more(cause: Cause) -> None:
    running = after(claimed(A), created(A), started(A), succeeded(A))
    assert lifecycle.stop(running, cause) is running
    assert after(DeadlinePassed(key=A, at=at(99)), of=running) is running


def test_a_command_that_was_told_to_stop_has_not_succeeded_by_its_gates_word() -> None:
    stopped = lifecycle.stop(after(claimed(A), created(A), started(A)), Cause.CANCELLED)
    assert after(succeeded(A), of=stopped) is stopped


@pytest.mark.parametrize(("said", "meant"), [(1.0, 3.0), (99.0, 3.6)])
def test_a_gates_clock_is_not_believed_before_the_start_or_in_the_future(said: float, meant: float) -> None:
    fact = CommandSucceeded(key=A, finished_at=at(said), at=at(3.6))
    running = after(claimed(A), created(A), started(A), fact)
    assert running.attempts[0].timings.finished_at == at(meant)


def test_what_the_engine_says_of_a_container_at_its_start_takes_the_place_of_what_was_supposed() -> None:
    made = after(
        claimed(A), ContainerCreated(key=A, container_id="id", image_id=None, created_at=at(2), at=at(2))
    )
    told = ContainerStarted(key=A, started_at=at(3), at=at(3.1), image_id="sha256:image", created_at=at(1.9))
    running = lifecycle.step(made, told).attempts[0]
    assert (running.container.id, running.container.image_id) == ("id", "sha256:image")
    assert running.timings.created_at == at(1.9)


def test_a_container_with_a_gate_is_made_and_waits_in_one_step() -> None:
    waiting = after(ahead(A), waits(A)).attempts[0]
    assert waiting.phase is Phase.WAITING
    assert waiting.container.id
    assert None not in (waiting.timings.created_at, waiting.timings.container_started_at)


DIGEST = "image@sha256:" + "a" * 64
SPEAKING = ImageFacts(digests=(DIGEST,), entrypoint=("entry",), command=("usual",), stop_signal="SIGINT")


@pytest.mark.parametrize("fact", [waits(A), started(A), created(A)])
def test_what_has_to_be_known_of_the_image_later_is_recorded(fact: OfAttempt) -> None:
    before = [claimed(A)] if isinstance(fact, ContainerCreated) else [ahead(A), created(A)]
    told = replace(fact, of_image=SPEAKING)  # type: ignore[call-arg]
    container = after(*before, told).attempts[-1].container
    assert (container.digest, container.stop_signal) == (DIGEST, "SIGINT")
    assert (container.entrypoint, container.command) == (None, None), "it is not what is executed"
    left = after(*before, told, of=task("a", command=None, image="image")).attempts[-1].container
    assert (left.entrypoint, left.command) == (("entry",), ("usual",))


def test_what_is_usual_of_an_image_is_not_recorded() -> None:
    told = replace(waits(A), of_image=ImageFacts())
    container = after(ahead(A), created(A), told).attempts[-1].container
    assert container.model_dump(exclude_none=True).keys() == {"name", "image", "id", "image_id"}
