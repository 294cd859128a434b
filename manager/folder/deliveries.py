"""Collects what commands that have succeeded hand over: results in their inboxes, outputs below `/work`."""

from collections.abc import Callable

from air_executor.errors import BadInput
from manager.folder import disclosure, result_file
from manager.folder.outputs import Search
from manager.folder.pace import Endless, Pace
from manager.folder.secret_values import SecretUnreadable
from manager.model.assignment import Assignment
from manager.model.delivery import Delivery

KIB = 1 << 10
READ_BY_MANY = "stand in tasks.json, and whoever may read the job reads them"

ToMask = Callable[[Assignment], tuple[bytes, ...]]
"""The values of secrets that nothing may show which the attempt leaves. Raises SecretUnreadable."""


def collect(assignment: Assignment, to_mask: ToMask, pace: Pace, heed: Callable[[], None]) -> Delivery:
    """What the attempt's command hands over, or why that can't be taken; it takes as long as its outputs do.

    `heed` is called at each step, and may end it. Raises OSError for a TRANSIENT error, and what ends it but
    for BadInput.
    """
    try:
        delivery = collect_result(assignment, to_mask)
        grant = assignment.grant
        if not assignment.task.outputs or grant.outputs_mb is None:
            return delivery
        search = Search(assignment.work, assignment.task.outputs, grant.outputs_mb)
        for _ in pace.keep(search.steps()):
            heed()
        if search.files and disclosure.in_names(search.files, to_mask(assignment)):
            raise BadInput(
                f"the name of a file has the value of a secret in it; names {READ_BY_MANY}", field="outputs"
            )
    except SecretUnreadable as error:
        return Delivery(problem=f"it may have the value of a secret in it: {error}")
    except BadInput as error:
        return Delivery(problem=_told(error, assignment, to_mask))
    except Endless:
        return Delivery(problem="outputs: /work has more in it than can be looked through")
    return Delivery(delivery.result, search.files)


def collect_result(assignment: Assignment, to_mask: ToMask) -> Delivery:
    """The result alone. Raises BadInput, SecretUnreadable; OSError for a TRANSIENT error."""
    most = assignment.grant.result_kb
    result = None if most is None else result_file.read(assignment.gate.inbox, most * KIB)
    if result is not None and disclosure.in_result(result, to_mask(assignment)):
        raise BadInput(f"its result has the value of a secret in it; results {READ_BY_MANY}")
    return Delivery(result)


def _told(problem: BadInput, assignment: Assignment, to_mask: ToMask) -> str:
    """The problem in words, which may quote what the task has written."""
    try:
        hidden = disclosure.in_words(str(problem), to_mask(assignment))
    except SecretUnreadable:
        return "it breaks a rule, and the words for that may have the value of a secret in them"
    return "it breaks a rule, and has the value of a secret in it" if hidden else str(problem)
