"""Start processes, notice when one dies, and end all of them, whatever happened."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from air_executor.logs import tail
from bench.failed import BenchFailed

GRACE = 12.0
"""Seconds between SIGTERM and SIGKILL."""
STEP = 0.05
"""Seconds between two looks."""
TAIL = 15
"""Lines of a log that are shown when something fails."""


def clean_environment(**extra: str) -> dict[str, str]:
    """Ours, without settings of whatever manager or Airflow the user has, and with `extra`."""
    ours = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIR_EXECUTOR_", "AIRFLOW"))
    }
    return ours | extra


class Processes:
    """Processes with one working folder and environment; each leads a process group, and logs to a file.

    A context manager: on leaving, SIGTERM to each, SIGKILL to what is left of its group.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._environment = environment
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Processes":
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            for process in self._running.values():
                process.terminate()
            deadline = time.monotonic() + GRACE
            for process in self._running.values():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
        finally:  # a second Ctrl-C does not wait, but leaves nothing either
            for process in self._running.values():
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start it in the background; its output goes to `<name>.out`."""
        with self._log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, name: str, command: Sequence[str]) -> None:
        """Start it and wait for its end. Raises BenchFailed when it fails."""
        self.start(name, command)
        if self._running[name].wait():
            raise self.failure(f"{name} failed", name)
        del self._running[name]

    def wait_until(self, what: str, seconds: float, ready: Callable[[], bool]) -> None:
        """Look until it is so. Raises BenchFailed after `seconds`, or when a process has died."""
        deadline = time.monotonic() + seconds
        while not ready():
            for name, process in self._running.items():
                if process.poll() is not None:
                    raise self.failure(f"{name} ended with {process.returncode}", name)
            if time.monotonic() > deadline:
                raise self.failure(f"{what}: not within {seconds:.0f} s", *self._running)
            time.sleep(STEP)

    def failure(self, what: str, *names: str) -> BenchFailed:
        """An error with the end of these processes' logs."""
        logs = (f"The end of {name}'s log:\n{tail(self._log(name), TAIL)}" for name in names)
        return BenchFailed("\n".join((what, *logs)))

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.out"
