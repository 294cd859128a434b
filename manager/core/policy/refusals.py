"""PURE. What is said to a task that asks for more than the one has which queues it."""

from air_executor.errors import BadInput

NO_MORE = "a task gets no more than the one that queues it"


def more_than_parent(asked: str, has: str, field: str, parent: str) -> BadInput:
    """It asks for `asked` in `field`, and the task `parent` has `has`."""
    return BadInput(
        f"{asked} is more than task {parent!r} has, which asks for it: {has}; {NO_MORE}", field=field
    )
