"""PURE. How much the tasks of one job leave together: the record of all of them has to stay readable."""

from dataclasses import replace

from air_executor.format.limits import MAX_HANDED_OVER
from manager.model.delivery import Delivery
from manager.model.facts import CommandSucceeded, ContainerExited, OfAttempt

TOO_MUCH = Delivery(
    problem=f"results and lists of outputs of all tasks of the job together have more than {MAX_HANDED_OVER} "
    "bytes; put what is large into files in /work"
)


def bounded(fact: OfAttempt, room: int) -> OfAttempt:
    """The fact; where what it hands over takes more than the `room` that is left, without that."""
    match fact:
        case CommandSucceeded() if fact.delivery.size > room:
            return replace(fact, delivery=TOO_MUCH)
        case ContainerExited() if fact.result.delivery.size > room:
            return replace(fact, result=replace(fact.result, delivery=TOO_MUCH))
        case _:
            return fact
