"""The values of secrets, where the operator has them: in a file, or printed by a command."""

import logging
import math
import os
import selectors
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from air_executor.errors import AirExecutorError
from air_executor.format.secrets import MAX_SECRET_BYTES
from manager.settings import CONFIG_FILE, Secret

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds within which a command prints a secret."""
GONE_WITHIN = 1.0
"""Seconds that a command is waited for after SIGKILL."""
LOOKS = 0.01
"""Seconds between two looks whether a command has ended that says nothing."""


class SecretUnreadable(AirExecutorError):
    """A secret's value can't be had; the sentence, which a task's writer reads, has nothing of it."""


def value_of(name: str, declared: Mapping[str, Secret], deadline: float = math.inf) -> bytes:
    """It is read now; a command has to be over at `deadline`, by the monotonic clock. Raises
    SecretUnreadable."""
    secret = declared.get(name)
    if secret is None:
        raise SecretUnreadable(
            f"the secret {name!r} is not declared any more in {CONFIG_FILE} (setting `secrets`)"
        )
    place = "command" if secret.file is None else "file"
    try:
        if secret.file is not None:
            value = _of_file(secret.file)
        else:
            value = _printed(name, secret.command or (), deadline)
        if not value.strip(b"\r\n"):  # nothing is left of it in a variable
            raise ValueError("it is empty")
        if len(value) > MAX_SECRET_BYTES:
            raise ValueError(f"it has more than {MAX_SECRET_BYTES} bytes")
    except OSError as error:
        raise _unreadable(name, place, error.strerror or type(error).__name__) from None
    except ValueError as error:
        raise _unreadable(name, place, str(error)) from None
    return value


def problems(declared: Mapping[str, Secret]) -> Iterator[str]:
    """What the operator is to be told before a task asks for them: no value is looked at."""
    for name, secret in declared.items():
        if secret.file is not None and (complaint := _problem(name, secret.file)):
            yield complaint
        if secret.command is not None and shutil.which(secret.command[0]) is None:
            yield f"the secret {name!r} can't be had: there is no command {secret.command[0]!r} here"


def _problem(name: str, file: Path) -> str | None:
    try:
        status = file.stat()
        os.close(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return f"the secret {name!r} can't be read: {file}: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return f"the secret {name!r} can't be read: {file} is not a regular file"
    if status.st_mode & stat.S_IROTH:
        return f"the secret {name!r} may be read by everybody on this machine: chmod o-r {file}"
    return None


def _unreadable(name: str, place: str, why: str) -> SecretUnreadable:
    log.warning("secret=%s can't be had: %s", name, why)
    return SecretUnreadable(f"the secret {name!r} can't be had: {why} (setting `secrets.{name}.{place}`)")


def _of_file(file: Path) -> bytes:
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as opened:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("it is not a regular file")
        return opened.read(MAX_SECRET_BYTES + 1)


def _printed(name: str, command: Sequence[str], deadline: float) -> bytes:
    """What the command prints. Raises ValueError where it does not end well, OSError where it can't begin."""
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        cwd="/",
    )
    heard = _Heard()
    try:
        _listen(process, heard, min(began + PATIENCE, deadline))
    except TimeoutError:
        raise ValueError(f"its command has not ended within {time.monotonic() - began:.1f} s") from None
    finally:
        _end(process)
    if process.returncode:
        log.warning(
            "secret=%s its command ended with exit code %s, after %d bytes on standard error, which may have"
            " the secret and are not kept: run it by hand to see them",
            name,
            process.returncode,
            heard.words,
        )
        raise ValueError(f"its command ended with exit code {process.returncode}")
    return bytes(heard.value)


@dataclass
class _Heard:
    """What a command has printed, and how much it has said beside that."""

    value: bytearray = field(default_factory=bytearray)
    words: int = 0


def _listen(process: subprocess.Popen[bytes], heard: _Heard, deadline: float) -> None:
    """Until the command has ended, and what it has printed is read: whatever it leaves behind may hold both
    open. Raises TimeoutError, ValueError."""
    with selectors.DefaultSelector() as ready:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                ready.register(pipe, selectors.EVENT_READ)
        while True:
            ended = _has_ended(process)  # before the look, which sees all that it has printed then
            left = deadline - time.monotonic()
            if left <= 0 and not ended:
                raise TimeoutError
            printed = False
            for key, _ in ready.select(0 if ended else min(left, LOOKS)):
                part = os.read(key.fd, 1 << 16)
                if not part:
                    ready.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    printed = True
                    heard.value += part
                else:
                    heard.words += len(part)
            if len(heard.value) > MAX_SECRET_BYTES:
                raise ValueError(f"its command prints more than {MAX_SECRET_BYTES} bytes")
            if ended and not printed:
                return


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of it. A command that runs as somebody else, such as `sudo`, a manager that is not
    root can't kill, be it over or not: then it is left alone."""
    with suppress(ProcessLookupError, PermissionError):  # not waited for yet: its number is nobody else's
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(GONE_WITHIN)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """It stays a zombie, whose number and group are its own."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
