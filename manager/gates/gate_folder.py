"""The files of one gate: they are made, the gate is opened through them, and its receipt is read."""

import errno
import os
import secrets
import select
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from air_executor.format import layout
from air_executor.untrusted import NotRegular, opened, opened_file
from manager.folder import sharing
from manager.folder.trouble import TRANSIENT
from manager.gates.protocol import Mounted, Never, Receipt, parse_receipt
from manager.model.home import END, FIFO, TOKEN, GateFolder
from manager.model.values import Owner

RECEIPT_FILE = "receipt"
MAX_RECEIPT_BYTES = 4096
MAX_END_BYTES = 256
"""More than a gate says at the end, in one piece."""
PATIENCE = 2.0
"""Seconds that writing a frame may take; a gate that waits reads at once."""


def read_receipt(folder: Path) -> Receipt | None:
    """The receipt in a receipt folder, or None where there is none that a gate would write.

    Nothing that a task puts in its place is followed, waited for, or read beyond 4 KiB. Raises OSError when
    the folder itself can't be opened: that is no answer.
    """
    with opened(folder) as handle:
        try:
            with opened_file(RECEIPT_FILE, handle) as file:
                return parse_receipt(os.read(file, MAX_RECEIPT_BYTES))
        except NotRegular:
            return None
        except OSError as error:
            # Not there; a link; a socket; no right to read. What lies with this machine is no answer.
            if error.errno in TRANSIENT:
                raise
            return None


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
    """Open it, close it to everybody by its mode, and take its name away: whoever has not opened it by now
    never will. Not through `/proc` either, which shows the gate's own descriptor: in there nobody can change
    the mode of what is mounted read-only.

    None where that can't be: then the engine tells of the end, later.
    """
    try:
        handle = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        os.fchmod(handle, 0)
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


def mounted(place: str, folder: Path) -> Mounted:
    """What is at `place` where `folder` is mounted there. Raises OSError."""
    status = folder.lstat()
    return Mounted(place, status.st_dev, status.st_ino)


def is_honest(never: Never, token: Path) -> bool:
    """Whether the gate said so, and not a command that it began: nothing was run then."""
    try:
        return never.nonce == token.read_text()
    except FileNotFoundError:
        return False


def _write(name: str, text: str, folder: int) -> None:
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=folder)
    try:
        os.write(handle, text.encode())
        os.fchmod(handle, 0o644)
    finally:
        os.close(handle)


def prepare_inbox(gate: GateFolder, user: Owner) -> None:
    """Make the inbox of one container, unless it is there: its user may put requests and a result into it,
    and no more.

    Raises OSError.
    """
    for folder, mode in ((gate.path.parent, 0o700), (gate.path, 0o700), (gate.inbox, 0o755)):
        with suppress(FileExistsError):
            folder.mkdir(mode)
    with opened(gate.inbox) as inbox:
        os.fchmod(inbox, 0o755)
        for name in (layout.TMP, layout.NEW, layout.RESULT):
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=inbox)
            with opened(name, folder=inbox) as handle:
                give(handle, user)
        with suppress(FileExistsError):
            os.mkdir(layout.RESULTS, 0o755, dir_fd=inbox)
        with opened(layout.RESULTS, folder=inbox) as handle:
            os.fchmod(handle, 0o755)


def give(folder: int, user: Owner) -> None:
    """Open the folder to the user. Who is not root can't give it away, and lets the user in.

    Where there are no lists for that, 0777 opens it to the container only, since what is above is closed to
    everybody.
    """
    if os.geteuid() == 0:
        os.fchown(folder, user.uid, user.gid)
    if os.geteuid() in (0, user.uid):
        os.fchmod(folder, 0o700)
        return
    try:
        sharing.let_in(folder, user.uid)
    except sharing.Unsupported:
        os.fchmod(folder, 0o777)


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
            give(folder, user)
        with opened(control.parent, control.name) as folder:
            token = secrets.token_hex(16)
            for place in (parent, folder):
                _write(TOKEN, token, place)
            # `payload` is made last: where it is, everything is.
            for name, mode in ((END, 0o666), (FIFO, 0o644)):
                os.mkfifo(name, mode, dir_fd=folder)
                os.chmod(name, mode, dir_fd=folder)
            os.fchmod(folder, 0o755)
