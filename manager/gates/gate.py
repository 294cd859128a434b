"""The manager's side of the gate (`runner_image/gate/gate.c`): what is sent to it, what it answers.

A container made ahead of time waits at a FIFO, `payload` in its control folder, for one frame: the header
line `AIRX1 <length>`, and then that many bytes of strings, each ended by NUL: nonce, working directory (or
nothing: that of the container), number of arguments, the arguments, number of variables, the variables as
`NAME=value`. Its answer is the file `receipt` in its receipt folder: empty while it waits, and then one line
that is durable before the command begins.

Whether a command began is said by the receipt alone. The task can write to the receipt's folder once it runs,
so what is read there later is the task's word; what was read before that is the gate's.

When the command has ended, and all its processes, the gate says so through a second FIFO, `end`, long before
the engine does. That one has no name any more when the command begins, so it is always the gate's word.
"""

import errno
import os
import re
import secrets
import select
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias, cast

from air_executor.untrusted import opened
from manager.model.values import Owner

FIFO = "payload"
END = "end"
TOKEN = "token"
"""A file in the control folder, and beside it: what only a gate that was not opened can say."""
RECEIPT = "receipt"
MAX_FRAME_BYTES = 4 << 20
"""Of the strings in a frame; the header comes on top."""
MAX_STRINGS = 1 << 18
"""Of arguments, and of variables."""
MAX_RECEIPT_BYTES = 4096
MAX_END_BYTES = 256
"""More than a gate says at the end, in one piece."""
PATIENCE = 2.0
"""Seconds that writing a frame may take; a gate that waits reads at once."""

NeverReason: TypeAlias = Literal["told", "patience", "short", "malformed", "unfit"]
"""Told by a signal; nobody wrote in time; the writer left; not a frame; no FIFO or no /dev/null in there."""
Problem: TypeAlias = Literal["missing", "denied", "workdir"]

_NONCE = "[A-Za-z0-9_][A-Za-z0-9_-]{0,63}"
_VALID_NONCE = re.compile(_NONCE)
_BEGAN = re.compile(rf"BEGAN ({_NONCE}) (0|[1-9][0-9]{{0,10}})\.([0-9]{{9}})".encode())
_FAILED = re.compile(rf"FAILED ({_NONCE}) ([1-9][0-9]{{0,3}})".encode())
_NEVER = re.compile(rf"NEVER (-|{_NONCE}) (told|patience|short|malformed|unfit)".encode())
_UNUSABLE = re.compile(rf"UNUSABLE ({_NONCE}) (missing|denied|workdir)".encode())
_ENDED = re.compile(rb"ENDED (0|[1-9][0-9]{0,2}) (0|[1-9][0-9]{0,10})\.([0-9]{9})\n")


@dataclass(frozen=True, slots=True)
class Began:
    """The command was begun; or could not be, where `failed` is an errno of `fork` or `exec` (code 126)."""

    nonce: str
    at: datetime
    failed: int | None = None


@dataclass(frozen=True, slots=True)
class Never:
    """The gate has left without running anything (exit code 75). No nonce: no payload said one."""

    nonce: str | None
    reason: NeverReason


@dataclass(frozen=True, slots=True)
class Unusable:
    """Nothing was run, for there is no such command (127), or it or its folder can't be used (126)."""

    nonce: str
    problem: Problem


Receipt: TypeAlias = Began | Never | Unusable


@dataclass(frozen=True, slots=True)
class Ended:
    """The command has ended, and no process of its container is left but the gate, which ends as it did."""

    exit_code: int
    at: datetime


def frame(nonce: str, workdir: str, argv: Sequence[str], env: Mapping[str, str]) -> bytes:
    """What opens a gate.

    Raises ValueError for what no gate would take: a nonce that is not 1 to 64 letters, digits, `_` and `-`
    (not first), no argument, a variable without a name, NUL anywhere, too much of it.
    """
    if not _VALID_NONCE.fullmatch(nonce):
        raise ValueError(f"not a nonce: {nonce!r}")
    if not argv:
        raise ValueError("a command is needed")
    if any(not name or "=" in name for name in env):
        raise ValueError("a variable's name is not empty and has no '=' in it")
    if max(len(argv), len(env)) > MAX_STRINGS:
        raise ValueError(f"more than {MAX_STRINGS} arguments or variables")
    variables = [f"{name}={value}" for name, value in env.items()]
    strings = [nonce, workdir, str(len(argv)), *argv, str(len(env)), *variables]
    if any("\0" in string for string in strings):
        raise ValueError("NUL can't be part of an argument or a variable")
    body = "".join(f"{string}\0" for string in strings).encode()
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"the command and its variables have more than {MAX_FRAME_BYTES} bytes")
    return b"AIRX1 %d\n" % len(body) + body


def parse_receipt(content: bytes) -> Receipt | None:
    """What a receipt's file says, or None: nothing yet (half a line is nothing), or what no gate writes.

    The first line wins. The second counts where it belongs to the first: an `exec` that failed.
    """
    line, *more = content.split(b"\n")[:-1] or [b""]
    if match := _BEGAN.fullmatch(line):
        at = _time(match[2], match[3])
        if at is None:
            return None
        failed = _FAILED.fullmatch(more[0]) if more else None
        number = int(failed[2]) if failed and failed[1] == match[1] else None
        return Began(match[1].decode(), at, number)
    if match := _NEVER.fullmatch(line):
        nonce = None if match[1] == b"-" else match[1].decode()
        return Never(nonce, cast(NeverReason, match[2].decode()))
    if match := _UNUSABLE.fullmatch(line):
        return Unusable(match[1].decode(), cast(Problem, match[2].decode()))
    return None


def parse_end(content: bytes) -> Ended | None:
    """What a gate says through `end`, in one piece; None where it left without a word."""
    match = _ENDED.fullmatch(content)
    at = _time(match[2], match[3]) if match else None
    return Ended(int(match[1]), at) if match and at else None


def _time(seconds: bytes, nanoseconds: bytes) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC).replace(microsecond=int(nanoseconds) // 1000)
    except (OverflowError, ValueError, OSError):  # a year that there is not
        return None


def read_receipt(folder: Path) -> Receipt | None:
    """The receipt in a receipt folder, or None where there is none that a gate would write.

    Nothing that a task puts in its place is followed, waited for, or read beyond 4 KiB. Raises OSError when
    the folder itself can't be opened: that is no answer.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with opened(folder) as handle:
        try:
            file = os.open(RECEIPT, flags, dir_fd=handle)
        except OSError as error:
            # Not there; a link; a socket; no right to read. What lies with this machine is no answer.
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO):
                raise
            return None
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                return None
            return parse_receipt(os.read(file, MAX_RECEIPT_BYTES))
        finally:
            os.close(file)


def open_gate(
    fifo: Path, content: bytes, patience: float = PATIENCE, take_end: Callable[[int], None] = os.close
) -> bool | None:
    """Hand a frame to the gate that waits at `fifo`, once; takes `patience` seconds at most.

    `take_end` gets a descriptor, to read from it, without waiting, what the gate says at the end
    (`parse_end`), and to close it. It is not called for a gate that says nothing then.

    None: nobody waits there (yet), and the FIFO is as it was. Otherwise the FIFO is gone, taken away before
    anything was written: where there is none, a command may have been handed over, and no task can wait for
    a second one. True: the whole frame was; the receipt will say what became of it. False: whoever waited has
    left, or does not read; no whole frame was handed over, so that no gate begins by it.

    Raises OSError when that is no FIFO, or can't be written to.
    """
    deadline = time.monotonic() + patience
    try:
        handle = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT):  # no reader; the container's folders are gone
            return None
        raise
    try:
        if not stat.S_ISFIFO(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "is not a FIFO", str(fifo))
        fifo.with_name(TOKEN).unlink(missing_ok=True)
        end = _taken_end(fifo.with_name(END))
        if end is not None:
            take_end(end)
        fifo.unlink()
        return _hand_over(handle, memoryview(content), deadline)
    except BrokenPipeError:
        return False
    finally:
        os.close(handle)  # after part of a frame: the gate takes it for cut short, and leaves


def _taken_end(fifo: Path) -> int | None:
    """Open it and take its name away: whoever has not opened it by now never will.

    None where that can't be: then the engine tells of the end, later.
    """
    try:
        handle = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fifo.unlink()
    except OSError:
        os.close(handle)
        return None
    return handle


def _hand_over(handle: int, rest: memoryview, deadline: float) -> bool:
    """Write all of it, as the reader makes room. Raises BrokenPipeError when the reader leaves."""
    room = select.poll()
    room.register(handle, select.POLLOUT)
    while rest:
        with suppress(BlockingIOError):
            rest = rest[os.write(handle, rest) :]
            continue
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        room.poll(left * 1000)
    return True


def is_honest(never: Never, control: Path) -> bool:
    """Whether the gate said so, and not a command that it began: nothing was run then."""
    try:
        return never.nonce == control.with_name(TOKEN).read_text()
    except FileNotFoundError:
        return False


def _write(name: str, text: str, folder: int) -> None:
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=folder)
    try:
        os.write(handle, text.encode())
        os.fchmod(handle, 0o644)
    finally:
        os.close(handle)


def prepare(control: Path, receipt: Path, user: Owner) -> None:
    """Make the folders of one gate, side by side, and the FIFOs. They serve once.

    Their parent is made as well where it is missing; it is closed to everybody else on this machine (0700).
    What is in it is mounted by itself, so there the modes are for the container's user: it reads one FIFO
    and writes the other, which only the manager replaces, and writes the receipt.

    Raises FileExistsError when one of the two is there, OSError when it can't be made, ValueError when they
    do not lie side by side.
    """
    if control.parent != receipt.parent or control.name == receipt.name:
        raise ValueError("control and receipt must be two folders in one")
    with suppress(FileExistsError):
        control.parent.mkdir(0o700)
    with opened(control.parent) as parent:
        os.fchmod(parent, 0o700)
        for name in (control.name, receipt.name):
            os.mkdir(name, 0o700, dir_fd=parent)
        # The umask takes bits away from what is made, so each mode is set.
        with opened(control.parent, receipt.name) as folder:
            if os.geteuid() == 0:
                os.fchown(folder, user.uid, user.gid)
            # Who is not root can't give a folder away. 0777 opens it to nobody but the container.
            os.fchmod(folder, 0o700 if os.geteuid() in (0, user.uid) else 0o777)
        with opened(control.parent, control.name) as folder:
            token = secrets.token_hex(16)
            for place in (parent, folder):
                _write(TOKEN, token, place)
            # `payload` is made last: where it is, everything is.
            for name, mode in ((END, 0o666), (FIFO, 0o644)):
                os.mkfifo(name, mode, dir_fd=folder)
                os.chmod(name, mode, dir_fd=folder)
            os.fchmod(folder, 0o755)
