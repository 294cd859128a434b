"""What tasks may send to on this engine's host, and whether that can be seen to: found out by doing it.

And what holds the networks of tasks hears from here that there is still a manager.
"""

import logging
import secrets
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from manager.engine.contract import Engine, EngineError, EngineUnavailable, Observation, Status
from manager.model import containers, egress
from manager.model.container_spec import GUARD, ContainerSpec
from manager.model.home import Home
from manager.model.values import Guard
from manager.settings import OPEN, Settings

log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds for which whoever needs the guard waits for the first look."""
FRESH = 600.0
"""Seconds after which the host may have got another address, a bridge of a new network's for example."""
SIGN_OF_LIFE = containers.NETGUARD_PATIENCE / 28
"""Seconds between two signs to what holds networks."""


class HostNetwork:
    """One thread looks; what it has found is used by all."""

    def __init__(self, engine: Engine, home: Home, settings: Settings) -> None:
        self._engine = engine
        self._home = home
        self._settings = settings
        self._guard: Guard | None = None
        self._looked = threading.Event()
        self._since = 0.0
        self._signed: float | None = None
        self.addresses: tuple[str, ...] = ()
        """The host's, where they are known."""
        self.problem: str | None = None
        """Why tasks reach more than they should, where they do."""

    @property
    def stale(self) -> bool:
        """Whether it is time to look."""
        return not self._looked.is_set() or time.monotonic() - self._since > FRESH

    def guarded(self, holder: ContainerSpec) -> ContainerSpec:
        """What holds a network as `holder` does, and shuts it. Raises EngineUnavailable before a look."""
        if not self._looked.wait(PATIENCE):
            raise EngineUnavailable("which addresses the engine's host has is not known yet")
        return containers.guarded(holder, self._guard, self._settings)

    def look(self) -> None:
        """Learn the host's addresses, and try whether networks can be shut.

        Raises EngineUnavailable; EngineError where networks can't be shut, and `egress` is not open.
        """
        unknown = self._learn_addresses()
        guard = egress.guard(self._settings, self.addresses)
        refused = self._try(guard) if self._guard is None else None
        if refused is not None and self._settings.egress != OPEN:
            raise EngineError(f"the setting egress can't be kept to: {refused}")
        self._tell(refused or unknown)
        self._guard = guard if refused is None else None
        self._since = time.monotonic()
        self._looked.set()

    def give_sign(self, found: Iterable[Observation]) -> None:
        """Have what holds networks, among these containers, wait for the manager's return from now on."""
        now = time.monotonic()
        if self._signed is not None and now - self._signed < SIGN_OF_LIFE:
            return
        for each in found:
            if GUARD in each.labels and each.status is Status.RUNNING:
                with suppress(EngineError):  # it is going just now; or the engine is, and is asked again
                    self._engine.signal(each.id, "SIGHUP")
        self._signed = now

    def _tell(self, problem: str | None) -> None:
        if problem is not None and problem != self.problem:
            log.warning("%s", problem)
        self.problem = problem

    def _learn_addresses(self) -> str | None:
        """Why they are not known, where they are not; what was known before stands then."""
        name = f"{containers.PREFIX}-probe-{secrets.token_hex(6)}"
        spec = containers.addresses_container(name, self._home, self._settings)
        said: list[bytes] = []
        try:
            self._engine.start(self._engine.create(spec, None))
            self._engine.follow(name, said.append)
            found = egress.addresses(b"".join(said).decode(errors="replace"))
        except EngineUnavailable:
            raise
        except (EngineError, ValueError) as error:
            return f"tasks may reach the host by addresses other than their bridge's: {error}"
        finally:
            self._engine.remove(name, self._home.id)
        if not found:
            return "tasks may reach the host by addresses other than their bridge's: they can't be learned"
        self.addresses = found
        return None

    def _try(self, guard: Guard) -> str | None:
        """Why a network can't be shut here, where it can't."""
        name = f"{containers.PREFIX}-probe-{secrets.token_hex(6)}"
        spec = containers.guard_probe_container(name, guard, self._home, self._settings)
        try:
            self._engine.start(self._engine.create(spec, None))
            said = self._engine.first_words(name)
        except EngineUnavailable:
            raise
        except EngineError as error:
            return self._not_shut(str(error))
        finally:
            self._engine.remove(name, self._home.id)
        return None if said == containers.GUARDED else self._not_shut(said.decode(errors="replace").strip())

    def _not_shut(self, why: str) -> str:
        image = self._settings.runner_image
        return (
            f"tasks reach the host and each other, for their networks can't be shut: {why or 'no reason'}; "
            f"the image {image} has to have {containers.NETGUARD_IN_IMAGE}, and the host's kernel nf_tables"
        )
