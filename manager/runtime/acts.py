"""What each action asks of the engine; the answer is a fact.

An engine that does not answer is asked again until it does: the outcome of an act is never guessed. And no
act is without outcome: `Acts._outcome_of_break` has the one of each, should it fail as nobody foresaw.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from air_executor.clock import instant, utc_now
from air_executor.errors import BadInput
from air_executor.failpoints import Failpoint, reach
from air_executor.format.arguments import Unresolved
from air_executor.format.attempts import Cause, Failure
from manager.engine.contract import (
    ContainerGone,
    Engine,
    EngineError,
    NameTaken,
    NetworkEnded,
    Observation,
    StartUnanswered,
    Status,
)
from manager.engine.host_network import HostNetwork
from manager.engine.of_image import of_image
from manager.engine.retry import LONGEST_PAUSE, Retry, Stopped
from manager.folder import result_file, task_log, workspace
from manager.folder.pace import Pace
from manager.folder.trouble import TRANSIENT
from manager.gates import gate_folder, spaces
from manager.gates.gatekeeper import Gatekeeper, lost
from manager.model import containers
from manager.model.actions import Create, Drop, EngineAction, Inspect, Open, Remove, Replace, Signal, Start
from manager.model.assignment import Assignment
from manager.model.container_spec import HOME_ID, key_of, warm_of
from manager.model.facts import (
    ActPostponed,
    Completion,
    ContainerCreated,
    ContainerDropped,
    ContainerLost,
    ContainerRemoved,
    ContainerStarted,
    ContainerVoided,
    Fact,
    Inspected,
    LaunchFailed,
)
from manager.model.home import Home
from manager.model.values import AttemptKey, Found

log = logging.getLogger(__name__)

NETWORK_TRIES = 3
KILLS = 20
KILL_PAUSE = 0.2
"""How often a container is killed that must not run on, and seconds between two looks whether it ended."""


class Acts:
    """Performs the actions of attempts, from any thread; every outcome goes to `emit`."""

    def __init__(
        self,
        engine: Engine,
        home: Home,
        network: HostNetwork,
        gatekeeper: Gatekeeper,
        retry: Retry,
        pace: Pace,
        emit: Callable[[Fact], None],
    ) -> None:
        self._engine = engine
        self._home_id = home.id
        self._retry = retry
        self._emit = emit
        self._gatekeeper = gatekeeper
        self._plain = _Plain(engine, home.id, network, gatekeeper, retry, pace)
        self._gated = _Gated(engine, home.id, network, gatekeeper, retry, pace)

    def perform(self, action: EngineAction, assignment: Assignment) -> None:
        """One engine call, as a rule, and what follows from its answer. Raises Stopped, and nothing else."""
        try:
            self._do(action, assignment)
        except Stopped:
            raise
        except Exception as error:
            log.exception(
                "job=%s task=%s %s broke", assignment.folder.name, assignment.task.id, type(action).__name__
            )
            self._emit(self._outcome_of_break(action, assignment, error))

    def _outcome_of_break(self, action: EngineAction, assignment: Assignment, error: Exception) -> Completion:
        """What an act comes to that failed as nobody foresaw: a fact that ends it, or has it done again."""
        match action:
            case Create():  # a command begins only after that is on record
                return _failed(assignment, Cause.ENGINE, error)
            case Start() if assignment.attempt.gated:  # nobody opens its gate
                return _failed(assignment, Cause.ENGINE, error)
            case Start() | Open() | Replace():  # it may have begun, and may run
                return self._put_down(action, assignment, error)
            case Inspect() | Drop() | Signal() | Remove():  # nothing is known, or gone, before they are done
                return ActPostponed(key=assignment.key, action=action, at=utc_now())
            case _:
                assert_never(action)

    def _put_down(self, action: EngineAction, assignment: Assignment, error: Exception) -> Completion:
        """Its end: that nothing of it runs any more is seen to. As long as that can't be, the act goes on."""
        try:
            ended = self._kill(assignment)
        except Stopped:
            raise
        except Exception:
            log.exception("container=%s can't be ended", assignment.container)
            ended = False
        if not ended:
            return ActPostponed(key=assignment.key, action=action, at=utc_now())
        return ContainerLost(key=assignment.key, message=_broken(assignment, error), at=utc_now())

    def _kill(self, assignment: Assignment) -> bool:
        """Whether nothing of it runs any more."""
        for _ in range(KILLS):
            if not self._plain.runs(assignment):
                return True
            with suppress(ContainerGone):
                self._retry.until_answered(lambda: self._engine.signal(assignment.container, "SIGKILL"))
            self._retry.sleep(KILL_PAUSE)
        return False

    def _do(self, action: EngineAction, assignment: Assignment) -> None:
        verbs = self._gated if assignment.attempt.gated else self._plain
        match action:
            case Inspect():
                self._emit(self._inspect(assignment))
            case Create():
                self._emit(verbs.create(assignment))
            case Start():
                self._emit(verbs.start(assignment))
            case Open():
                self._emit(self._gated.open(assignment))
                self._opened(assignment)
            case Replace():
                self._emit(self._gated.replace(assignment))
            case Drop():
                self._emit(verbs.drop(assignment))
            case Remove():
                self._emit(verbs.remove(assignment))
            case Signal():
                self._signal(assignment, action.signal)
            case _:
                assert_never(action)

    def _opened(self, assignment: Assignment) -> None:
        """What became of the gate has been told: what breaks from here on costs some speed, and no more."""
        try:
            self._gated.opened(assignment)
        except Stopped:
            raise
        except Exception:
            log.exception("container=%s is not listened to", assignment.spec.name)

    def sweep(self, container: str) -> None:
        """Remove a container that serves nobody. No fact: should it fail, the next poll finds it again."""
        try:
            self._retry.until_answered(lambda: self._engine.remove(container, self._home_id))
        except EngineError as error:
            log.error("container=%s can't be removed: %s", container, error)
        except Stopped:
            raise
        except Exception:
            log.exception("container=%s can't be removed", container)

    def forget(self, key: AttemptKey) -> None:
        """The attempt is over."""
        self._plain.forget(key)
        self._gatekeeper.forget(key)

    def _signal(self, assignment: Assignment, signal: str) -> None:
        """No fact: the end of the container is one."""
        with suppress(ContainerGone):
            self._retry.until_done(lambda: self._engine.signal(assignment.container, signal))
        reach(Failpoint.SIGNAL_SENT)

    def _inspect(self, assignment: Assignment) -> Inspected:
        """What stands under the attempt's name; that of a warm container may not be its own yet."""
        name = assignment.spec.name if assignment.attempt.warm is None else assignment.container
        try:
            found = self._retry.until_done(lambda: self._engine.observe(name))
        except ContainerGone:
            return Inspected(key=assignment.key, found=Found.MISSING, at=utc_now())
        inspected = Inspected(
            key=assignment.key,
            found=self._retry.until_done(lambda: self._kind(assignment, found)),
            at=utc_now(),
            container_id=found.id,
            image_id=found.image_id,
            created_at=found.created_at,
            started_at=found.started_at,
            of_image=of_image(self._engine, self._retry, found.image_id),
        )
        reach(Failpoint.INSPECTED)
        return inspected

    def _kind(self, assignment: Assignment, found: Observation) -> Found:
        attempt = assignment.attempt
        named_right = key_of(found.labels) == assignment.key
        its_own = named_right if attempt.warm is None else warm_of(found.labels) == attempt.warm
        ours = found.labels.get(HOME_ID) == self._home_id and its_own
        if not ours or attempt.container.id not in (None, found.id):
            return Found.FOREIGN
        if found.status is Status.CREATED and self._engine.restarted_since(found.created_at):
            return Found.FORGOTTEN
        return Found(found.status.value)


@dataclass
class _Verbs:
    """What is the same whether a container has a gate or not."""

    _engine: Engine
    _home_id: str
    _network: HostNetwork
    _gatekeeper: Gatekeeper
    _retry: Retry
    _pace: Pace

    def remove(self, assignment: Assignment) -> ContainerRemoved:
        """It is gone, and what was its alone."""
        self._remove(assignment)
        try:
            self._gatekeeper.clear(assignment)
            if assignment.attempt.dropped:
                before = assignment.key.number - 1
                task_log.restore_earlier_log(assignment.folder, assignment.task.id, before)
        except Stopped:
            raise
        except Exception:  # the next manager deletes what no attempt has
            log.exception("container=%s what was its alone can't be cleared up", assignment.spec.name)
        reach(Failpoint.REMOVED_UNRECORDED)
        return ContainerRemoved(key=assignment.key, at=utc_now())

    def _created(self, assignment: Assignment) -> str:
        """The id of the container, made or adopted. Raises BadInput, OSError, EngineError."""
        self._prepare(assignment)
        container = self._retry.until_answered(lambda: self._create_or_retry(assignment))
        reach(Failpoint.CREATED_UNRECORDED)
        return container

    def _prepare(self, assignment: Assignment) -> None:
        """Make the job's folders ready; where the machine is short of something, as soon as it is not."""
        while True:
            try:
                workspace.prepare(
                    assignment.folder,
                    assignment.work,
                    assignment.user,
                    assignment.sharers,
                    assignment.inputs,
                    self._pace,
                )
                earlier = len(assignment.task.attempts) - 1
                task_log.keep_earlier_log(assignment.folder, assignment.task.id, earlier)
                if assignment.attempt.gated:
                    self._gatekeeper.prepare(assignment)
                elif way := containers.in_work(assignment.spec.workdir):
                    workspace.make_workdir(assignment.work, way, assignment.user)
                gate_folder.prepare_inbox(assignment.gate, assignment.user)
                if not assignment.attempt.gated:
                    result_file.give(assignment.gate.inbox, assignment.results)
                spaces.prepare(assignment)
                return
            except OSError as error:
                if error.errno not in TRANSIENT:
                    raise
                log.error("job=%s can't be prepared: %s; trying again", assignment.folder.name, error)
                self._retry.sleep(LONGEST_PAUSE)

    def _create_or_retry(self, assignment: Assignment) -> str:
        """The container that holds the network may go while it is made."""
        network = None if assignment.network is None else self._network.guarded(assignment.network)
        for _ in range(NETWORK_TRIES - 1):
            try:
                return self._engine.create(assignment.spec, network)
            except ContainerGone:
                continue
        return self._engine.create(assignment.spec, network)

    def _remove(self, assignment: Assignment) -> None:
        def remove() -> None:
            self._engine.remove(assignment.container, self._home_id)

        try:
            self._retry.until_answered(remove)
            if assignment.grant.network.kind == "private" and assignment.network is not None:
                name = assignment.network.name
                self._retry.until_answered(lambda: self._engine.remove(name, self._home_id))
        except EngineError as error:  # the outcome is safe, and the sweep will try to remove it again
            log.error("container=%s can't be removed: %s", assignment.spec.name, error)
            if self.runs(assignment):  # but nothing may come to run beside it
                self._retry.until_done(remove)

    def runs(self, assignment: Assignment) -> bool:
        """Whether something of it runs, its gate among others."""
        try:
            found = self._retry.until_done(lambda: self._engine.observe(assignment.container))
        except ContainerGone:
            return False
        return found.status is Status.RUNNING


@dataclass
class _Plain(_Verbs):
    """The verbs for a container whose first process is the command: to start it, is to begin."""

    _unanswered: set[AttemptKey] = field(default_factory=set, init=False)
    """Attempts whose container was asked to start by an engine that went away before it answered."""

    def create(self, assignment: Assignment) -> ContainerCreated | LaunchFailed:
        """What else is to be known of the container is told when it starts."""
        try:
            container = self._created(_with_results(assignment))
        except (BadInput, OSError, EngineError) as error:
            return _failed(assignment, _cause_of(error), error)
        now = utc_now()
        return ContainerCreated(
            key=assignment.key, container_id=container, image_id=None, created_at=now, at=now
        )

    def start(self, assignment: Assignment) -> Fact:
        """ContainerStarted, LaunchFailed, ContainerVoided or ContainerLost."""
        try:
            found = self._retry.until_answered(lambda: self._begin(assignment))
        except ContainerGone:
            return lost(assignment)
        except NetworkEnded as error:
            return self._gatekeeper.void(assignment, str(error))
        except EngineError as error:
            return _failed(assignment, error.cause, error)
        reach(Failpoint.STARTED_UNRECORDED)
        now, moment = utc_now(), instant()
        learned = of_image(self._engine, self._retry, found.image_id)
        return replace(_started(assignment, found, now), instant=moment, of_image=learned)

    def drop(self, assignment: Assignment) -> ContainerDropped | ContainerStarted:
        """Not where it has begun after all. It is removed when that is recorded."""
        try:
            found = self._retry.until_done(lambda: self._engine.observe(assignment.container))
        except ContainerGone:
            return ContainerDropped(key=assignment.key, at=utc_now())
        if found.status is Status.CREATED:
            return ContainerDropped(key=assignment.key, at=utc_now())
        return _started(assignment, found, utc_now())

    def forget(self, key: AttemptKey) -> None:
        """The attempt is over."""
        self._unanswered.discard(key)

    def _begin(self, assignment: Assignment) -> Observation:
        """Start it; but not where an engine that was restarted may have forgotten that it did."""
        created_at = assignment.attempt.timings.created_at
        unanswered = assignment.key in self._unanswered
        if unanswered and created_at and self._engine.restarted_since(created_at):
            found = self._engine.observe(assignment.container)
            if found.status is Status.CREATED:
                raise ContainerGone("the engine went down at its start")
            return found
        try:
            return self._engine.start(assignment.container)
        except StartUnanswered:
            self._unanswered.add(assignment.key)
            raise


def _with_results(assignment: Assignment) -> Assignment:
    """What it is created with, is what it runs. Raises Unresolved where results are not there."""
    if assignment.own_words == assignment.task.words:
        return assignment
    return replace(assignment, spec=replace(assignment.spec, command=assignment.own_words))


class _Gated(_Verbs):
    """The verbs for a container that begins with a gate: before that is opened, its command provably has not.

    What goes wrong before its turn has come is never the task's failure: another container is made when it
    has, and what goes wrong with that is told.
    """

    def create(self, assignment: Assignment) -> Fact:
        """ContainerWaiting, ContainerVoided or LaunchFailed."""
        return self._waiting(assignment, self._created)

    def start(self, assignment: Assignment) -> Fact:
        """As `create`: after a restart, of one that was only created."""
        return self._waiting(assignment, lambda assignment: assignment.container)

    def open(self, assignment: Assignment) -> Fact:
        """ContainerStarted, ContainerExited, ContainerVoided or ContainerLost; or LaunchFailed where results
        that it needs are not there."""
        try:
            told = self._gatekeeper.open(assignment)
        except Unresolved as error:
            return _failed(assignment, Cause.BAD_INPUT, error)
        if isinstance(told, ContainerStarted):
            reach(Failpoint.STARTED_UNRECORDED)
        return told

    def opened(self, assignment: Assignment) -> None:
        """What became of the gate has been told; now its command's end may be. No fact by itself."""
        self._gatekeeper.listen(assignment)
        if assignment.attempt.warm is not None:  # for people: nothing of ours looks for it by name
            with suppress(EngineError):
                self._engine.rename(assignment.container, assignment.spec.name)

    def replace(self, assignment: Assignment) -> Fact:
        """ContainerVoided; or ContainerStarted where it has begun after all."""
        return self._gatekeeper.replace(assignment)

    def drop(self, assignment: Assignment) -> Fact:
        """ContainerDropped; or ContainerStarted where it has begun after all."""
        gone = self._gatekeeper.replace(assignment)
        if isinstance(gone, ContainerVoided):
            return ContainerDropped(key=assignment.key, at=utc_now())
        return gone

    def _waiting(self, assignment: Assignment, container: Callable[[Assignment], str]) -> Fact:
        try:
            return self._gatekeeper.start(assignment, container(assignment))
        except Stopped:
            raise
        except (NetworkEnded, ContainerGone, NameTaken) as error:
            return self._gatekeeper.void(assignment, str(error))
        except Exception as error:
            if assignment.attempt.needed:
                return _failed(assignment, _cause_of(error), error)
            log.info("container=%s can't be made ahead of time: %s", assignment.spec.name, error)
            return self._gatekeeper.void(assignment, str(error))


def _started(assignment: Assignment, found: Observation, now: datetime) -> ContainerStarted:
    return ContainerStarted(
        key=assignment.key,
        started_at=found.started_at or now,
        at=now,
        image_id=found.image_id,
        created_at=found.created_at,
    )


def _cause_of(error: Exception) -> Cause:
    """Of a container that can't be made."""
    match error:
        case BadInput() | OSError():
            return Cause.BAD_INPUT
        case EngineError():
            return error.cause
        case _:
            return Cause.ENGINE


def _failed(assignment: Assignment, cause: Cause, error: Exception) -> LaunchFailed:
    foreseen = isinstance(error, BadInput | OSError | EngineError)
    told = error if foreseen else f"{type(error).__name__}: {error} (manager.log has the details)"
    message = f"task {assignment.task.id!r} could not be started: {told}"
    return LaunchFailed(key=assignment.key, failure=Failure(cause=cause, message=message), at=utc_now())


def _broken(assignment: Assignment, error: Exception) -> str:
    return (
        f"task {assignment.task.id!r} was ended because the manager could not see to its begin: "
        f"{type(error).__name__}: {error} (manager.log has the details)"
    )
