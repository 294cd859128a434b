"""What becomes of every task of any job, held against an oracle that knows of no order and no queue."""

from dataclasses import dataclass
from random import Random

import hypothesis.strategies as st
from hypothesis import given, settings

from air_executor.format.conditions import Outcome
from air_executor.format.models import Task
from manager.core.live_job import LiveJob
from manager.model.facts import CancelRequested, JobEnded
from tests.examples import fewer
from tests.unit.manager.builders import (
    UID,
    at,
    claimed,
    created,
    exited,
    key,
    live_job,
    removed,
    started,
    task,
)

OUTCOMES = {
    "allowed": ("failed", Outcome.ALLOWED_FAILURE),
    "itself": ("skipped", Outcome.SKIPPED_BY_EXIT_CODE),
    "idle": ("skipped", Outcome.NOT_CALLED_FOR),
}


@dataclass(frozen=True)
class Plan:
    """A graph, the exit code of each task, and how many commands end before the job is cancelled."""

    tasks: tuple[Task, ...]
    codes: dict[str, int]
    on_failure: str
    cancels: tuple[int, ...]
    seed: int


@st.composite
def plans(draw: st.DrawFn, most_cancels: int = 0) -> Plan:
    tasks = []
    for number in range(draw(st.integers(1, 8))):
        before = [f"t{other}" for other in range(number)]
        after = draw(st.lists(st.sampled_from(before), unique=True, max_size=3)) if before else []
        tasks.append(
            task(
                f"t{number}",
                *after,
                run_if=draw(
                    st.sampled_from(
                        ["success", "success", "failure", "always"] if after else ["success", "always"]
                    )
                ),
                allow_failure=draw(st.sampled_from([False, False, True])),
                skip_exit_codes=(99,),
                on_skip=draw(st.sampled_from(["skip", "continue"])),
                retries=0,
            )
        )
    return Plan(
        tasks=tuple(draw(st.permutations(tasks))),
        codes={each.id: draw(st.sampled_from([0, 0, 0, 1, 99])) for each in tasks},
        on_failure=draw(st.sampled_from(["stop", "continue"])),
        cancels=tuple(draw(st.lists(st.integers(0, 10), max_size=most_cancels))),
        seed=draw(st.integers(0, 1 << 32)),
    )


def played(plan: Plan) -> tuple[LiveJob, list[str]]:
    """The job when nothing is left to do, and the tasks that ran in the order in which they ended."""
    dice, ran = Random(plan.seed), []
    job = live_job(*plan.tasks, on_failure=plan.on_failure)
    running: list[str] = []
    while True:
        for number, moment in enumerate(plan.cancels):
            if moment <= len(ran):
                job.apply(CancelRequested(uid=UID, marker=str(number), at=at(1)))
        ways = [*job.ready, *running]
        if not ways:
            break
        name = dice.choice(ways)
        if name in running:
            running.remove(name)
            ran.append(name)
            job.apply(exited(key(name), _code(job, name, plan)))
            job.apply(removed(key(name)))
        else:
            running.append(name)
            for fact in (claimed(key(name)), created(key(name)), started(key(name))):
                job.apply(fact)
    assert job.settled, {each.id: each.status for each in job.tasks.values()}
    job.apply(JobEnded(uid=UID, at=at(9)))
    return job, ran


def _code(job: LiveJob, name: str, plan: Plan) -> int:
    return 143 if job.tasks[name].attempts[-1].stopping else plan.codes[name]


def oracle(tasks: tuple[Task, ...], codes: dict[str, int]) -> dict[str, str]:
    """What becomes of each task where nothing stops the job: by its definition, and no order."""
    said: dict[str, str] = {}
    by_name = {each.id: each for each in tasks}

    def fate(name: str) -> str:
        if name not in said:
            said[name] = decide(by_name[name])
        return said[name]

    def decide(one: Task) -> str:
        before = [seen(by_name[other]) for other in one.dependencies]
        runs = {
            "always": True,
            "failure": "bad" in before,
            "success": all(each == "good" for each in before),
        }[one.run_if]
        if runs:
            bad = "allowed" if one.allow_failure else "failed"
            return {0: "completed", 99: "itself", 1: bad}[codes[one.id]]
        return "fallen" if one.run_if == "success" and "bad" in before else "idle"

    def seen(one: Task) -> str:
        match fate(one.id):
            case "failed" | "fallen":
                return "bad"
            case "idle":
                return "idle"
            case "itself":
                return "good" if one.on_skip == "continue" else "idle"
            case _:
                return "good"

    for each in tasks:
        fate(each.id)
    return said


def told(job: LiveJob) -> dict[str, tuple[str, Outcome | None]]:
    return {name: (str(each.status), each.outcome) for name, each in job.tasks.items()}


RULES = settings(fewer(200))


@RULES
@given(plans())
def test_every_task_of_a_job_that_goes_on_ends_as_its_conditions_say(plan: Plan) -> None:
    job, ran = played(plan)
    fates = oracle(plan.tasks, plan.codes)
    failed = "failed" in fates.values()
    if plan.on_failure == "continue" or not failed:
        expected = {
            name: OUTCOMES.get(fate, ("skipped" if fate == "fallen" else fate, None))
            for name, fate in fates.items()
        }
        assert told(job) == expected
        assert sorted(ran) == sorted(name for name, fate in fates.items() if fate not in ("idle", "fallen"))
    assert job.job.state == ("failed" if failed else "completed")
    assert (job.failure is not None) == failed


@RULES
@given(plans(most_cancels=1))
def test_whatever_stops_a_job_its_cleanup_runs_as_what_it_depends_on_says(plan: Plan) -> None:
    """Each task is asked alone, with what has really become of its dependencies."""
    job, ran = played(plan)
    for one in job.tasks.values():
        assert one.status.ended
        before = [job.tasks[other] for other in one.dependencies]
        bad = any(
            (each.status == "failed" and not each.allow_failure)
            or (each.status == "skipped" and each.outcome is None)
            for each in before
        )
        if one.run_if == "always" and before:
            assert one.id in ran
        elif one.run_if == "failure":
            assert (one.id in ran) == bad
            assert (one.outcome is Outcome.NOT_CALLED_FOR) != bad or one.id in ran
        elif before and one.run_if == "success":
            well = [
                each for each in before if each.status == "completed" or each.outcome == "allowed_failure"
            ]
            skipped = [
                each
                for each in before
                if each.outcome == "skipped_by_exit_code" and each.on_skip == "continue"
            ]
            assert one.id not in ran or len(well) + len(skipped) == len(before)


@RULES
@given(plans(most_cancels=3))
def test_however_often_it_is_cancelled_a_job_ends_and_a_restart_changes_nothing(plan: Plan) -> None:
    job, _ = played(plan)
    again = LiveJob(job.job, job.tasks.values(), job.owner, max_tasks=job.max_tasks)
    assert again.tasks == job.tasks and not again.ready
    assert job.job.state.ended


@given(st.integers(0, 2))
@settings(fewer(3))
def test_the_oracle_can_be_contradicted(code: int) -> None:
    job, _ = played(Plan((task("a"), task("b", "a", run_if="failure")), {"a": 0, "b": 0}, "stop", (), code))
    assert told(job)["b"] != ("completed", None)
