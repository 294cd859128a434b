"""Follows a running container to its end: its output, its requests, how it ended."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from air_executor.clock import instant, utc_now
from air_executor.errors import BadInput
from air_executor.failpoints import Failpoint, reach
from manager.engine.contract import ContainerGone, Engine, EngineError, EngineUnavailable, Observation, Status
from manager.engine.retry import LONGEST_PAUSE, Retry, Stopped
from manager.folder import deliveries
from manager.folder.inbox import Inboxes, left_by
from manager.folder.masking import Masked
from manager.folder.pace import Pace
from manager.folder.secret_values import SecretUnreadable
from manager.folder.task_log import Enough, LogFile
from manager.folder.trouble import TRANSIENT
from manager.gates.gatekeeper import Gatekeeper, lost
from manager.gates.secret_keeper import SecretKeeper
from manager.model.actions import Watch
from manager.model.assignment import Assignment
from manager.model.delivery import Delivery
from manager.model.facts import ActPostponed, ContainerExited, Fact
from manager.model.values import AttemptKey, ExitResult

log = logging.getLogger(__name__)

LEFT_OUT = b"[air-executor: what follows is left out, for it may have secrets in it: %s]\n"
CALLED_OFF = "its job was called off before it was looked at"
LISTING = 600.0
"""Seconds that the outputs of a task may take to be listed: it holds its runner meanwhile."""
LAST_WORDS = 10.0
"""Seconds that the end of a long output is masked for, of a task of which nothing is wanted any more."""
STUCK = 2 * LONGEST_PAUSE
"""Seconds without a sign of life from who follows a container that has ended."""


class Follower:
    """Follows each container in a thread of its own, made by `run_alone`; every outcome goes to `emit`."""

    def __init__(
        self,
        engine: Engine,
        gatekeeper: Gatekeeper,
        secrets: SecretKeeper,
        retry: Retry,
        inboxes: Inboxes,
        run_alone: Callable[[str, Callable[[], None]], None],
        pace: Pace,
        emit: Callable[[Fact], None],
    ) -> None:
        self._engine = engine
        self._gatekeeper = gatekeeper
        self._secrets = secrets
        self._retry = retry
        self._inboxes = inboxes
        self._run_alone = run_alone
        self._pace = pace
        self._emit = emit
        self._outputs: dict[AttemptKey, LogFile] = {}
        self._hurried: set[AttemptKey] = set()
        self._began = utc_now()

    def follow(self, assignment: Assignment) -> None:
        """ContainerExited or ContainerLost, after all output is in the log and the inbox was read."""
        output = LogFile(assignment.folder, assignment.task.id, assignment.spec.log_bytes)
        self._outputs[assignment.key] = output
        self._inboxes.add(assignment.key, assignment.gate.inbox)
        try:
            self._run_alone(f"follow {assignment.spec.name}", lambda: self._follow(assignment, output))
        except RuntimeError as error:  # the machine gives no further thread
            log.error("container=%s can't be followed now: %s", assignment.spec.name, error)
            output.close()
            self._postpone(assignment)

    def follow_again(self, assignment: Assignment) -> None:
        """As `follow`, for a container that has ended, in place of one who follows it and is stuck."""
        before = self._outputs.get(assignment.key)
        if before is not None:
            if before.idle < STUCK:
                return
            before.give_up()
        log.warning("job=%s task=%s has ended unnoticed", assignment.folder.name, assignment.task.id)
        self.follow(assignment)

    def hurry(self, key: AttemptKey) -> None:
        """Nothing is wanted of the attempt any more: what takes long, and can be left, is left."""
        self._hurried.add(key)

    def forget(self, key: AttemptKey) -> None:
        """The attempt is over."""
        self._outputs.pop(key, None)
        self._hurried.discard(key)
        self._inboxes.remove(key)

    # --- In its thread -----------------------------------------------------------------------------------

    def _follow(self, assignment: Assignment, output: LogFile) -> None:
        """Should it break as nobody foresaw: the container runs on, and is followed again from the start."""
        try:
            self._to_the_end(assignment, output)
        except Stopped:
            raise
        except Exception:
            log.exception("job=%s task=%s is not followed", assignment.folder.name, assignment.task.id)
            self._postpone(assignment)

    def _postpone(self, assignment: Assignment) -> None:
        self._emit(ActPostponed(key=assignment.key, action=Watch(assignment.key), at=utc_now()))

    def _to_the_end(self, assignment: Assignment, output: LogFile) -> None:
        try:
            found = self._retry.until_answered(lambda: self._copy_output(assignment, output))
        except ContainerGone:
            self._drain(assignment)
            self._emit(lost(assignment))
            return
        finally:
            output.close()
        if output.given_up:
            return
        if output.problem is not None:
            log.error(
                "job=%s task=%s the log is cut short: %s",
                assignment.folder.name,
                assignment.task.id,
                output.problem,
            )
        # Its requests before its end: what it has asked for comes before its dependants.
        self._drain(assignment)
        result = self._result(assignment, found)
        if result.exit_code == 0:
            result = replace(result, delivery=self._collected(assignment, output))
        if output.given_up:
            return
        reach(Failpoint.EXIT_UNRECORDED)
        self._emit(ContainerExited(key=assignment.key, result=result, at=utc_now()))

    def _copy_output(self, assignment: Assignment, output: LogFile) -> Observation:
        whole = self._read(assignment, output)
        found = self._engine.observe(assignment.container)
        if found.status is not Status.EXITED:
            self._engine.wait(assignment.container)
            found = self._engine.observe(assignment.container)
        if found.status is not Status.EXITED:
            raise EngineUnavailable("the engine says that it has ended, and that it runs")
        while not output.end(whole):  # what is not in the log yet, the engine has still
            if output.lacks_space:
                self._retry.sleep(LONGEST_PAUSE)
            try:
                whole = self._read(assignment, output)
            except ContainerGone:  # how it ended is known already
                whole = False
        return found

    def _read(self, assignment: Assignment, output: LogFile) -> bool:
        """Whether all of its output was given, for sure. Raises EngineUnavailable, ContainerGone, Stopped."""
        output.restart()
        try:
            return self._copy(assignment, output)
        except Enough:
            return False
        except (EngineUnavailable, ContainerGone, Stopped):
            raise
        except Exception as error:  # without its output a container still has an outcome
            log.error(
                "job=%s task=%s its output can't be read: %s",
                assignment.folder.name,
                assignment.task.id,
                error,
                exc_info=None if isinstance(error, EngineError) else error,
            )
            return False

    def _copy(self, assignment: Assignment, output: LogFile) -> bool:
        """Without what the operator wants to be masked; of what can't be masked, nothing."""
        try:
            values = self._secrets.to_mask(assignment)
        except SecretUnreadable as error:
            output.write(LEFT_OUT % str(error).encode())
            return False
        if not values:
            return self._engine.follow(assignment.container, output.write)
        masked, began = Masked(values, output.write), time.monotonic()

        def write(chunk: bytes) -> None:
            late = time.monotonic() - began > LAST_WORDS
            if late and output.has_ended and assignment.key in self._hurried:
                output.restart()  # what came is not the end
                output.write(LEFT_OUT % b"its job was called off before all was masked")
                raise Enough
            masked.write(chunk)

        whole = self._engine.follow(assignment.container, write)
        masked.end()
        return whole

    def _drain(self, assignment: Assignment) -> None:
        """What can't be told of its inbox must not keep its end from being told."""
        try:
            for fact in left_by(assignment.key, assignment.gate.inbox, assignment.folder, utc_now()):
                self._emit(fact)
        except Exception:
            log.exception("job=%s its inbox can't be read", assignment.folder.name)

    def _collected(self, assignment: Assignment, output: LogFile) -> Delivery:
        """What it hands over, before its dependants begin: they may change it. Not for ever."""
        deadline = time.monotonic() + LISTING

        def heed() -> None:
            """What is to be known between two steps. Raises Stopped, BadInput."""
            output.touch()
            if self._retry.stopping:
                raise Stopped
            if assignment.key in self._hurried:
                raise BadInput(CALLED_OFF, field="outputs")
            if time.monotonic() > deadline:
                raise BadInput(
                    f"they take longer than {LISTING:g} s to list: promise fewer or smaller files, or look "
                    "through fewer folders",
                    field="outputs",
                )

        while True:
            try:
                return deliveries.collect(assignment, self._secrets.to_mask, self._pace, heed)
            except OSError as error:
                if error.errno not in TRANSIENT:
                    return Delivery(problem=f"{error.filename or ''} {error.strerror}".strip())
                log.error("job=%s what it leaves can't be read: %s", assignment.folder.name, error)
                self._retry.sleep(LONGEST_PAUSE)
                if assignment.key in self._hurried:
                    return Delivery(problem=CALLED_OFF)

    def _result(self, assignment: Assignment, found: Observation) -> ExitResult:
        finished = found.finished_at or utc_now()
        result = ExitResult(
            exit_code=found.exit_code if found.exit_code is not None else -1,
            oom_killed=found.oom_killed,
            started_at=found.started_at or finished,
            finished_at=finished,
            unusable_command=found.unusable_command,
        )
        try:
            return self._explained(assignment, found, result)
        except Stopped:
            raise
        except Exception:
            log.exception(
                "job=%s task=%s why it ended, is not known", assignment.folder.name, assignment.task.id
            )
            return result

    def _explained(self, assignment: Assignment, found: Observation, result: ExitResult) -> ExitResult:
        """The result, with what others know of how it came."""
        interrupted = self._retry.until_done(lambda: self._interrupted(assignment, found))
        result = replace(result, interrupted=interrupted)
        if assignment.attempt.gated:
            return replace(
                result,
                unusable_command=self._gatekeeper.unusable(assignment, found),
                signalled=self._gatekeeper.signalled(assignment, found.exit_code),
            )
        return result

    def _interrupted(self, assignment: Assignment, found: Observation) -> bool:
        """Whether the engine, or its machine, went down about when the container ended."""
        claimed, ended = assignment.attempt.claimed, found.finished_at
        if ended is None or found.exit_code == 0:
            return False
        if claimed is not None and claimed.boot != instant().boot:
            return True
        if ended < self._began:  # while no manager ran to notice
            return self._engine.restarted_since(ended)
        return self._retry.outages.cover(ended)
