"""Does what was decided, one engine call at a time, and tells the outcome as facts.

Calls are made in a pool of threads; watching a container takes a thread of its own for as long as it runs.
An engine that does not answer is asked again until it does: the outcome of an act is never guessed.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from air_executor.clock import instant, utc_now
from air_executor.errors import BadInput
from air_executor.failpoints import Failpoint, reach
from air_executor.format.attempts import Cause, Failure
from manager.engine.contract import (
    ContainerGone,
    Engine,
    EngineError,
    EngineUnavailable,
    NetworkEnded,
    Observation,
    StartUnanswered,
    Status,
)
from manager.engine.retry import LONGEST_PAUSE, Retry, Stopped
from manager.folder import inbox as intake
from manager.folder import workspace
from manager.folder.task_log import LogFile, keep_earlier_log
from manager.gates.end_listener import EndListener
from manager.gates.gatekeeper import Gatekeeper, lost
from manager.gates.warm_keeper import WarmKeeper
from manager.model.assignment import Act
from manager.model.facts import (
    ContainerCreated,
    ContainerDropped,
    ContainerExited,
    ContainerRemoved,
    ContainerStarted,
    ContainerVoided,
    Fact,
    LaunchFailed,
)
from manager.model.home import Home
from manager.model.values import AttemptKey, ExitResult, WarmOrder
from manager.runtime.stock import StockTaker
from manager.settings import Settings

log = logging.getLogger(__name__)

POOL = 32
STUCK = 2 * LONGEST_PAUSE
"""Seconds without a sign of life from who watches a container that has ended."""
NETWORK_TRIES = 3
INCARNATIONS = 5
"""Containers that one attempt may get, where those before the last never began."""


class Workers:
    """Acts on the engine; every outcome goes to `emit`."""

    def __init__(self, engine: Engine, home: Home, settings: Settings, emit: Callable[[Fact], None]) -> None:
        self._engine = engine
        self._home_id = home.id
        self._emit = emit
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._retry = Retry(emit)
        self._stock = StockTaker(engine, home.id, self._retry)
        self._pool = WarmKeeper(engine, home, settings, self._retry)
        self._ends = EndListener(emit)
        self._gatekeeper = Gatekeeper(engine, home.id, self._pool, self._ends, self._retry)
        self._watching: dict[AttemptKey, LogFile] = {}
        self._began = utc_now()
        self._unanswered: set[AttemptKey] = set()
        """Attempts whose container was asked to start by an engine that went away before it answered."""

    def start(self) -> None:
        """Begin to work. The threads are daemons: a call that hangs does not keep the manager from ending."""
        self._ends.start()
        for number in range(POOL):
            threading.Thread(target=self._work, name=f"engine {number}", daemon=True).start()

    def stop(self) -> None:
        """Begin nothing new; what runs in containers goes on without us."""
        self._retry.stop()

    def take_stock(self, act: Act) -> None:
        """Inspected."""
        self._submit(self._take_stock, act)

    def create(self, act: Act) -> None:
        """ContainerCreated or LaunchFailed; ContainerWaiting or ContainerVoided where it has a gate."""
        self._submit(self._create, act)

    def begin(self, act: Act) -> None:
        """ContainerStarted, LaunchFailed or ContainerLost; ContainerWaiting where it has a gate."""
        self._submit(self._start_gated if act.attempt.gated else self._start, act)

    def open(self, act: Act) -> None:
        """ContainerStarted (then maybe CommandSucceeded), ContainerExited, -Voided or -Lost."""
        self._submit(self._open, act)

    def replace(self, act: Act) -> None:
        """ContainerVoided; or ContainerStarted where it has begun after all."""
        self._submit(self._replace, act)

    def drop(self, act: Act) -> None:
        """ContainerDropped; or ContainerStarted where it has begun after all."""
        self._submit(self._drop_gated if act.attempt.gated else self._drop, act)

    def signal(self, act: Act, signal: str) -> None:
        """No fact: the end of the container is one."""
        self._submit(self._signal, act, signal)

    def remove(self, act: Act) -> None:
        """ContainerRemoved."""
        self._submit(self._remove, act)

    def sweep(self, container: str) -> None:
        """No fact."""
        self._submit(self._sweep, container)

    def foresee(self, warm: str, image: str) -> None:
        """No fact: what has to be known of a warm container when it is opened is asked now."""
        for question in self._pool.questions(warm, image):
            self._submit(question)

    def make_warm(self, order: WarmOrder) -> None:
        """SlotReady or SlotFailed."""
        self._submit(lambda: self._emit(self._pool.make(order)))

    def discard_warm(self, warm: str) -> None:
        """No fact."""
        self._submit(self._pool.discard, warm)

    def discard_all_warm(self, pool: Iterable[str], timeout: float) -> None:
        """Throw them away, as far as that is done in `timeout` seconds: the next manager sweeps the rest."""
        self._pool.discard_all(pool, timeout)

    def watch(self, act: Act) -> None:
        """ContainerExited or ContainerLost, after all output is in the log and the inbox was read."""
        output = LogFile(act.folder, act.task.id, act.spec.log_bytes)
        self._watching[act.key] = output
        name = f"watch {act.spec.name}"
        threading.Thread(
            target=self._guarded, args=(self._watch, act, output), name=name, daemon=True
        ).start()

    def watch_again(self, act: Act) -> None:
        """As `watch`, for a container that has ended, in place of one who watches it and is stuck."""
        before = self._watching.get(act.key)
        if before is not None:
            if before.idle < STUCK:
                return
            before.give_up()
        log.warning("job=%s task=%s has ended unnoticed", act.folder.name, act.task.id)
        self.watch(act)

    def forget(self, key: AttemptKey) -> None:
        """The attempt is over."""
        self._ends.forget(key)
        self._watching.pop(key, None)
        self._unanswered.discard(key)

    # --- In the threads ----------------------------------------------------------------------------------

    def _submit(self, function: Callable[..., None], *args: object) -> None:
        self._calls.put(lambda: self._guarded(function, *args))

    def _work(self) -> None:
        while not self._retry.stopping:
            self._calls.get()()

    def _guarded(self, function: Callable[..., None], *args: object) -> None:
        try:
            function(*args)
        except Stopped:
            pass
        except Exception:
            log.exception("an act on the engine failed in a way that nobody expected: this is a bug")

    def _take_stock(self, act: Act) -> None:
        self._emit(self._stock.take(act))

    def _create(self, act: Act) -> None:
        try:
            self._prepare(act, len(act.task.attempts) - 1)
            container = self._retry.until_answered(lambda: self._create_or_retry(act))
            reach(Failpoint.CREATED_UNRECORDED)
            if act.attempt.gated:  # its command can't begin by that
                self._emit(self._gatekeeper.start(act, container))
            else:  # what else is to be known of it is told when it starts
                now = utc_now()
                self._emit(
                    ContainerCreated(
                        key=act.key, container_id=container, image_id=None, created_at=now, at=now
                    )
                )
        except (BadInput, OSError) as error:
            self._failed(act, Cause.BAD_INPUT, error)
        except EngineError as error:
            self._failed(act, error.cause, error)

    def _sweep(self, container: str) -> None:
        try:
            self._retry.until_answered(lambda: self._engine.remove(container, self._home_id))
        except EngineError as error:  # the next poll finds it again
            log.error("container=%s can't be removed: %s", container, error)

    def _prepare(self, act: Act, earlier: int) -> None:
        """Make the job's folders ready; where the machine is short of something, as soon as it is not."""
        while True:
            try:
                workspace.prepare(act.folder, act.user)
                keep_earlier_log(act.folder, act.task.id, earlier)
                if act.attempt.gated:
                    self._gatekeeper.prepare(act)
                return
            except OSError as error:
                if error.errno not in workspace.TRANSIENT:
                    raise
                log.error("job=%s can't be prepared: %s; trying again", act.folder.name, error)
                self._retry.sleep(LONGEST_PAUSE)

    def _create_or_retry(self, act: Act) -> str:
        """The container that holds the network may go while it is made."""
        for _ in range(NETWORK_TRIES - 1):
            try:
                return self._engine.create(act.spec, act.network)
            except ContainerGone:
                continue
        return self._engine.create(act.spec, act.network)

    def _start(self, act: Act) -> None:
        try:
            found = self._retry.until_answered(lambda: self._begin(act))
        except ContainerGone:
            self._emit(lost(act))
        except NetworkEnded as error:
            if act.key.incarnation < INCARNATIONS:
                self._emit(self._gatekeeper.void(act))
            else:
                self._failed(act, error.cause, error)
        except EngineError as error:
            self._failed(act, error.cause, error)
        else:
            reach(Failpoint.STARTED_UNRECORDED)
            now = utc_now()
            self._emit(replace(_begun(act, found, now), instant=instant()))

    def _start_gated(self, act: Act) -> None:
        try:
            self._emit(self._gatekeeper.start(act, act.container))
        except EngineError as error:
            self._failed(act, error.cause, error)

    def _open(self, act: Act) -> None:
        opened = self._gatekeeper.open(act)
        if isinstance(opened, ContainerStarted):
            reach(Failpoint.STARTED_UNRECORDED)
        self._emit(opened)
        self._ends.listen(act)
        if act.attempt.warm is not None:  # for people: nothing of ours looks for it by name
            with suppress(EngineError):
                self._engine.rename(act.container, act.spec.name)

    def _replace(self, act: Act) -> None:
        self._emit(self._gatekeeper.replace(act))

    def _begin(self, act: Act) -> Observation:
        """Start it; but not where an engine that was restarted may have forgotten that it did."""
        created_at = act.attempt.timings.created_at
        if act.key in self._unanswered and created_at and self._engine.restarted_since(created_at):
            found = self._engine.observe(act.container)
            if found.status is Status.CREATED:
                raise ContainerGone("the engine went down at its start")
            return found
        try:
            return self._engine.start(act.container)
        except StartUnanswered:
            self._unanswered.add(act.key)
            raise

    def _drop_gated(self, act: Act) -> None:
        gone = self._gatekeeper.replace(act)
        self._emit(ContainerDropped(key=act.key, at=utc_now()) if isinstance(gone, ContainerVoided) else gone)

    def _drop(self, act: Act) -> None:
        try:
            found = self._retry.until_done(lambda: self._engine.observe(act.container))
        except ContainerGone:
            self._emit(ContainerDropped(key=act.key, at=utc_now()))
            return
        if found.status is Status.CREATED:
            self._emit(ContainerDropped(key=act.key, at=utc_now()))
        else:
            self._emit(_begun(act, found, utc_now()))

    def _signal(self, act: Act, signal: str) -> None:
        with suppress(ContainerGone):
            self._retry.until_done(lambda: self._engine.signal(act.container, signal))
        reach(Failpoint.SIGNAL_SENT)

    def _remove(self, act: Act) -> None:
        def remove() -> None:
            self._engine.remove(act.container, self._home_id)

        try:
            self._retry.until_answered(remove)
        except EngineError as error:  # the outcome is safe, and the sweep will try to remove it again
            log.error("container=%s can't be removed: %s", act.spec.name, error)
            if self._runs(act):  # but nothing may come to run beside it
                self._retry.until_done(remove)
        if act.attempt.gated:
            self._gatekeeper.clear(act)
        reach(Failpoint.REMOVED_UNRECORDED)
        self._emit(ContainerRemoved(key=act.key, at=utc_now()))

    def _runs(self, act: Act) -> bool:
        try:
            return (
                self._retry.until_done(lambda: self._engine.observe(act.container)).status is Status.RUNNING
            )
        except ContainerGone:
            return False

    def _watch(self, act: Act, output: LogFile) -> None:
        try:
            found = self._retry.until_answered(lambda: self._follow(act, output))
        except ContainerGone:
            self._emit(lost(act))
            return
        finally:
            output.close()
        if output.given_up:
            return
        if output.problem is not None:
            log.error("job=%s task=%s the log is cut short: %s", act.folder.name, act.task.id, output.problem)
        for fact in intake.drain(act.folder, act.key.uid, utc_now()):
            self._emit(fact)
        reach(Failpoint.EXIT_UNRECORDED)
        interrupted = self._retry.until_done(lambda: self._interrupted(act, found))
        outcome = _outcome(found, interrupted=interrupted)
        if act.attempt.gated:
            outcome = replace(outcome, unusable_command=self._gatekeeper.unusable(act, found))
        self._emit(ContainerExited(key=act.key, result=outcome, at=utc_now()))

    def _interrupted(self, act: Act, found: Observation) -> bool:
        """Whether the engine, or its machine, went down about when the container ended."""
        claimed, ended = act.attempt.claimed, found.finished_at
        if ended is None or found.exit_code == 0:
            return False
        if claimed is not None and claimed.boot != instant().boot:
            return True
        if ended < self._began:  # while no manager ran to notice
            return self._engine.restarted_since(ended)
        return self._retry.outages.cover(ended)

    def _follow(self, act: Act, output: LogFile) -> Observation:
        output.restart()
        try:
            self._engine.follow(act.container, output.write)
        except (EngineUnavailable, ContainerGone):
            raise
        except EngineError as error:  # without its output a container still has an outcome
            log.error("job=%s task=%s its output can't be read: %s", act.folder.name, act.task.id, error)
        found = self._engine.observe(act.container)
        if found.status is not Status.EXITED:
            self._engine.wait(act.container)
            found = self._engine.observe(act.container)
        if found.status is not Status.EXITED:
            raise EngineUnavailable("the engine says that it has ended, and that it runs")
        while output.lacks_space:  # what is not in the log yet, the engine has still
            self._retry.sleep(LONGEST_PAUSE)
            output.restart()
            self._engine.follow(act.container, output.write)
        return found

    def _failed(self, act: Act, cause: Cause, error: Exception) -> None:
        """It can't be launched. Where it was to wait at a gate, that is no failure: it never was its turn."""
        if act.attempt.gated:
            log.info("container=%s can't be made ahead of time: %s", act.spec.name, error)
            self._emit(self._gatekeeper.void(act))
            return
        failure = Failure(cause=cause, message=f"task {act.task.id!r} could not be started: {error}")
        self._emit(LaunchFailed(key=act.key, failure=failure, at=utc_now()))


def _begun(act: Act, found: Observation, now: datetime) -> ContainerStarted:
    return ContainerStarted(
        key=act.key,
        started_at=found.started_at or now,
        at=now,
        image_id=found.image_id,
        created_at=found.created_at,
    )


def _outcome(found: Observation, *, interrupted: bool) -> ExitResult:
    finished = found.finished_at or utc_now()
    return ExitResult(
        exit_code=found.exit_code if found.exit_code is not None else -1,
        oom_killed=found.oom_killed,
        started_at=found.started_at or finished,
        finished_at=finished,
        unusable_command=found.unusable_command,
        interrupted=interrupted,
    )
