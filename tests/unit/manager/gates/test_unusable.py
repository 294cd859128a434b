"""The sentences in which a task is told why its command could not be executed."""

import errno
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.gates import unusable
from manager.gates.protocol import Flaw, Problem, parse_receipt
from manager.gates.protocol import Unusable as Receipt
from tests.unit.manager.gates.test_gatekeeper import an_assignment

ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0"
BIG = b"\x7fELF\x02\x02\x01" + bytes(9) + b"\0\x02"
NARROW = b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x02\0"


def said(tmp_path: Path, problem: Problem, flaw: Flaw, command: str = "./tool", workdir: str = "") -> str:
    assignment = an_assignment(tmp_path, command)
    task = assignment.task.model_copy(update={"workdir": workdir or None})
    spec = replace(assignment.spec, user="1000:1001")
    return unusable.sentence(replace(assignment, task=task, spec=spec), problem, flaw)


@pytest.mark.parametrize(
    ("command", "workdir", "sentence"),
    [
        ("tool", "", "there is no command 'tool' in the image"),
        ("/opt/tool", "", "there is no command '/opt/tool'"),
        (
            "echo hello",
            "",
            "there is no command 'echo hello' in the image; arguments go into `args`, and what a shell is to "
            'read behind `"entrypoint": ["sh", "-c"]`',
        ),
        (
            "./tool -v",
            "",
            "there is no command './tool -v' in the working directory '/work'; arguments go into `args`, and "
            'what a shell is to read behind `"entrypoint": ["sh", "-c"]`',
        ),
        ("./tool", "", "there is no command './tool' in the working directory '/work'"),
        ("./tool", "/opt", "there is no command './tool' in the working directory '/opt'"),
    ],
)
def test_a_command_that_is_missing_is_named_with_where(
    tmp_path: Path, command: str, workdir: str, sentence: str
) -> None:
    assert said(tmp_path, "missing", Flaw(), command, workdir) == sentence


@pytest.mark.parametrize(
    ("flaw", "sentence"),
    [
        (Flaw(), "the working directory '/x' can't be used"),
        (Flaw(errno.ENOENT), "the working directory '/x' does not exist: it is made only where it is "
         "below /work"),
        (Flaw(errno.ENOTDIR), "the working directory '/x' can't be used: it, or what it is in, is not a "
         "folder"),
        (Flaw(errno.EACCES), "the working directory '/x' can't be used: user 1000:1001 may not enter it, "
         "or a "
         "folder on the way to it"),
        (Flaw(errno.ELOOP), "the working directory '/x' can't be used: Too many levels of symbolic links"),
        (Flaw(errno.EACCES, b"/work/a"), "the working directory '/x' is missing, and '/work/a' can't be "
         "made: "
         "Permission denied"),
    ],
)  # fmt: skip
def test_a_working_directory_says_what_is_wrong_with_it(tmp_path: Path, flaw: Flaw, sentence: str) -> None:
    assert said(tmp_path, "workdir", flaw, workdir="/x") == sentence


FILE = {"file": b"/work/tool", "mode": 0o100644, "uid": 0, "gid": 7}


@pytest.mark.parametrize(
    ("flaw", "rest"),
    [
        (Flaw(), "is not executable"),
        (Flaw(errno.EACCES, **FILE), "is not executable by user 1000:1001: its mode is 0644, it belongs "
         "to 0:7"),
        (Flaw(errno.EISDIR, b"/work/tool", mode=0o40755), "is not executable: it is a folder"),
        (Flaw(errno.EACCES, b"/work/tool", mode=0o10777), "is not executable: it is not a regular file"),
        (Flaw(errno.EACCES, b"/tmp/tool", mode=0o100755, noexec=True),
         "is not executable: '/tmp/tool' is on a file system that is mounted noexec"),
        (Flaw(errno.EACCES, b"/root/tool"), "is not executable by user 1000:1001: a folder on the way to "
         "it is closed"),
        (Flaw(errno.EIO, b"/work/tool"), "is not executable: Input/output error"),
        (Flaw(errno.EPERM, b"/work/tool", mode=0o100755), "is not executable: Operation not permitted"),
        (Flaw(errno.ETXTBSY, b"/work/tool", mode=0o100755),
         "can't be executed while somebody has it open to write to it (text file busy)"),
        (Flaw(errno.ELOOP, b"/work/tool", mode=0o100755),
         "can't be executed: its interpreter is a script itself, as is that one's, and so on"),
        (Flaw(errno.ELOOP, b"/work/tool"),
         "can't be found: its name leads through too many symbolic links, or in a circle"),
        (Flaw(errno.ENAMETOOLONG, b"nnn"), "can't be found: its name is too long"),
        (Flaw(errno.ENOENT, b"/bin/bash", "interpreter"), "names the interpreter '/bin/bash', which is "
         "not there"),
        (Flaw(errno.ENOENT, b"/bin/sh\r", "interpreter"),
         r"names the interpreter '/bin/sh\r', which is not there: the line ends with a carriage return; "
         r"save the "
         "file with line ends of Unix (LF)"),
        (Flaw(errno.ENOENT, b"sh -e", "interpreter"),
         "names the interpreter 'sh -e', which is not there: all that follows `env` in that line is one "
         "name, "
         "unless it is `env -S`"),
        (Flaw(errno.ENOEXEC, b"/xxx", "interpreter"),
         "names the interpreter '/xxx', which can't be executed: the name is cut, since Linux reads no "
         "more than "
         "255 bytes of a line that begins with #!"),
        (Flaw(errno.ENOEXEC, b"/work/x", "interpreter", 0o100755, head=b"echo\n"),
         "names the interpreter '/work/x', which can't be executed: it is itself a script without a line "
         "that "
         "begins with #!"),
        (Flaw(errno.EACCES, b"/work/x", "interpreter", 0o100600, 1, 1),
         "names the interpreter '/work/x', which is not executable by user 1000:1001: its mode is 0600, "
         "it belongs "
         "to 1:1"),
        (Flaw(errno.ENOENT, b"/lib/ld-musl-x86_64.so.1", "loader"),
         "needs the loader '/lib/ld-musl-x86_64.so.1', which is not there: the program was made for musl "
         "(Alpine), "
         "and the image has another C library"),
        (Flaw(errno.ENOENT, b"/lib64/ld-linux-x86-64.so.2", "loader"),
         "needs the loader '/lib64/ld-linux-x86-64.so.2', which is not there: the program was made for glibc "
         "(Debian and most others), which the image does not have"),
        (Flaw(errno.ENOENT, b"/bin/sh", "shell"),
         "is a script without a line that begins with #!, and '/bin/sh', which is to read it then, is not "
         "there"),
        (Flaw(errno.E2BIG, argument=2, size=140_000, limit=131_071),
         "can't be executed: argument 2 is too long: 140,000 bytes, and the limit is 131,071 bytes"),
        (Flaw(errno.E2BIG, variable=b"BIG", size=140_000, limit=131_071),
         "can't be executed: the variable 'BIG' is too long: 140,000 bytes, and the limit is 131,071 bytes"),
        (Flaw(errno.E2BIG, size=3_000_000, limit=2_097_152),
         "can't be executed: its arguments and variables are too much together: 3,000,000 bytes, and the "
         "limit is "
         "2,097,152 bytes, a quarter of the stack"),
        (Flaw(errno.E2BIG), "can't be executed: its arguments and variables are too much together"),
    ],
)  # fmt: skip
def test_what_can_not_be_executed_says_why(tmp_path: Path, flaw: Flaw, rest: str) -> None:
    assert said(tmp_path, "denied", flaw) == f"the command './tool' {rest}"


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"", "it is empty"),
        (ELF + b"\xb7\0", "it is a program for another processor, aarch64, and this is x86_64"),
        (ELF + b"\xf3\0", "it is a program for another processor, riscv64, and this is x86_64"),
        (ELF + b"\x15\0", "it is a program for another processor, ppc64le, and this is x86_64"),
        (BIG + b"\0\x16", "it is a program for another processor, s390x, and this is x86_64"),
        (NARROW + b"\x28\0", "it is a program for another processor, arm, and this is x86_64"),
        (NARROW + b"\x03\0", "it is a program for another processor, i386, and this is x86_64"),
        (ELF + b"\xff\xff", "it is a program for another processor, number 65535 of ELF, and this is x86_64"),
        (ELF + b"\x3e\0", "it is a program of this processor, but damaged, or not linked"),
        (b"\x7fELF", "it is part of a program only: the file is cut short"),
        (b"MZ\x90\0", "it is a program for Windows"),
        (b"\xcf\xfa\xed\xfe\x07", "it is a program for macOS"),
        (b"\xca\xfe\xba\xbe\0\0\0\x02", "it is a program for macOS"),
        (b"\xca\xfe\xba\xbe\0\0\0\x41", "it is a Java class (java executes it)"),
        (b"\xff\xfee\0", "it is text in UTF-16 (save it as UTF-8)"),
        (b"\0\x01\x02", "it is a binary file of no format that Linux executes"),
        (None, "it is no program of this machine, and can't be read as a script"),
    ],
)
def test_what_has_a_format_that_is_not_executed_says_which(
    tmp_path: Path, head: bytes | None, what: str
) -> None:
    flaw = Flaw(errno.ENOEXEC, b"/work/tool", mode=0o100755, head=head, here=b"x86_64")
    assert said(tmp_path, "denied", flaw) == f"the command './tool' can't be executed: {what}"


FACTS = st.fixed_dictionaries(
    {},
    optional={
        "errno": st.integers(0, 5000).map(str),
        "role": st.sampled_from(["interpreter", "loader", "shell"]),
        **dict.fromkeys(("file", "head", "variable", "here"), st.binary(max_size=250).map(quote)),
        **dict.fromkeys(("mode", "uid", "gid", "size", "limit", "argument"), st.integers(0, 10**19).map(str)),
        "noexec": st.sampled_from("01"),
    },
)


@given(facts=FACTS, problem=st.sampled_from(["missing", "denied", "workdir"]))
def test_whatever_a_receipt_says_there_is_a_sentence_of_one_line(
    tmp_path_factory: pytest.TempPathFactory, facts: dict[str, str], problem: Problem
) -> None:
    line = f"UNUSABLE n {problem}" + "".join(f" {name}={value}" for name, value in facts.items())
    receipt = parse_receipt(f"{line}\n".encode())
    assert isinstance(receipt, Receipt) and receipt.problem == problem
    sentence = said(tmp_path_factory.getbasetemp(), problem, receipt.flaw)
    assert sentence.isprintable()
    assert len(sentence) < 700


def test_what_an_older_gate_says_has_a_sentence(tmp_path: Path) -> None:
    receipt = parse_receipt(b"UNUSABLE n denied\n")
    assert isinstance(receipt, Receipt)
    assert said(tmp_path, receipt.problem, receipt.flaw) == "the command './tool' is not executable"
