"""For people: what a soak did, and what it found."""

from collections import Counter

from rich.console import Console
from rich.table import Table

from tests.soak.course import Course


def show(course: Course, console: Console) -> None:
    """Its figures; where a promise was broken, that, with all that may explain it."""
    for name, broken in course.violations.items():
        for sentence in broken:
            console.print(f"BROKEN {name or 'home'}: {sentence}", markup=False, style="red", soft_wrap=True)
    if course.evidence:
        console.print(course.evidence, markup=False, highlight=False, soft_wrap=True)
    console.print(_table(course))


def _table(course: Course) -> Table:
    table = Table("what", "", title=f"Soak, seed {course.seed}: {course.seconds:.0f} s")
    for what, count in _figures(course):
        table.add_row(what, str(count))
    return table


def _figures(course: Course) -> list[tuple[str, int]]:
    tasks = [task for view in course.views.values() for task in view.tasks]
    attempts = [attempt for task in tasks for attempt in task.attempts]
    retried = [attempt for task in tasks for attempt in task.attempts[:-1] if attempt.failure]
    return [
        *_counted("jobs", [view.state for view in course.views.values()]),
        *_counted("tasks", [task.status for task in tasks]),
        *_counted("attempts", [attempt.failure.cause if attempt.failure else "well" for attempt in attempts]),
        *_counted("retries", [attempt.failure.cause for attempt in retried if attempt.failure]),
        *_counted("faults", [fault.kind for fault in course.faults]),
        ("promises broken", sum(map(len, course.violations.values()))),
    ]


def _counted(title: str, words: list[str]) -> list[tuple[str, int]]:
    return [(title, len(words)), *((f"  {word}", count) for word, count in sorted(Counter(words).items()))]
