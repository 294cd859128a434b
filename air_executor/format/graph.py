"""Rules for the tasks of one job taken together."""

from collections.abc import Iterable, Mapping, Sequence

from air_executor.errors import BadInput, cut
from air_executor.format.arguments import ResultOf
from air_executor.format.conditions import RunIf
from air_executor.format.limits import MAX_EDGES, MAX_TASKS
from air_executor.format.models import TaskFields
from air_executor.format.nearest import did_you_mean

LONGEST_CYCLE = 5
"""Tasks of a cycle that are named."""


def check_graph(tasks: Sequence[TaskFields]) -> None:
    """Raises BadInput for no task at all, a duplicate id, an unknown dependency (naming it) or a cycle.

    Also for more tasks or dependencies than a job may have.
    """
    if not tasks:
        raise BadInput("a job needs at least one task", field="tasks")
    if len(tasks) > MAX_TASKS:
        raise BadInput(f"the job has {len(tasks)} tasks; at most {MAX_TASKS} are allowed", field="tasks")
    check_edges(len(task.dependencies) for task in tasks)
    places: dict[str, int] = {}
    for index, task in enumerate(tasks):
        if task.id in places:
            raise BadInput(
                f"duplicate id {task.id!r}: tasks[{places[task.id]}] has it as well",
                field=f"tasks[{index}].id",
            )
        places[task.id] = index
    for index, task in enumerate(tasks):
        check_dependencies(task, places, f"tasks[{index}].dependencies", likely=places)
        check_condition(task, field=f"tasks[{index}].")
    cycle = find_cycle({task.id: task.dependencies for task in tasks})
    if cycle:
        raise BadInput(f"dependency cycle: {_shown(cycle)}", field="tasks")


def check_edges(dependencies: Iterable[int]) -> None:
    """Raises BadInput where tasks that have so many `dependencies` each have too many together."""
    edges = sum(dependencies)
    if edges > MAX_EDGES:
        raise BadInput(
            f"the tasks have {edges} dependencies together; at most {MAX_EDGES} are allowed: where many "
            "depend on the same many, put a task between them that does nothing",
            field="tasks",
        )


def check_dependencies(
    task: TaskFields, known: Iterable[str], field: str = "dependencies", likely: Iterable[str] = ()
) -> None:
    """Raises BadInput when `task` depends on itself or on something that is not in `known`.

    It may have meant one of those that are `likely`; to find out takes a while.
    """
    for dependency in task.dependencies:
        if dependency == task.id:
            raise BadInput(f"dependency cycle: {task.id} -> {task.id}", field=field)
        if dependency not in known:
            hint = did_you_mean(dependency, likely)
            raise BadInput(f"unknown dependency {dependency!r} of task {task.id!r}{hint}", field=field)
    _check_references(task, field.removesuffix("dependencies"))


def _check_references(task: TaskFields, field: str) -> None:
    """A result is there only when the task has ended that leaves it."""
    before = set(task.dependencies)
    for index, argument in enumerate(task.args):
        if isinstance(argument, ResultOf) and argument.result not in before:
            raise BadInput(
                f"{argument.result!r} is none of the task's dependencies; name it there as well, so that its "
                "result is there when this command begins",
                field=f"{field}args[{index}].result",
            )


def check_condition(task: TaskFields, field: str = "") -> None:
    """Raises BadInput below `field` for a task that never could run."""
    if task.run_if is RunIf.FAILURE and not task.dependencies:
        raise BadInput(
            f"task {task.id!r} runs if what it depends on has failed, and it depends on nothing: name the "
            'tasks in `dependencies`, or leave out "run_if"',
            field=f"{field}run_if",
        )


def _shown(cycle: Sequence[str]) -> str:
    if len(cycle) > LONGEST_CYCLE:
        cycle = [*cycle[: LONGEST_CYCLE - 1], f"… ({len(cycle) - LONGEST_CYCLE} more)", cycle[-1]]
    return " -> ".join(cut(task, 60) for task in cycle)


def find_cycle(graph: Mapping[str, Sequence[str]]) -> list[str] | None:
    """One cycle as a path that ends where it began, or None. Not recursive: chains may be long."""
    done: set[str] = set()
    for root in graph:
        path: list[str] = []
        on_path: set[str] = set()
        stack: list[tuple[str, bool]] = [(root, True)]
        while stack:
            node, entering = stack.pop()
            if not entering:
                path.pop()
                on_path.discard(node)
                done.add(node)
            elif node in on_path:
                return [*path[path.index(node) :], node]
            elif node not in done:
                path.append(node)
                on_path.add(node)
                stack.append((node, False))
                stack.extend((dependency, True) for dependency in graph[node] if dependency in graph)
    return None
