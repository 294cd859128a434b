"""The manager as people start it: a process of its own, on the real engine, in a home of the test's."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from air_executor import Client, daemon
from tests.waiting import until

ROOT = Path(__file__).parents[1]


def docker(*words: str) -> str:
    """What the docker command prints; the engine is asked past all of our own code."""
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout


def need_engine() -> None:
    """Skips where there is no engine to test with; in CI that is a failure."""
    answer = subprocess.run(["docker", "version"], capture_output=True, text=True, check=False)
    if answer.returncode:
        reason = f"no Docker Engine answers ({answer.stderr.strip()}); `make setup` gets one"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


class RealManager:
    """One home folder, and a manager for it that may be started and ended again and again."""

    def __init__(self, home: Path, config: str = "", **settings: object) -> None:
        """`config` stands in the home's config.toml; the settings, in the environment, win."""
        self.home = home
        if config:
            (home / "config.toml").write_text(config)
        self.client = Client(home)
        self.command = [sys.executable, "run_manager.py"]
        self.printed = home / "output"
        self._process: subprocess.Popen[bytes] | None = None
        rules = {
            "poll_interval": 1,
            "cancel_grace": 1,
            "settle": 0.5,
            "sweep_after": 1,
            "look_ahead": 0,
            "warm": 0,
            "memory_mb": 512,  # the same on every machine, and soon used up
        } | settings
        self._environment = os.environ | {"AIR_EXECUTOR_HOME": str(home)}
        self._environment |= {f"AIR_EXECUTOR_{name.upper()}": str(value) for name, value in rules.items()}

    def start(self) -> None:
        """Start it, and wait until it is at work with an engine that answers."""
        self.launch()
        until(self._answers, 30)

    def launch(self, **environment: str) -> None:
        """Start it, with further variables in its environment, and wait for nothing."""
        with self.printed.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self._environment | environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self.output()
        status = daemon.read_status(self.home)
        # By its process and not by its time: its clock may be another one.
        fresh = status is not None and status.pid == self._process.pid
        return fresh and status is not None and status.engine.startswith("Docker ")

    def kill(self) -> None:
        """As a crash would end it: nothing of its own runs any more."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """As an operator ends it; its exit code."""
        return self._end(signal.SIGTERM)

    def wait_for_its_end(self, seconds: float) -> int:
        """The exit code of a manager that ends by itself."""
        process, self._process = self._process, None
        assert process is not None, "no manager was started"
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process = process
            raise AssertionError(f"the manager has not ended within {seconds:g} s") from None

    def _end(self, number: int) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        return process.wait(20)

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None, "no manager runs"
        return self._process.pid

    def output(self) -> str:
        """What it has printed."""
        return self.printed.read_text(errors="replace")

    def containers(self, *options: str) -> list[str]:
        """Names of the containers of this home, ended ones too."""
        label = f"label=air-executor.home-id={self._home_id()}"
        return docker("ps", "--all", "--format", "{{.Names}}", "--filter", label, *options).split()

    def gates(self) -> list[str]:
        """Names of what is there of single containers' gates."""
        folder = self.home / "gates"
        return [each.name for each in folder.iterdir() if each.name != "bin"] if folder.exists() else []

    def _home_id(self) -> str:
        return (self.home / "home-id").read_text().strip()

    def evidence(self) -> str:
        """For a test that has failed: what the manager said, and what the engine has of ours."""
        parts = [f"--- output of the manager\n{self.output()}"]
        for name in self.containers():
            for word in ("logs", "inspect"):  # it may be going just now
                told = subprocess.run(
                    ["docker", word, name],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                )
                parts.append(f"--- {word} {name}\n{told.stdout}")
        return "\n".join(parts)


@contextmanager
def idle_manager(*, place: Path | None = None, config: str = "", **settings: object) -> Iterator[RealManager]:
    """A manager that is not started yet, with its home in the folder `place`; at the end nothing is left."""
    need_engine()
    home = Path(tempfile.mkdtemp(prefix="air-executor-test-", dir=place))
    manager = RealManager(home, config, **settings)
    try:
        yield manager
    finally:
        manager.kill()
        left = manager.containers() if (home / "home-id").exists() else []
        if left:  # the engine may be removing one already
            subprocess.run(["docker", "rm", "--force", *left], capture_output=True, check=False)
        shutil.rmtree(home)


@contextmanager
def real_manager(*, config: str = "", **settings: object) -> Iterator[RealManager]:
    """A running manager; at the end nothing of it is left."""
    with idle_manager(place=None, config=config, **settings) as manager:
        manager.start()
        yield manager
        manager.stop()
        until(lambda: not manager.containers("--filter", "label=air-executor.role=task"), 60)
