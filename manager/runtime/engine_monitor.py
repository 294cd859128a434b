"""Looks after the engine: does it answer, does it see the same folders, which of our containers has it."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from manager.engine.contract import Engine, EngineError, EngineUnavailable
from manager.engine.host_network import HostNetwork
from manager.gates.probe import Probe
from manager.model.facts import CapabilitiesFound, ContainersListed, EngineChanged, Fact
from manager.model.home import Home
from manager.model.values import Capabilities, Host
from manager.settings import Settings

log = logging.getLogger(__name__)

RETRY = 2.0
"""Seconds between two looks at an engine that can't be used."""
LAST_LOOK = 5.0
"""Seconds within which a look ends, as a rule, also one that tries what can be done here."""
TRY_AGAIN = 60.0
"""Seconds after which it is tried once more whether gates work: the machine may have been busy."""


class EngineMonitor:
    """Looks in a thread of its own, whenever it is woken; an engine that hangs delays nobody else."""

    def __init__(
        self,
        engine: Engine,
        home: Home,
        probe: Probe,
        network: HostNetwork,
        settings: Settings,
        emit: Callable[[Fact], None],
    ) -> None:
        self._engine = engine
        self._home = home
        self._emit = emit
        self._probe = probe
        self._network = network
        self._probed = False
        self._settings = settings
        self._host: Host | None = None
        """What the engine runs on, since it answers."""
        self._found: Capabilities | None = None
        self._try_at = 0.0
        """When it is tried again what can't be done, by the monotonic clock."""
        self._without_gates = ""
        """Why no gate works here, in words for `description`; nothing where they do."""
        self._wake = threading.Event()
        self._answers = threading.Event()
        """Whether it did when it was last looked at."""
        self._stopping = False
        self.description = "not asked yet"
        self._threads = [
            threading.Thread(target=self._run, name="engine monitor", daemon=True),
            threading.Thread(target=self._listen, name="engine listener", daemon=True),
        ]

    def start(self) -> None:
        """Begin to look."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look soon."""
        self._wake.set()

    def stop(self) -> None:
        """Look no more. What is being tried just now is tried to its end, so that it leaves nothing."""
        self._stopping = True
        self._wake.set()
        if self._threads[0].is_alive():
            self._threads[0].join(LAST_LOOK)

    def _run(self) -> None:
        while not self._stopping:
            answers = self._look()
            self._wake.wait(None if answers else RETRY)
            self._wake.clear()

    def _listen(self) -> None:
        """Look as soon as the engine goes away, also where nobody asks anything of it."""
        while not self._stopping:
            self._answers.wait()
            with suppress(EngineError):
                self._engine.listen()
            self._answers.clear()
            self._host = None
            self.wake()
            time.sleep(RETRY)  # where events can't be had, looks must not follow each other without a rest

    def _look(self) -> bool:
        try:
            self.description = self._engine.describe() + self._without_gates
            if self._host is None:
                self._host = self._looked_at(self._engine.host())
            if not self._probed:
                self._probe.folders()
                for gap in self._engine.confinement().gaps:
                    log.warning("tasks are confined less than they should be: %s", gap)
                self._probed = True
            if self._found is None or (self._found.gates is not None and time.monotonic() >= self._try_at):
                self._try_gates()
            if self._network.stale:
                self._network.look()
            found = self._engine.containers(self._home.id)
            self._network.give_sign(found)
            listed = tuple(each.listed for each in found)
        except EngineError as error:
            self._host = None
            self.description = str(error)
            self._emit(EngineChanged(answers=False, description=self.description))
            return False
        except OSError as error:
            self.description = f"the probe's folder can't be made: {error}"
            self._emit(EngineChanged(answers=False, description=self.description))
            return False
        self._answers.set()
        self._emit(EngineChanged(answers=True, description=self.description, host=self._host))
        self._emit(ContainersListed(containers=listed))
        return True

    def _looked_at(self, host: Host) -> Host:
        """The host; what the operator gives every task, and it has not, is told of."""
        if self._settings.cpus > host.cpus:
            log.warning(
                "a task that asks for no number of CPUs can't start: setting `cpus` is %g, and the engine's "
                "host has %g",
                self._settings.cpus,
                host.cpus,
            )
        return host

    def _try_gates(self) -> None:
        """Before anything is started: it decides how containers begin. Raises EngineUnavailable."""
        before, self._found = self._found, self._capabilities()
        self._try_at = time.monotonic() + TRY_AGAIN
        if self._found == before:
            return
        why = self._found.gates
        self._without_gates = "" if why is None else f"; commands begin without a gate, and cold: {why}"
        self.description = self._engine.describe() + self._without_gates
        self._emit(CapabilitiesFound(capabilities=self._found))

    def _capabilities(self) -> Capabilities:
        try:
            return self._probe.capabilities()
        except EngineUnavailable:
            raise
        except EngineError as error:
            return Capabilities.without_gates(str(error))
