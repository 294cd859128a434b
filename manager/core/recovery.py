"""PURE. After a restart: for each attempt that was under way when the manager before this one ended, what
follows from its phase and from what stands under its container's name now.

No verdict runs a command again: a container that has exited is never started, and one whose command may have
begun is never replaced.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from air_executor.format.attempts import Attempt, Cause, Failure, Phase
from manager.model.facts import (
    ContainerCreated,
    ContainerLost,
    ContainerStarted,
    Inspected,
    LaunchFailed,
    OfAttempt,
)
from manager.model.values import Found


class Verdict(StrEnum):
    """What to do with an attempt that was under way."""

    CREATE = "create"  # it provably never began
    START = "start"  # it is as its journal says
    OPEN = "open"  # its gate's receipt says whether it began, and is asked when its turn has come
    ADOPT = "adopt"  # created, but the id was not recorded
    REATTACH = "re-attach"  # it runs: go on copying its output, and wait for its end
    RECORD = "record"  # it has ended: copy its output, and record its outcome
    LOST = "lost"  # it may have begun, and nobody knows how it ended
    REFUSE = "refuse"  # the name belongs to somebody else's container, which is not touched


TABLE: Mapping[tuple[Phase, Found], Verdict] = {
    (Phase.CLAIMED, Found.MISSING): Verdict.CREATE,
    (Phase.CLAIMED, Found.CREATED): Verdict.ADOPT,
    (Phase.CLAIMED, Found.FORGOTTEN): Verdict.ADOPT,  # nobody has asked for its start
    (Phase.CLAIMED, Found.RUNNING): Verdict.REATTACH,
    (Phase.CLAIMED, Found.EXITED): Verdict.RECORD,
    (Phase.CLAIMED, Found.FOREIGN): Verdict.REFUSE,
    (Phase.CREATED, Found.MISSING): Verdict.LOST,
    (Phase.CREATED, Found.CREATED): Verdict.START,
    (Phase.CREATED, Found.FORGOTTEN): Verdict.LOST,
    (Phase.CREATED, Found.RUNNING): Verdict.REATTACH,
    (Phase.CREATED, Found.EXITED): Verdict.RECORD,
    (Phase.CREATED, Found.FOREIGN): Verdict.LOST,
    (Phase.RUNNING, Found.MISSING): Verdict.LOST,
    (Phase.RUNNING, Found.CREATED): Verdict.LOST,  # the engine has forgotten that it began
    (Phase.RUNNING, Found.FORGOTTEN): Verdict.LOST,
    (Phase.RUNNING, Found.RUNNING): Verdict.REATTACH,
    (Phase.RUNNING, Found.EXITED): Verdict.RECORD,
    (Phase.RUNNING, Found.FOREIGN): Verdict.LOST,
}
"""By phase of the attempt and what was found. Attempts that are recorded need no verdict: their containers
are removed."""

GATED: Mapping[tuple[Phase, Found], Verdict] = {
    (Phase.CLAIMED, Found.MISSING): Verdict.CREATE,
    (Phase.CLAIMED, Found.CREATED): Verdict.ADOPT,
    (Phase.CLAIMED, Found.FORGOTTEN): Verdict.ADOPT,
    (Phase.CLAIMED, Found.RUNNING): Verdict.ADOPT,
    (Phase.CLAIMED, Found.EXITED): Verdict.ADOPT,
    (Phase.CLAIMED, Found.FOREIGN): Verdict.CREATE,  # under another name, as soon as that is noticed
    **{(Phase.CREATED, found): Verdict.START for found in Found},
    **{(Phase.WAITING, found): Verdict.OPEN for found in Found},
}
"""With a gate: nothing opens it that is not journaled as waiting. So before that, the command provably did
not begin, whatever was found; and from then on, the gate's receipt knows."""


def conclusions(attempt: Attempt, inspected: Inspected) -> Iterator[OfAttempt]:
    """The facts that follow for an attempt whose container was inspected."""
    if not attempt.undecided:
        return
    match verdict(attempt, inspected):
        case Verdict.ADOPT:
            yield _created(inspected)
        case Verdict.REATTACH | Verdict.RECORD:
            # Its end is found by following it, as that of any other: so its output is copied first.
            yield _created(inspected)
            began = inspected.started_at or inspected.at
            yield ContainerStarted(
                key=inspected.key,
                started_at=began,
                at=inspected.at,
                image_id=inspected.image_id,
                created_at=inspected.created_at,
                of_image=inspected.of_image,
            )
        case Verdict.LOST:
            message = (
                f"what became of task {inspected.key.task!r} while no manager ran is not known: the engine "
                f"says that its container {attempt.container.name} is {inspected.found}"
            )
            yield ContainerLost(key=inspected.key, message=message, at=inspected.at)
        case Verdict.REFUSE:
            message = (
                f"task {inspected.key.task!r} could not be started: the name of its container, "
                f"{attempt.container.name}, is taken by a container that is not this task's; look at it with "
                f"`docker inspect {attempt.container.name}`"
            )
            yield LaunchFailed(
                key=inspected.key, failure=Failure(cause=Cause.ENGINE, message=message), at=inspected.at
            )


def verdict(attempt: Attempt, inspected: Inspected) -> Verdict:
    """The table's word for an undecided attempt."""
    table = GATED if attempt.gated and attempt.phase is not Phase.RUNNING else TABLE
    return table[attempt.phase, inspected.found]


def _created(inspected: Inspected) -> ContainerCreated:
    return ContainerCreated(
        key=inspected.key,
        container_id=inspected.container_id,
        image_id=inspected.image_id,
        created_at=inspected.created_at or inspected.at,
        of_image=inspected.of_image,
        at=inspected.at,
    )
