"""Why a command can't be executed, as a sentence: what a gate or the kernel knows of it, for people."""

import errno
import os
import stat

from air_executor.errors import plain, quoted
from manager.gates.protocol import Flaw, Problem
from manager.model import containers, missing_command
from manager.model.assignment import Assignment

MACHINES = {
    2: "sparc",
    3: "i386",
    4: "m68k",
    8: "mips",
    20: "ppc",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    42: "sh",
    43: "sparc64",
    50: "ia64",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
    247: "bpf",
    258: "loongarch64",
}
"""By their numbers in a program's file (ELF, e_machine)."""
FORMATS = (
    (b"MZ", "a program for Windows"),
    (b"\xcf\xfa\xed\xfe", "a program for macOS"),
    (b"\xce\xfa\xed\xfe", "a program for macOS"),
    (b"\xfe\xed\xfa\xcf", "a program for macOS"),
    (b"\xfe\xed\xfa\xce", "a program for macOS"),
    (b"\0asm", "a WebAssembly module (it needs a runtime, as wasmtime, before it)"),
    (b"PK\x03\x04", "a zip archive or a Java archive (java -jar executes the latter)"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"BZh", "compressed with bzip2"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"\xff\xfe", "text in UTF-16 (save it as UTF-8)"),
    (b"\xfe\xff", "text in UTF-16 (save it as UTF-8)"),
)
"""What files that no Linux executes begin with."""
FAT = b"\xca\xfe\xba\xbe"
"""Begins a Java class, and a program of macOS for several processors: then the number of those follows."""
MOST_PROCESSORS = 30


def sentence(assignment: Assignment, problem: Problem, flaw: Flaw) -> str:
    """Why the command of this task could not be executed."""
    match problem:
        case "missing":
            return _missing(assignment.words[0], assignment.task.workdir or containers.WORK)
        case "workdir":
            return _workdir(assignment, flaw)
        case "denied":
            return _denied(assignment, flaw)


def _missing(command: str, workdir: str) -> str:
    if "/" not in command:
        return missing_command.told(command, " in the image")
    where = "" if command.startswith("/") else f" in the working directory {quoted(workdir)}"
    return missing_command.told(command, where)


def _workdir(assignment: Assignment, flaw: Flaw) -> str:
    workdir, user = assignment.task.workdir or containers.WORK, assignment.spec.user
    name = f"the working directory {quoted(workdir)}"
    if flaw.file is not None:
        return f"{name} is missing, and {_name(flaw.file)} can't be made: {_words(flaw.errno)}"
    match flaw.errno:
        case None:
            return f"{name} can't be used"
        case errno.ENOENT if containers.in_work(containers.workdir_of(assignment.task)):
            return f"{name} leads nowhere: a link in it has no end"
        case errno.ENOENT:
            return f"{name} does not exist: it is made only where it is below {containers.WORK}"
        case errno.ENOTDIR:
            return f"{name} can't be used: it, or what it is in, is not a folder"
        case errno.EACCES:
            return f"{name} can't be used: user {user} may not enter it, or a folder on the way to it"
    return f"{name} can't be used: {_words(flaw.errno)}"


def _denied(assignment: Assignment, flaw: Flaw) -> str:
    command = f"the command {quoted(assignment.words[0])}"
    if flaw.errno == errno.E2BIG:
        return _too_much(command, flaw)
    if flaw.role == "shell":
        shell = f"{command} is a script without a line that begins with #!, and {_name(flaw.file)}"
        return f"{shell}, which is to read it then, {_fault(assignment, flaw)}"
    if flaw.role == "interpreter":
        return f"{command} names the interpreter {_name(flaw.file)}, which {_fault(assignment, flaw)}"
    if flaw.role == "loader":
        return f"{command} needs the loader {_name(flaw.file)}, which {_fault(assignment, flaw)}"
    return f"{command} {_fault(assignment, flaw)}"


def _too_much(command: str, flaw: Flaw) -> str:
    sizes = "" if flaw.size is None or flaw.limit is None else _sizes(flaw.size, flaw.limit)
    if flaw.argument is not None:
        return f"{command} can't be executed: argument {flaw.argument} is too long{sizes}"
    if flaw.variable is not None:
        return f"{command} can't be executed: the variable {_name(flaw.variable)} is too long{sizes}"
    together = "its arguments and variables are too much together"
    return f"{command} can't be executed: {together}{sizes}{', a quarter of the stack' if sizes else ''}"


def _sizes(size: int, limit: int) -> str:
    return f": {size:,} bytes, and the limit is {limit:,} bytes"


def _fault(assignment: Assignment, flaw: Flaw) -> str:
    """What is said of the file that is to blame."""
    match flaw.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return f"is not there{_why_not_there(flaw)}"
        case errno.ENOEXEC | errno.ELIBBAD:
            return f"can't be executed: {_format(flaw)}"
        case errno.ETXTBSY:
            return "can't be executed while somebody has it open to write to it (text file busy)"
        case errno.ELOOP if flaw.mode is not None:
            return "can't be executed: its interpreter is a script itself, as is that one's, and so on"
        case errno.ELOOP:
            return "can't be found: its name leads through too many symbolic links, or in a circle"
        case errno.ENAMETOOLONG:
            return "can't be found: its name is too long"
        case None:
            return "is not executable"
    if flaw.mode is None:
        if flaw.errno == errno.EACCES:
            return f"is not executable by user {assignment.spec.user}: a folder on the way to it is closed"
        return f"is not executable: {_words(flaw.errno)}"
    return f"is not executable{_permission(assignment.spec.user, flaw, flaw.mode)}"


def _why_not_there(flaw: Flaw) -> str:
    name = flaw.file or b""
    if name.endswith(b"\r"):
        return ": the line ends with a carriage return; save the file with line ends of Unix (LF)"
    if flaw.role == "loader":
        library = name.rpartition(b"/")[2]
        if library.startswith(b"ld-musl"):
            return ": the program was made for musl (Alpine), and the image has another C library"
        if library.startswith(b"ld-linux"):
            return ": the program was made for glibc (Debian and most others), which the image does not have"
    if flaw.role == "interpreter" and b" " in name:
        return ": all that follows `env` in that line is one name, unless it is `env -S`"
    return ""


def _permission(user: str, flaw: Flaw, mode: int) -> str:
    if stat.S_ISDIR(mode):
        return ": it is a folder"
    if not stat.S_ISREG(mode):
        return ": it is not a regular file"
    if flaw.noexec and mode & 0o111:
        return f": {_name(flaw.file)} is on a file system that is mounted noexec"
    owner = "" if flaw.uid is None or flaw.gid is None else f", it belongs to {flaw.uid}:{flaw.gid}"
    if flaw.errno != errno.EACCES or (not owner and mode & 0o111):
        return f": {_words(flaw.errno)}"
    return f" by user {user}: its mode is {stat.S_IMODE(mode):04o}{owner}"


def _format(flaw: Flaw) -> str:
    """What the file is, by how it begins."""
    head = flaw.head
    if head is None and flaw.mode is None and flaw.role == "interpreter":
        return "the name is cut, since Linux reads no more than 255 bytes of a line that begins with #!"
    if head is None:
        return "it is no program of this machine, and can't be read as a script"
    if not head:
        return "it is empty"
    if head.startswith(b"\x7fELF"):
        return _program(head, flaw.here)
    if head.startswith(FAT):
        fat = len(head) >= 8 and int.from_bytes(head[4:8]) < MOST_PROCESSORS
        return "it is a program for macOS" if fat else "it is a Java class (java executes it)"
    for beginning, words in FORMATS:
        if head.startswith(beginning):
            return f"it is {words}"
    if flaw.role == "interpreter" and b"\0" not in head:
        return "it is itself a script without a line that begins with #!"
    return "it is a binary file of no format that Linux executes"


def _program(head: bytes, here: bytes | None) -> str:
    if len(head) < 20 or head[5] not in (1, 2):
        return "it is part of a program only: the file is cut short"
    machine, ours = _machine(head), "" if here is None else here.decode(errors="replace")
    if ours == machine or (machine == "arm" and ours.startswith("arm")):
        return "it is a program of this processor, but damaged, or not linked"
    return f"it is a program for another processor, {machine}{f', and this is {plain(ours)}' if ours else ''}"


def _machine(head: bytes) -> str:
    """As `uname -m` says it there, as far as the table knows it."""
    wide, little = head[4] == 2, head[5] == 1
    number = int.from_bytes(head[18:20], "little" if little else "big")
    return {
        (8, True, True): "mips64",
        (8, True, False): "mips64",
        (21, True, True): "ppc64le",
        (22, False, False): "s390",
        (62, False, True): "x32",
        (243, False, True): "riscv32",
    }.get((number, wide, little)) or MACHINES.get(number, f"number {number} of ELF")


def _words(number: int | None) -> str:
    return "nobody knows why" if number is None else os.strerror(number)


def _name(name: bytes | None) -> str:
    return "" if name is None else quoted(name.decode(errors="backslashreplace"))
