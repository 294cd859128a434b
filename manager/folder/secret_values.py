"""The values of secrets, where the operator has them: in a file, or printed by a command."""

import logging
import os
import selectors
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from air_executor.errors import AirExecutorError
from air_executor.format.secrets import MAX_SECRET_BYTES
from manager.folder.masking import MASK, parts
from manager.settings import CONFIG_FILE, Secret

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds within which a command prints a secret."""
MOST_WORDS = 4 << 10
"""Bytes that are heard of what a command says beside the secret."""


class SecretUnreadable(AirExecutorError):
    """A secret's value can't be had; the sentence, which a task's writer reads, has nothing of it."""


def value_of(name: str, declared: Mapping[str, Secret]) -> bytes:
    """It is read now. Raises SecretUnreadable."""
    secret = declared.get(name)
    if secret is None:
        raise SecretUnreadable(
            f"the secret {name!r} is not declared any more in {CONFIG_FILE} (setting `secrets`)"
        )
    place = "command" if secret.file is None else "file"
    try:
        value = _of_file(secret.file) if secret.file is not None else _printed(name, secret.command or ())
        if not value:
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


def _printed(name: str, command: Sequence[str]) -> bytes:
    """What the command prints. Raises ValueError where it does not end well, OSError where it can't begin."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        cwd="/",
    )
    value, words = bytearray(), bytearray()
    with process:
        try:
            _listen(process, value, words)
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise ValueError(f"its command has not ended within {PATIENCE:g} s") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if code:
        log.warning("secret=%s its command ended with %s and said: %s", name, code, _harmless(words, value))
        raise ValueError(f"its command ended with exit code {code}; manager.log has what it said")
    return bytes(value)


def _listen(process: subprocess.Popen[bytes], value: bytearray, words: bytearray) -> None:
    """Read both, to their ends or to their bounds. Raises TimeoutExpired, ValueError."""
    deadline = time.monotonic() + PATIENCE
    with selectors.DefaultSelector() as ready:
        for pipe, heard in ((process.stdout, value), (process.stderr, words)):
            if pipe is not None:
                ready.register(pipe, selectors.EVENT_READ, heard)
        while ready.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired("", PATIENCE)
            for key, _ in ready.select(left):
                part = os.read(key.fd, 1 << 16)
                key.data.extend(part)
                if not part:
                    ready.unregister(key.fileobj)
            del words[MOST_WORDS:]
            if len(value) > MAX_SECRET_BYTES:
                raise ValueError(f"its command prints more than {MAX_SECRET_BYTES} bytes")


def _harmless(words: bytearray, value: bytearray) -> str:
    """What a command has said, for the operator, without what it has printed."""
    said = bytes(words)
    for part in sorted(parts(bytes(value)), key=len, reverse=True):
        said = said.replace(part, MASK)
    return said.decode(errors="replace").strip()
