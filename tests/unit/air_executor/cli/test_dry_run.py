"""What `create --dry-run` tells."""

from air_executor import JobView
from air_executor.cli.dry_run import MOST_STEPS, SEEN, UNSEEN, dry_run_lines
from air_executor.format.inputs import Inputs
from tests.unit.air_executor.builders import a_job, a_task


def test_tasks_are_told_in_the_steps_in_which_they_can_run() -> None:
    tasks = (a_task(id="c", dependencies=["b", "a"]), a_task(id="b"), a_task(id="a"))
    lines = list(dry_run_lines(JobView(job=a_job(), tasks=tasks), SEEN))
    assert lines == ["demo would be created: 3 tasks in 2 steps", "  1. b, a", "  2. c", SEEN]


def test_what_the_job_brings_is_told() -> None:
    view = JobView(job=a_job(inputs=Inputs(entries=2, bytes=1234)), tasks=(a_task(),))
    lines = list(dry_run_lines(view, UNSEEN))
    assert lines == [
        "demo would be created: 1 task in 1 step",
        "  1. greet",
        "inputs: 2 files and folders, 1,234 bytes",
        UNSEEN,
    ]


def test_a_large_job_is_told_in_few_lines() -> None:
    chain = [a_task(id="t0"), *(a_task(id=f"t{n}", dependencies=[f"t{n - 1}"]) for n in range(1, 1000))]
    wide = [a_task(id=f"w{n}") for n in range(1000)]
    lines = list(dry_run_lines(JobView(job=a_job(), tasks=(*chain, *wide)), SEEN))
    assert len(lines) == MOST_STEPS + 3
    assert "  … and 990 steps more" in lines
    assert max(map(len, lines)) <= 100
