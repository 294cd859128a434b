"""What `create --dry-run` tells of a job that would be created."""

from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter

from air_executor.errors import cut
from air_executor.format.models import JobView, Task

MOST_STEPS = 10
LONGEST_LINE = 100
SEEN = "operator's rules: met, as they are now"
UNSEEN = "operator's rules: not seen, for no manager is running, or its policy.json is not yours to read"


def dry_run_lines(view: JobView, rules: str) -> Iterator[str]:
    """`rules` is what is said of the operator's: SEEN or UNSEEN."""
    steps = list(_steps(view.tasks))
    yield f"{view.name} would be created: {_number(len(view.tasks), 'task')} in {_number(len(steps), 'step')}"
    for number, names in enumerate(steps[:MOST_STEPS], start=1):
        yield cut(f"  {number}. {', '.join(names)}", LONGEST_LINE)
    if len(steps) > MOST_STEPS:
        yield f"  … and {_number(len(steps) - MOST_STEPS, 'step')} more"
    if view.job.inputs is not None:
        entries, size = view.job.inputs.entries, view.job.inputs.bytes
        yield f"inputs: {_number(entries, 'file or folder', 'files and folders')}, {_number(size, 'byte')}"
    yield rules


def _steps(tasks: Sequence[Task]) -> Iterator[list[str]]:
    """First what depends on nothing, then what depends on that, and so on, each in the order of the file."""
    order = {task.id: place for place, task in enumerate(tasks)}
    graph = TopologicalSorter({task.id: task.dependencies for task in tasks})
    graph.prepare()
    while graph.is_active():
        ready = sorted(graph.get_ready(), key=order.__getitem__)
        yield ready
        graph.done(*ready)


def _number(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
