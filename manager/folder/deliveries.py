"""Collects what commands that have succeeded hand over: results in their inboxes, outputs below `/work`."""

from collections.abc import Callable

from air_executor.errors import BadInput
from manager.folder import result_file
from manager.folder.outputs import Search
from manager.folder.pace import Endless, Pace
from manager.model.assignment import Assignment
from manager.model.delivery import Delivery

KIB = 1 << 10


def collect(assignment: Assignment, pace: Pace, heed: Callable[[], None]) -> Delivery:
    """What the attempt's command hands over, or why that can't be taken; it takes as long as its outputs do.

    `heed` is called at each step, and may end it. Raises OSError for a TRANSIENT error, and what ends it but
    for BadInput.
    """
    try:
        delivery = collect_result(assignment)
    except BadInput as error:
        return Delivery(problem=str(error))
    grant = assignment.grant
    if not assignment.task.outputs or grant.outputs_mb is None:
        return delivery
    search = Search(assignment.work, assignment.task.outputs, grant.outputs_mb)
    try:
        for _ in pace.keep(search.steps()):
            heed()
    except BadInput as error:
        return Delivery(problem=str(error))
    except Endless:
        return Delivery(problem="outputs: /work has more in it than can be looked through")
    return Delivery(delivery.result, search.files)


def collect_result(assignment: Assignment) -> Delivery:
    """The result alone. Raises BadInput; OSError for a TRANSIENT error."""
    most = assignment.grant.result_kb
    return Delivery() if most is None else Delivery(result_file.read(assignment.gate.inbox, most * KIB))
