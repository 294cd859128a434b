"""Expected errors as one sentence on standard error and an exit code, never as a traceback."""

import contextlib
import errno
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from air_executor.errors import AirExecutorError, BadInput, WaitTimeout
from air_executor.logs import harmless

FAILED = 1
BAD_INPUT = 2
TIMEOUT = 3

ANOTHER_HOME = "choose another home folder with --home or AIR_EXECUTOR_HOME"
_FULL = "the disk is full: free some space (`df -h` shows how much there is), then try again"
_REFUSED = (
    "permission denied: run this as the user that the folder belongs to, ask to be let into its group, "
    f"or {ANOTHER_HOME}"
)
_ADVICE = {
    errno.EACCES: _REFUSED,
    errno.EPERM: _REFUSED,
    errno.EROFS: f"the file system is read-only: {ANOTHER_HOME}",
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.ENOENT: "there is no such file or folder: check the spelling",
    errno.EISDIR: "is a folder; a file is wanted",
    errno.ENOTDIR: f"is a file where a folder is wanted: {ANOTHER_HOME}",
    errno.EEXIST: f"is a file where a folder is wanted: {ANOTHER_HOME}",
    errno.EMFILE: "too many open files: raise the limit with `ulimit -n`",
}


class Commands(TyperGroup):
    """The group of all commands; turns what they raise on purpose into a sentence and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # here, so that a reader that went away is noticed here
            return result
        except BrokenPipeError:
            _silence_stdout()
            raise typer.Exit(FAILED) from None
        except (AirExecutorError, OSError) as error:
            complain(sentence(error))
            raise typer.Exit(exit_code(error)) from None


def complain(text: str) -> None:
    """One message on standard error; a closed standard error is nobody's problem."""
    with contextlib.suppress(OSError):
        typer.echo(harmless(text), err=True)


def sentence(error: AirExecutorError | OSError) -> str:
    """What is wrong and what to do about it."""
    if isinstance(error, AirExecutorError):
        return str(error)
    place = f"{error.filename}: " if error.filename else ""
    known = _ADVICE.get(error.errno or 0)
    return place + (known or error.strerror or str(error) or type(error).__name__)


def exit_code(error: AirExecutorError | OSError) -> int:
    """2 for bad input, 3 for a timeout, else 1."""
    match error:
        case BadInput():
            return BAD_INPUT
        case WaitTimeout():
            return TIMEOUT
        case _:
            return FAILED


def _silence_stdout() -> None:
    """Nobody reads any more: what is still buffered must not raise again when Python ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
