"""The gate's side of its protocol, for the fake engine: what `runner_image/gate/gate.c` does, in a thread."""

import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from manager.gates.gate_folder import RECEIPT_FILE
from manager.model import containers
from manager.model.container_spec import ContainerSpec
from manager.model.home import CONTROL, END, FIFO, RECEIPT, TOKEN


@dataclass(frozen=True)
class Handed:
    """What came through the FIFO."""

    nonce: str
    argv: tuple[str, ...]
    env: dict[str, str]
    mounts: tuple[str, ...]
    """Which file each place must be."""
    files: dict[str, bytes]
    """What is to be in the files that come with the command, by place."""

    def fits(self, mounted: Callable[[str], Path]) -> bool:
        """Whether what is `mounted` at each place is what is to be there."""
        return all(_is(mounted(place), device, inode) for device, inode, place in map(str.split, self.mounts))


def wait(spec: ContainerSpec, leaves: Callable[[], bool]) -> Handed | None:
    """The command that is handed to the container of `spec`; None when it leaves before, or is told half."""
    try:
        handle = os.open(_folder(spec, CONTROL) / FIFO, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:  # it went with the container
        return None
    content = b""
    poll = select.poll()  # which takes any descriptor: many managers in one process have very many
    poll.register(handle, select.POLLIN)
    try:
        while not leaves():
            if not poll.poll(20):
                continue
            part = os.read(handle, 1 << 20)
            content += part
            if content and not part:
                return _parsed(content)
    finally:
        os.close(handle)
    return None


def began(spec: ContainerSpec, nonce: str) -> None:
    """Say so, durably or not: a fake has no power cuts."""
    _write(spec, f"BEGAN {nonce} {time.time_ns() // 10**9}.{time.time_ns() % 10**9:09}\n")


def mouth(spec: ContainerSpec) -> int:
    """What it will say its last word through."""
    return os.open(_folder(spec, CONTROL) / END, os.O_RDWR | os.O_NONBLOCK)


def ended(mouth: int, exit_code: int, signal: int) -> None:
    """Its last word."""
    now = time.time_ns()
    os.write(mouth, f"ENDED {exit_code} {now // 10**9}.{now % 10**9:09} {signal % 100}\n".encode())
    os.close(mouth)


def never(spec: ContainerSpec, token: str, reason: str) -> None:
    _write(spec, f"NEVER {token} {reason}\n")


def token(spec: ContainerSpec) -> str:
    """What is there before the gate is opened."""
    return (_folder(spec, CONTROL) / TOKEN).read_text()


def unusable(spec: ContainerSpec, nonce: str) -> None:
    _write(spec, f"UNUSABLE {nonce} missing\n")


def _write(spec: ContainerSpec, line: str) -> None:
    folder = _folder(spec, RECEIPT)
    (folder / ".new").write_text(line)
    (folder / ".new").rename(folder / RECEIPT_FILE)


def _folder(spec: ContainerSpec, name: str) -> Path:
    sources = {mount.target: mount.source for mount in spec.mounts}
    return Path(sources[f"{containers.GATE_PLACE}/{name}"])


def _parsed(content: bytes) -> Handed | None:
    header, _, body = content.partition(b"\n")
    if header != b"AIRX1 %d" % len(body):
        return None
    strings = _Strings(body)
    nonce, _workdir = strings.next(), strings.next()
    argv, variables = strings.list(), strings.list()
    mounts = strings.list() if strings.left else ()
    files = dict(strings.file() for _ in range(int(strings.next()))) if strings.left else {}
    env = dict(entry.split("=", 1) for entry in variables)
    return Handed(nonce, argv, env, mounts, files)


@dataclass
class _Strings:
    """Each ends with NUL."""

    left: bytes

    def next(self) -> str:
        string, _, self.left = self.left.partition(b"\0")
        return string.decode(errors="surrogateescape")

    def list(self) -> tuple[str, ...]:
        return tuple(self.next() for _ in range(int(self.next())))

    def file(self) -> tuple[str, bytes]:
        _mode, size, place = self.next().split(" ", 2)
        content, self.left = self.left[: int(size)], self.left[int(size) + 1 :]
        return place, content


def _is(folder: Path, device: str, inode: str) -> bool:
    status = folder.stat()
    return (str(status.st_dev), str(status.st_ino)) == (device, inode)
