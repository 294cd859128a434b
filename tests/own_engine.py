"""A Docker engine of a test's own, to be stopped, frozen and killed without touching the machine's.

It lives in a *room*: namespaces of its own for processes, mounts and the network, held by a process that ends
when its standard input does. So the engine's bridge and mounts outlast a restart, as they do on a real host;
and the kernel itself clears up: with the room go all processes and mounts in it, even when the tests were
killed. Folders of the host are seen where they are, as bind mounts need it.
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

import pytest

from tests.waiting import until

RUNNER = "air-executor-runner:latest"
TOOLS = ("dockerd", "docker", "containerd", "unshare", "nsenter", "ip")
CGROUPS = Path("/sys/fs/cgroup")

# `/run` is empty because shims put their sockets there, wherever the engine was told to have its own. The
# first process of the room ignores the deaths of its children, so that the kernel reaps what is orphaned
# there: dockerd takes a containerd that is dead and not reaped for a running one.
HOLD = "mount -t tmpfs none /run && ip link set lo up && echo ready && exec env --ignore-signal=CHLD cat"


def need_own_engine() -> None:
    """Skips where an engine can't be started; in CI that is a failure."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0:
        missing.append("root's rights")
    if missing:
        reason = f"an engine of the test's own can't be started without {', '.join(missing)}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


class OwnEngine:
    """Not running until `start`; as a context manager it leaves no process, mount, cgroup or file."""

    def __init__(self) -> None:
        need_own_engine()
        self._folder = Path(tempfile.gettempdir(), f"airx-engine-{secrets.token_hex(4)}")
        self._folder.mkdir(0o700)
        self.address = f"unix://{self._folder}/engine.sock"
        self._daemon: subprocess.Popen[bytes] | None = None
        self._options: tuple[str, ...] = ()
        (self._folder / "daemon.json").write_text("{}")  # else the machine's own would be read
        self._room = subprocess.Popen(
            ["unshare", "--fork", "--pid", "--mount-proc", "--mount", "--net", "sh", "-c", HOLD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._room.stdout is not None and self._room.stdout.readline() == b"ready\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- Life and death ----------------------------------------------------------------------------------

    def start(self, *options: str) -> None:
        """Start dockerd, with these options beside its own, and wait until it answers."""
        assert self._daemon is None, "it runs already"
        self._options = options
        enter = f"nsenter --target={self._holder} --pid --mount --net --".split()
        with self._log.open("ab") as output:
            self._daemon = subprocess.Popen(
                [*enter, *self._command()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        until(self._answers, 60, interval=0.05)

    def stop(self) -> None:
        """As an operator stops it: without `--live-restore` its containers are stopped too."""
        self._end(signal.SIGTERM, [self._dockerd])

    def restart(self) -> None:
        """Stop it, and start it with the same options."""
        self.stop()
        self.start(*self._options)

    def kill(self) -> None:
        """SIGKILL for dockerd alone; what it started is left to itself."""
        self._end(signal.SIGKILL, [self._dockerd])

    def kill_all(self) -> None:
        """SIGKILL for dockerd, containerd, shims and tasks: nothing is left to tell how they ended."""
        self._end(signal.SIGKILL, [self._dockerd, *_descendants(self._dockerd), *_descendants(self._holder)])

    def freeze(self) -> None:
        """Dockerd answers no more, and its connections stay open."""
        os.kill(self._dockerd, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on; harmless where it was not frozen."""
        if self._daemon is not None and self._daemon.poll() is None:
            os.kill(self._dockerd, signal.SIGCONT)
            os.kill(self._daemon.pid, signal.SIGCONT)  # nsenter stops and goes on with what it started

    @property
    def running(self) -> bool:
        """Whether it was started and has not been ended."""
        return self._daemon is not None

    def close(self) -> None:
        """Nothing of it is left."""
        assert self._room.stdin is not None
        self._room.stdin.close()
        self._room.wait(60)  # its first process has ended, and with it all others of the room
        if self._daemon is not None:
            self._daemon.wait(60)
        for group in self._cgroups():
            until(partial(_removed, group), 20, interval=0.05)
        shutil.rmtree(self._folder)

    # --- What tests ask of it ----------------------------------------------------------------------------

    def docker(self, *words: str) -> str:
        """What the docker command prints, asked of this engine."""
        command = ["docker", "--host", self.address, *words]
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr)
            raise

    def load(self, image: str = RUNNER) -> None:
        """Give it an image of the machine's engine."""
        load = ["docker", "--host", self.address, "load", "--quiet"]
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            subprocess.run(load, stdin=saved.stdout, stdout=subprocess.DEVNULL, check=True)
        assert saved.returncode == 0, f"there is no image {image}; `make setup` builds it"

    def log(self) -> str:
        """The end of what dockerd has said."""
        return self._log.read_text(errors="replace")[-10_000:] if self._log.exists() else ""

    # --- Inside ------------------------------------------------------------------------------------------

    @property
    def _log(self) -> Path:
        return self._folder / "dockerd.log"

    @property
    def _holder(self) -> int:
        return _children(self._room.pid)[0]

    @property
    def _dockerd(self) -> int:
        assert self._daemon is not None and self._daemon.poll() is None, self.log()
        return _children(self._daemon.pid)[0]

    def _command(self) -> list[str]:
        folder, name = self._folder, self._folder.name
        return [
            "dockerd",
            f"--config-file={folder}/daemon.json",
            f"--data-root={folder}/data",
            f"--exec-root={folder}/exec",
            f"--pidfile={folder}/dockerd.pid",
            f"--host={self.address}",
            f"--containerd-namespace={name}",
            f"--containerd-plugins-namespace={name}-plugins",
            f"--cgroup-parent=/{name}",
            "--exec-opt=native.cgroupdriver=cgroupfs",  # so that its groups can be told apart, and removed
            "--log-level=warn",
            *self._options,
        ]

    def _answers(self) -> bool:
        assert self._daemon is not None and self._daemon.poll() is None, self.log()
        with suppress(subprocess.CalledProcessError):
            return bool(self.docker("version", "--format", "{{.Server.Version}}"))
        return False

    def _end(self, number: int, pids: list[int]) -> None:
        assert self._daemon is not None
        self.thaw()
        for pid in pids:
            with suppress(ProcessLookupError):  # the one before may have taken it along
                os.kill(pid, number)
        self._daemon.wait(60)
        self._daemon = None

    def _cgroups(self) -> list[Path]:
        """Its branch of the one hierarchy, or of each where there are several (version 1)."""
        name = self._folder.name
        return [group for group in (CGROUPS / name, *CGROUPS.glob(f"*/{name}")) if group.is_dir()]


def _children(pid: int) -> list[int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]
    return []


def _descendants(pid: int) -> list[int]:
    """Parents before their children."""
    found = []
    for child in _children(pid):
        found += [child, *_descendants(child)]
    return found


def _removed(group: Path) -> bool:
    """A control group can be removed once its last process is gone, and from below only."""
    try:
        for folder, _, _ in os.walk(group, topdown=False):
            Path(folder).rmdir()
    except OSError:
        return False
    return True
