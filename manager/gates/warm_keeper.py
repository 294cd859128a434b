"""Makes warm containers, throws them away, and vouches for those that jobs get."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from air_executor.clock import utc_now
from air_executor.errors import BadInput
from air_executor.failpoints import Failpoint, reach
from manager.core import policy
from manager.engine.contract import Engine, EngineError, Observation, Status
from manager.engine.host_network import HostNetwork
from manager.engine.of_image import of_image
from manager.engine.retry import Retry, Stopped
from manager.folder import task_log, workspace
from manager.folder.pace import Pace
from manager.gates import gate_folder
from manager.model import containers
from manager.model.assignment import Assignment
from manager.model.facts import WarmFailed, WarmReady
from manager.model.home import Home
from manager.model.values import Owner, WarmContainer, WarmOrder, first_of, is_spare, spare_of
from manager.settings import Settings

log = logging.getLogger(__name__)

FRESH = 1.0
"""Seconds for which an answer of the engine about a warm container holds. Should its network end within them,
the command is stopped for that, as one that began before."""


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the engine says, as soon as it does: which image has the name now, and who holds the network."""

    since: float
    image_id: Future[str | None] = field(default_factory=Future)
    network: Future[Observation] = field(default_factory=Future)


class WarmKeeper:
    """Used from the threads of the workers; `prefetch` is used by whoever hands its calls to them."""

    def __init__(
        self,
        engine: Engine,
        home: Home,
        settings: Settings,
        network: HostNetwork,
        retry: Retry,
        pace: Pace,
    ) -> None:
        self._engine = engine
        self._home = home
        self._settings = settings
        self._network = network
        self._retry = retry
        self._pace = pace
        self._asked: dict[str, _Answers] = {}

    def go_by(self, settings: Settings) -> None:
        """What follows from the engine's host is known now."""
        self._settings = settings

    def make(self, order: WarmOrder) -> WarmReady | WarmFailed:
        """Have a container wait at its gate, and its spare. Where that fails, nothing is left of them."""
        try:
            self._prepare(order)
            spare = self._waiting(spare_of(order.name), order)
            warm = replace(self._waiting(order.name, order), spare=spare)
        except (EngineError, OSError, BadInput) as error:
            return self._failed(order, str(error))
        except Stopped:
            raise
        except Exception as error:
            log.exception("container=%s can't be made", order.name)
            return self._failed(order, repr(error))
        reach(Failpoint.WARM_WAITING)
        return WarmReady(warm=warm)

    def _failed(self, order: WarmOrder, message: str) -> WarmFailed:
        self.discard(order.name)
        return WarmFailed(name=order.name, message=message, at=utc_now())

    def discard(self, warm: str) -> None:
        """Remove what belongs to a warm container that nobody got, or to a spare that nobody needs.

        What can't be removed now is later: containers by the sweep, folders by the next manager.
        """
        try:
            self._discard(warm)
        except Exception:
            log.exception("container=%s can't be thrown away whole", warm)

    def _discard(self, warm: str) -> None:
        if is_spare(warm):
            self._discard_one(warm)
            return
        for name in (spare_of(warm), warm):
            self._discard_one(name)
        workspace.delete(self._home.work(warm))
        self._remove(containers.warm_network_name(warm))

    def _discard_one(self, container: str) -> None:
        self._remove(container)
        workspace.delete(self._home.gate(container).path)

    def _remove(self, container: str) -> None:
        try:
            self._engine.remove(container, self._home.id)
        except EngineError as error:  # the sweep does it later
            log.info("container=%s can't be removed now: %s", container, error)

    def discard_all(self, names: Iterable[str], timeout: float) -> None:
        """Discard them at the same time, as far as that is done in `timeout` seconds."""
        deadline = time.monotonic() + timeout
        threads = [threading.Thread(target=self.discard, args=(name,), daemon=True) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def prefetch(self, warm: str, image: str) -> Iterator[Callable[[], None]]:
        """What `vouch_for` will ask of the engine: whoever puts it before, spares it the time."""
        answers = self._asked[warm] = _Answers(time.monotonic())
        yield partial(_answer, answers.image_id, partial(self._engine.image_id, image))
        yield partial(_answer, answers.network, partial(self._observe_network, warm))

    def vouch_for(self, assignment: Assignment) -> None:
        """Whether the warm container still is what the attempt is to get.

        Its work folder is the job's from the claim on: all that is left to do is to show people where it is.
        Raises BadInput, OSError or EngineError when it must not be used.
        """
        image_id, network = self._answers(assignment.attempt.warm or "", assignment.attempt.container.image)
        if image_id != assignment.attempt.container.image_id:
            raise EngineError(f"the image {assignment.attempt.container.image} is another one now")
        if network.status is not Status.RUNNING:
            raise EngineError("the container that holds its network has ended")
        joined = assignment.attempt.timings.created_at
        if joined is not None and network.created_at > joined:
            raise EngineError("the container that held its network has ended; another one has its name")
        if assignment.work != self._home.work(first_of(assignment.attempt.warm or "")):
            raise EngineError("it has not mounted the job's work folder")
        self.share(assignment)
        # Of another attempt; or it came with a folder that was copied.
        earlier = len(assignment.task.attempts) - 1
        task_log.keep_earlier_log(assignment.folder, assignment.task.id, earlier)

    def share(self, assignment: Assignment) -> None:
        """Have the task's user write in what others have made. Raises BadInput or OSError."""
        whose = (assignment.user, assignment.sharers, assignment.inputs)
        workspace.prepare(assignment.folder, assignment.work, *whose, self._pace)

    def _answers(self, warm: str, image: str) -> tuple[str | None, Observation]:
        asked = self._asked.pop(warm, None)
        if asked is not None and time.monotonic() - asked.since < FRESH:
            return asked.image_id.result(), asked.network.result()
        return self._engine.image_id(image), self._observe_network(warm)

    def _observe_network(self, warm: str) -> Observation:
        return self._engine.observe(containers.warm_network_name(warm))

    def forget(self, warm: str) -> None:
        """Nobody will ask for it any more."""
        self._asked.pop(warm, None)

    def _prepare(self, order: WarmOrder) -> None:
        workspace.make_work(self._home.work(order.name), order.user)
        for warm in (order.name, spare_of(order.name)):
            own = self._home.gate(warm)
            gate_folder.prepare(own.control, own.receipt, order.user)
            gate_folder.prepare_inbox(own, order.user)

    def _waiting(self, warm: str, order: WarmOrder) -> WarmContainer:
        found = self._retry.until_answered(lambda: self._launch(warm, order.user))
        if found.status is not Status.RUNNING or found.started_at is None:
            raise EngineError("its container ended before its gate was opened")
        learned = of_image(self._engine, self._retry, found.image_id)
        return WarmContainer(
            warm, order.user, found.id, found.image_id, found.created_at, found.started_at, learned
        )

    def _launch(self, warm: str, user: Owner) -> Observation:
        network = containers.warm_network_container(warm, self._home, self._settings)
        grant = policy.usual_grant(user, network.name, self._settings)
        spec = containers.warm_container(warm, grant, self._home)
        return self._engine.start(self._engine.create(spec, self._network.guarded(network)))


def _answer(answer: Future[Any], ask: Callable[[], object]) -> None:
    try:
        answer.set_result(ask())
    except Exception as error:  # for whoever waits for it
        answer.set_exception(error)
