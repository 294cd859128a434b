"""Makes warm containers, throws them away, and moves a job into the folders of the one that it got."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from air_executor.clock import utc_now
from air_executor.errors import BadInput
from air_executor.failpoints import Failpoint, reach
from air_executor.format import layout
from air_executor.untrusted import opened
from manager.core import policy
from manager.engine.contract import Engine, EngineError, Observation, Status
from manager.engine.host_network import HostNetwork
from manager.engine.retry import Retry
from manager.folder import workspace
from manager.gates import gate_folder
from manager.model import containers
from manager.model.assignment import Assignment
from manager.model.facts import WarmFailed, WarmReady
from manager.model.home import GateFolder, Home
from manager.model.values import Owner, WarmContainer, WarmOrder, first_of, is_spare, spare_of
from manager.settings import Settings

log = logging.getLogger(__name__)

FOLDERS = (layout.WORK, layout.INBOX)
"""What a job takes over from its warm container, in this order."""

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
        self, engine: Engine, home: Home, settings: Settings, network: HostNetwork, retry: Retry
    ) -> None:
        self._engine = engine
        self._home = home
        self._settings = settings
        self._network = network
        self._retry = retry
        self._asked: dict[str, _Answers] = {}

    def make(self, order: WarmOrder) -> WarmReady | WarmFailed:
        """Have a container wait at its gate, and its spare. Where that fails, nothing is left of them."""
        try:
            self._prepare(order)
            spare = self._waiting(spare_of(order.name), order)
            warm = replace(self._waiting(order.name, order), spare=spare)
        except (EngineError, OSError, BadInput) as error:
            self.discard(order.name)
            return WarmFailed(name=order.name, message=str(error), at=utc_now())
        reach(Failpoint.WARM_WAITING)
        return WarmReady(warm=warm)

    def discard(self, warm: str) -> None:
        """Remove what belongs to a warm container that nobody got, or to a spare."""
        if self._is_vacant(warm):
            self.discard(spare_of(warm))
        self._remove(warm)
        self._delete(warm)
        if not is_spare(warm):
            self._remove(containers.warm_network_name(warm))

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
        """What `move_in` will ask of the engine: whoever puts it before, spares it the time."""
        answers = self._asked[warm] = _Answers(time.monotonic())
        yield partial(_answer, answers.image_id, partial(self._engine.image_id, image))
        yield partial(_answer, answers.network, partial(self._observe_network, warm))

    def move_in(self, assignment: Assignment) -> None:
        """Make the folders that the warm container has mounted the job's own; a mount follows its folder.

        What was begun by the manager before this one is finished: what is not in its folder now, was moved.
        Raises OSError or EngineError when that can't be; then the container must not be used.
        """
        warm = first_of(assignment.attempt.warm or "")
        image_id, network = self._answers(assignment.attempt.warm or "", assignment.attempt.container.image)
        if image_id != assignment.attempt.container.image_id:
            raise EngineError(f"the image {assignment.attempt.container.image} is another one now")
        if network.status is not Status.RUNNING:
            raise EngineError("the container that holds its network has ended")
        joined = assignment.attempt.timings.created_at
        if joined is not None and network.created_at > joined:
            raise EngineError("the container that held its network has ended; another one has its name")
        if not is_spare(assignment.attempt.warm or ""):
            self._move_folders(warm, assignment)
        elif self._is_vacant(warm):
            raise EngineError("the folders of the warm container that it is a spare of are not the job's")
        workspace.prepare(assignment.folder, assignment.user)

    def _answers(self, warm: str, image: str) -> tuple[str | None, Observation]:
        asked = self._asked.pop(warm, None)
        if asked is not None and time.monotonic() - asked.since < FRESH:
            return asked.image_id.result(), asked.network.result()
        return self._engine.image_id(image), self._observe_network(warm)

    def _observe_network(self, warm: str) -> Observation:
        return self._engine.observe(containers.warm_network_name(warm))

    def clear(self, warm: str) -> None:
        """Delete what is left of its folders. Where nobody has moved in, its spare is of no use either."""
        self._asked.pop(warm, None)
        if self._is_vacant(warm):
            # A task may have got it already: its gate must not go before its container.
            spare = spare_of(warm)
            self._retry.until_done(lambda: self._engine.remove(spare, self._home.id))
            self._delete(spare_of(warm))
        self._delete(warm)

    def _delete(self, warm: str) -> None:
        workspace.delete(self._folder(warm))
        workspace.delete(self._gate(warm).path)

    def _is_vacant(self, warm: str) -> bool:
        """Whether no job has taken all of its folders over: the last of them is there."""
        return (self._folder(warm) / FOLDERS[-1]).exists()

    def _move_folders(self, warm: str, assignment: Assignment) -> None:
        with opened(self._folder(warm)) as source, opened(assignment.folder) as target:
            for name in FOLDERS:
                if _is_in(source, name):
                    _move(name, source, target)
                    reach(Failpoint.WARM_MOVED)

    def _prepare(self, order: WarmOrder) -> None:
        folder = self._folder(order.name)
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700)
        workspace.prepare(folder, order.user)
        for warm in (order.name, spare_of(order.name)):
            own = self._gate(warm)
            gate_folder.prepare(own.control, own.receipt, order.user)

    def _waiting(self, warm: str, order: WarmOrder) -> WarmContainer:
        found = self._retry.until_answered(lambda: self._launch(warm, order.user))
        if found.status is not Status.RUNNING or found.started_at is None:
            raise EngineError("its container ended before its gate was opened")
        return WarmContainer(warm, order.user, found.id, found.image_id, found.created_at, found.started_at)

    def _launch(self, warm: str, user: Owner) -> Observation:
        network = containers.warm_network_container(warm, self._home, self._settings)
        grant = policy.usual_grant(user, network.name, self._settings)
        spec = containers.warm_container(warm, grant, self._home)
        return self._engine.start(self._engine.create(spec, self._network.guarded(network)))

    def _folder(self, warm: str) -> Path:
        return self._home.warm(warm)

    def _gate(self, warm: str) -> GateFolder:
        return self._home.gate(warm)


def _answer(answer: Future[Any], ask: Callable[[], object]) -> None:
    try:
        answer.set_result(ask())
    except Exception as error:  # for whoever waits for it
        answer.set_exception(error)


def _is_in(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _move(name: str, source: int, target: int) -> None:
    if _is_in(target, name):  # renaming would put it in the place of an empty folder
        raise FileExistsError(f"the job has a folder {name} of its own")
    os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
