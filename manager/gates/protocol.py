"""PURE. What is said between the manager and the gate (`runner_image/gate/gate.c`).

A task's container waits at a FIFO, `payload` in its control folder, for one frame: the header
line `AIRX1 <length>`, and then that many bytes of strings, each ended by NUL: nonce, working directory (or
nothing: that of the container), number of arguments, the arguments, number of variables, the variables as
`NAME=value`; and, where mounts are to be proved, their number, and for each which file its place in the
container must be, as `<device> <inode> <place>`; and, where files come with the command (then the number of
mounts stands there, too), their number, and for each `<mode, octal> <length> <place>` as one string, and then
what is in it: that many bytes, whatever they are, and a NUL. A gate of before there were files takes none for
a frame that has some. Its answer is the file `receipt` in its receipt folder:
empty while it waits, and then one line that is durable before the command begins.

Whether a command began is said by the receipt alone. The task can write to the receipt's folder once it runs,
so what is read there later is the task's word; what was read before that is the gate's.

When the command has ended, and all its processes, the gate says so through a second FIFO, `end`, long before
the engine does, and whether a signal has ended the command: an exit code alone does not tell. That FIFO has
no name any more when the command begins, and a mode by which nobody opens it (`gate_folder`). But the task's
user is the gate's, and may trace it or write to its memory: so what comes through `end` is to be taken as the
task's word, about its own container and nothing else. A task gains nothing by it that it could not have by
ending; and what goes on running after such a word is killed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, cast
from urllib.parse import unquote_to_bytes

MAX_FRAME_BYTES = 4 << 20
"""Of the strings in a frame; the header comes on top."""
MAX_STRINGS = 1 << 18
"""Of arguments, and of variables."""

NeverReason: TypeAlias = Literal["told", "patience", "short", "malformed", "unfit", "mounts", "files"]
"""Told by a signal; nobody wrote in time; the writer left; not a frame; no FIFO or no /dev/null in there;
something else is mounted than was meant; a file could not be made that came with the command."""
Problem: TypeAlias = Literal["missing", "denied", "workdir"]
Role: TypeAlias = Literal["interpreter", "loader", "shell"]
"""What a file is to the command that can't be executed for it: its interpreter, its loader, or the shell that
was to read it as a script."""

_NONCE = "[A-Za-z0-9_][A-Za-z0-9_-]{0,63}"
_VALID_NONCE = re.compile(_NONCE)
_BEGAN = re.compile(rf"BEGAN ({_NONCE}) (0|[1-9][0-9]{{0,10}})\.([0-9]{{9}})".encode())
_FACTS = "((?: [a-z]{1,12}=[!-~]{0,800}){0,16})"
_FAILED = re.compile(rf"FAILED ({_NONCE}) ([1-9][0-9]{{0,3}}){_FACTS}".encode())
_NEVER = re.compile(rf"NEVER (-|{_NONCE}) (told|patience|short|malformed|unfit|mounts|files)".encode())
_UNUSABLE = re.compile(rf"UNUSABLE ({_NONCE}) (missing|denied|workdir){_FACTS}".encode())
_NUMBER = re.compile(rb"0|[1-9][0-9]{0,17}")
_MOST = {"errno": 4095, "mode": 0o177777}
"""As the kernel has them."""
_ENDED = re.compile(rb"ENDED (0|[1-9][0-9]{0,2}) (0|[1-9][0-9]{0,10})\.([0-9]{9})(?: (0|[1-9][0-9]?))?\n")


@dataclass(frozen=True, slots=True)
class Flaw:
    """What a gate knows of why something can't be executed, or entered. What it does not say is None."""

    errno: int | None = None
    """Of Linux, on this machine."""
    file: bytes | None = None
    """The beginning of its name; for a folder that can't be made, as far as that went."""
    role: Role | None = None
    mode: int | None = None
    """With the kind of file, as `stat` gives it."""
    uid: int | None = None
    gid: int | None = None
    noexec: bool = False
    """Its file system is mounted so that nothing on it is executed."""
    head: bytes | None = None
    """Its first 20 bytes: all of it, where it has fewer."""
    here: bytes | None = None
    """The machine, as `uname -m` says it."""
    argument: int | None = None
    """Which is too long; 0 is the command."""
    variable: bytes | None = None
    """Which is too long."""
    size: int | None = None
    limit: int | None = None
    """In bytes: of that one, or else of all arguments and variables."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The command has ended, and no process of its container is left but the gate, which ends as it did."""

    exit_code: int
    at: datetime
    signal: int | None = None
    """Which one has ended the command; 0 where none has. None: a gate of an older version does not say."""


@dataclass(frozen=True, slots=True)
class Began:
    """The command was begun; or could not be, where `failed` is an errno of `fork` or `exec` (code 126)."""

    nonce: str
    at: datetime
    failed: int | None = None
    flaw: Flaw = Flaw()
    ended: Ended | None = None
    """How the command has ended, once it has; who reads that has the task's word for it."""


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
    flaw: Flaw = Flaw()


Receipt: TypeAlias = Began | Never | Unusable


@dataclass(frozen=True, slots=True)
class Mounted:
    """What is to be at a place in the container: the numbers by which the kernel knows the folder."""

    place: str
    device: int
    inode: int


@dataclass(frozen=True, slots=True)
class HandedFile:
    """A file that comes with the command; nobody is to read it in a message of ours."""

    place: str
    content: bytes = field(repr=False)
    mode: int = 0o400


def frame(
    nonce: str,
    workdir: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    mounts: Sequence[Mounted] = (),
    files: Sequence[HandedFile] = (),
) -> bytes:
    """What opens a gate. Where `mounts` are not what it has, or it can't make the `files`, it runs nothing.

    A variable may have bytes that are no UTF-8, as `surrogateescape` reads them.

    Raises ValueError for what no gate would take: a nonce that is not 1 to 64 letters, digits, `_` and `-`
    (not first), no argument, a variable without a name, NUL anywhere but in a file, too much of it.
    """
    if not _VALID_NONCE.fullmatch(nonce):
        raise ValueError(f"not a nonce: {nonce!r}")
    if not argv:
        raise ValueError("a command is needed")
    if any(not name or "=" in name for name in env):
        raise ValueError("a variable's name is not empty and has no '=' in it")
    if max(len(argv), len(env)) > MAX_STRINGS:
        raise ValueError(f"more than {MAX_STRINGS} arguments or variables")
    words = [nonce, workdir, str(len(argv)), *argv, str(len(env))]
    variables = [f"{name}={value}" for name, value in env.items()]
    proofs = [f"{each.device} {each.inode} {each.place}" for each in mounts]
    if mounts or files:
        proofs = [str(len(mounts)), *proofs]
    if any("\0" in string for string in (*words, *variables, *proofs, *(each.place for each in files))):
        raise ValueError("NUL can't be part of an argument, a variable or a place")
    body = _ended(words) + _ended(variables, "surrogateescape") + _ended(proofs) + _files(files)
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"the command and its variables have more than {MAX_FRAME_BYTES} bytes")
    return b"AIRX1 %d\n" % len(body) + body


def _ended(strings: Sequence[str], errors: str = "strict") -> bytes:
    return "".join(f"{string}\0" for string in strings).encode(errors=errors)


def _files(files: Sequence[HandedFile]) -> bytes:
    parts = [f"{len(files)}\0".encode()] if files else []
    for each in files:
        parts += [f"{each.mode:o} {len(each.content)} {each.place}\0".encode(), each.content, b"\0"]
    return b"".join(parts)


def parse_receipt(content: bytes) -> Receipt | None:
    """What a receipt's file says, or None: nothing yet (half a line is nothing), or what no gate writes.

    The first line wins. Others count after BEGAN: in the second one, that an `exec` failed; in the last one,
    how the command has ended, for a manager that was not there to hear it.
    """
    line, *more = content.split(b"\n")[:-1] or [b""]
    if match := _BEGAN.fullmatch(line):
        at = _time(match[2], match[3])
        if at is None:
            return None
        failed = _FAILED.fullmatch(more[0]) if more else None
        ended = parse_end(more[-1] + b"\n") if more else None
        if failed is None or failed[1] != match[1]:
            return Began(match[1].decode(), at, ended=ended)
        number = int(failed[2])
        return Began(match[1].decode(), at, number, replace(_flaw(failed[3]), errno=number), ended)
    if match := _NEVER.fullmatch(line):
        nonce = None if match[1] == b"-" else match[1].decode()
        return Never(nonce, cast(NeverReason, match[2].decode()))
    if match := _UNUSABLE.fullmatch(line):
        return Unusable(match[1].decode(), cast(Problem, match[2].decode()), _flaw(match[3]))
    return None


def _flaw(facts: bytes) -> Flaw:
    """What is no fact, or of no use, is left out; of two the last one counts."""
    known: dict[str, Any] = {}
    for fact in facts.split():
        name, _, value = fact.partition(b"=")
        match name.decode():
            case "errno" | "mode" | "uid" | "gid" | "argument" | "size" | "limit" as number:
                if _NUMBER.fullmatch(value) and int(value) <= _MOST.get(number, int(value)):
                    known[number] = int(value)
            case "file" | "variable" | "head" | "here" as text:
                known[text] = unquote_to_bytes(value)
            case "role":
                if value in (b"interpreter", b"loader", b"shell"):
                    known["role"] = value.decode()
            case "noexec":
                known["noexec"] = value == b"1"
    return Flaw(**known)


def parse_end(content: bytes) -> Ended | None:
    """What a gate says through `end`, in one piece; None where it left without a word."""
    match = _ENDED.fullmatch(content)
    at = _time(match[2], match[3]) if match else None
    if match is None or at is None:
        return None
    return Ended(int(match[1]), at, None if match[4] is None else int(match[4]))


def _time(seconds: bytes, nanoseconds: bytes) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC).replace(microsecond=int(nanoseconds) // 1000)
    except (OverflowError, ValueError, OSError):  # a year that there is not
        return None
