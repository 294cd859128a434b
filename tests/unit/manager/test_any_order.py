"""The pure core, whatever happens in whatever order."""

from dataclasses import dataclass
from random import Random
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from air_executor.format.models import Task
from manager.core.live_job import LiveJob
from manager.model.values import AttemptKey
from tests.examples import fewer
from tests.unit.manager.builders import live_job, task
from tests.unit.manager.world import GONE, Fate, World

CODES = st.sampled_from([0, 0, 0, 0, 1, 3, 127, 137])


@dataclass(frozen=True)
class Plan:
    """Some jobs, what becomes of their attempts, and the order in which things happen."""

    graphs: tuple[tuple[Task, ...], ...]
    max_parallel: tuple[int | None, ...]
    on_failure: tuple[str | None, ...]
    max_runners: int
    look_ahead: int
    fates: tuple[Fate, ...]
    steps: int
    seed: int

    def world(self) -> World:
        dice = Random(self.seed)
        jobs: list[LiveJob] = [
            live_job(*graph, uid=f"{number:032x}", name=f"job{number}", max_parallel=limit, on_failure=then)
            for number, (graph, limit, then) in enumerate(
                zip(self.graphs, self.max_parallel, self.on_failure, strict=True)
            )
        ]
        return World(jobs, self.max_runners, self._fate, dice.randrange, look_ahead=self.look_ahead)

    def _fate(self, key: AttemptKey) -> Fate:
        if not self.fates:
            return Fate()
        # By the words of the key, and not by hash(): that differs from process to process.
        place = sum(map(ord, key.task)) + 7 * key.number + int(key.uid, 16)
        return self.fates[place % len(self.fates)]


@st.composite
def conditions(draw: st.DrawFn, after: bool) -> dict[str, Any]:
    """When a task runs, and what its failure comes to."""
    return {
        "run_if": draw(st.sampled_from(["success", "success", "always", "failure"])) if after else "success",
        "allow_failure": draw(st.sampled_from([False, False, False, True])),
        "skip_exit_codes": draw(st.sampled_from([(), (), (3,)])),
        "on_skip": draw(st.sampled_from(["skip", "continue"])),
    }


@st.composite
def graphs(draw: st.DrawFn, images: tuple[str | None, ...] = (None,), calm: bool = True) -> tuple[Task, ...]:
    """Any graph without cycles: a task depends on tasks before it; then the order is shuffled."""
    size = draw(st.integers(1, 6))
    tasks = []
    for number in range(size):
        before = [f"t{other}" for other in range(number)]
        dependencies = draw(st.lists(st.sampled_from(before), unique=True, max_size=3)) if before else []
        retries = draw(st.sampled_from([0, None, 1, 2, {"max": 2, "on": ["exit", "lost"], "backoff": 5}]))
        image = draw(st.sampled_from(images))
        when = {} if calm else draw(conditions(bool(dependencies)))
        tasks.append(task(f"t{number}", *dependencies, retries=retries, timeout=60, image=image, **when))
    return tuple(draw(st.permutations(tasks)))


@st.composite
def plans(draw: st.DrawFn, calm: bool = False) -> Plan:
    images = (None, None, None, "one", "two") if calm else (None, None, None, "one", GONE)
    made = draw(st.lists(graphs(images, calm), min_size=1, max_size=3))
    fates = st.builds(
        Fate,
        code=CODES,
        launch=st.sampled_from(["ok", "ok", "ok", "ok", "create", "start", "network", "gate"]),
        vanishes=st.sampled_from([False, False, False, True]),
        obeys=st.booleans(),
    )
    return Plan(
        graphs=tuple(made),
        max_parallel=tuple(draw(st.sampled_from([None, 1, 2])) for _ in made),
        on_failure=tuple(draw(st.sampled_from([None, None, "continue"])) for _ in made),
        max_runners=draw(st.integers(1, 4)),
        look_ahead=draw(st.integers(0, 3)),
        fates=() if calm else tuple(draw(st.lists(fates, min_size=1, max_size=8))),
        steps=draw(st.integers(0, 250)),
        seed=draw(st.integers(0, 1 << 32)),
    )


RULES = settings(fewer(60), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@RULES
@given(plans())
def test_whatever_happens_every_job_ends_and_no_rule_is_broken_on_the_way(plan: Plan) -> None:
    world = plan.world()
    for _ in range(plan.steps):
        world.step()
    world.settle()
    world.check_end()


@RULES
@given(plans(calm=True))
def test_without_failures_every_task_of_every_job_runs_exactly_once(plan: Plan) -> None:
    world = plan.world()
    for _ in range(plan.steps):
        world.step(disturb=False)
    world.settle()
    world.check_end()
    expected = sorted((job.uid, name) for job in world.jobs for name in job.tasks)
    assert sorted(key[:2] for key in world.runs) == expected
    assert all(job.job.state == "completed" for job in world.jobs)


@RULES
@given(plans())
def test_free_runners_are_never_left_idle_while_a_task_could_run(plan: Plan) -> None:
    world = plan.world()
    for _ in range(plan.steps):
        world.step()
        world.decide()
        free = world.max_runners - sum(job.busy for job in world.jobs)
        for job in world.jobs:
            limit = job.job.max_parallel
            full = limit is not None and job.busy >= limit
            assert not (free and job.ready and not full), f"{job.uid} waits for nothing"


def test_the_world_notices_a_task_that_starts_before_its_dependency() -> None:
    """The checks above can fail: a planner that ignores dependencies is caught."""
    job = live_job(task("a"), task("b", "a"))
    job._queue.ready = {"b": job.job.created_at}
    world = World([job], 2, lambda key: Fate(), lambda ways: 0)
    try:
        world.settle()
    except AssertionError as error:
        assert "before a" in str(error)
    else:
        raise AssertionError("nothing was noticed")
