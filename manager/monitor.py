"""Looks after the engine: does it answer, does it see the same folders, which of our containers has it."""

import logging
import secrets
import shutil
import threading
from collections.abc import Callable

from manager.container_spec import Home, probe_container
from manager.engine.base import Engine, EngineError, Status
from manager.facts import ContainersListed, EngineChanged, Fact, Listed
from manager.settings import Settings

log = logging.getLogger(__name__)

RETRY = 2.0
"""Seconds between two looks at an engine that can't be used."""


class EngineMonitor:
    """Looks in a thread of its own, whenever it is woken; an engine that hangs delays nobody else."""

    def __init__(self, engine: Engine, home: Home, settings: Settings, emit: Callable[[Fact], None]) -> None:
        self._engine = engine
        self._home = home
        self._settings = settings
        self._emit = emit
        self._probed = False
        self._wake = threading.Event()
        self._stopping = False
        self.description = "not asked yet"
        self._thread = threading.Thread(target=self._run, name="engine monitor", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def wake(self) -> None:
        """Look soon."""
        self._wake.set()

    def stop(self) -> None:
        """Look no more."""
        self._stopping = True
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping:
            answers = self._look()
            self._wake.wait(None if answers else RETRY)
            self._wake.clear()

    def _look(self) -> bool:
        try:
            self.description = self._engine.describe()
            if not self._probed:
                self._probe()
                self._probed = True
            listed = tuple(
                Listed(each.id, each.labels, each.status is Status.EXITED)
                for each in self._engine.containers(self._home.id)
            )
        except EngineError as error:
            self.description = str(error)
            self._emit(EngineChanged(False, self.description))
            return False
        except OSError as error:
            self.description = f"the probe's folder can't be made: {error}"
            self._emit(EngineChanged(False, self.description))
            return False
        self._emit(EngineChanged(True, self.description))
        self._emit(ContainersListed(listed))
        return True

    def _probe(self) -> None:
        """Have a container look for a file that was made just now. Raises EngineError when it sees none."""
        nonce = secrets.token_hex(6)
        folder = self._settings.home / "probe"
        folder.mkdir(exist_ok=True)
        spec = probe_container(str(folder), nonce, self._home, self._settings)
        (folder / nonce).touch()
        try:
            self._engine.create(spec, None)
            self._engine.start(spec.name)
            self._engine.wait(spec.name)
            if self._engine.observe(spec.name).exit_code != 0:
                raise EngineError(
                    f"the engine does not see {folder} where the manager sees it: run the manager on the "
                    "engine's own host, or in one of its containers with the home folder mounted"
                )
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # with what a killed manager left of its probe
            self._engine.remove(spec.name, self._home.id)
