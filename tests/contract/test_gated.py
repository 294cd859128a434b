"""Containers that wait at a gate, on any engine; and what else look-ahead asks of one: a file of an image."""

import errno
import hashlib
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from air_executor.clock import utc_now
from air_executor.format.secrets import FOLDER
from manager.engine.contract import ContainerGone, Status
from manager.gates import gate_folder, protocol
from manager.gates.protocol import Began, Flaw, HandedFile, Never, Unusable
from manager.model.containers import GATE_IN_IMAGE, GATE_PLACE
from manager.model.home import CONTROL, END, FIFO, RECEIPT, GateFolder
from tests.contract.bench import (
    EXIT_3,
    EXIT_126,
    EXIT_127,
    FOREVER,
    IGNORES_TERM,
    MARKS,
    MISSING,
    SAY,
    Bench,
    sh,
)
from tests.engine_room import BARE_COMMAND, BARE_WORDS
from tests.waiting import until

NO_FILE = "/usr/local/lib/air-executor/no-such-file"
A_WHILE = 0.3
"""Seconds in which something could happen that must not."""


# --- Files of a container --------------------------------------------------------------------------------


def test_a_file_of_a_container_that_has_not_begun_can_be_read(bench: Bench) -> None:
    content = bench.engine.read_file(bench.create().id, GATE_IN_IMAGE)
    assert content is not None
    assert len(content) > 0


def test_a_file_of_a_container_that_has_ended_can_be_read_and_is_the_same(bench: Bench) -> None:
    content = bench.engine.read_file(bench.create().id, GATE_IN_IMAGE)
    assert bench.engine.read_file(bench.ended(EXIT_3).name, GATE_IN_IMAGE) == content


def test_a_file_that_is_not_there_is_none(bench: Bench) -> None:
    assert bench.engine.read_file(bench.create().id, NO_FILE) is None
    assert bench.engine.read_file(bench.ended().id, NO_FILE) is None


def test_a_file_of_a_container_that_is_not_there_is_not_taken_for_a_missing_file(bench: Bench) -> None:
    with pytest.raises(ContainerGone):
        bench.engine.read_file("airx-never-was", GATE_IN_IMAGE)


def test_the_gate_in_the_image_is_read_as_it_stands(docker_bench: Bench) -> None:
    content = docker_bench.engine.read_file(docker_bench.create().id, GATE_IN_IMAGE)
    assert content is not None
    assert content[:4] == b"\x7fELF"
    digest = docker_bench.run(("sha256sum", GATE_IN_IMAGE))
    assert docker_bench.output(digest.id).split()[0].decode() == _sha256(content)


@pytest.mark.parametrize("path", ["/etc", "/dev/null", "/bin"])
def test_what_is_no_file_can_not_be_read_and_that_is_no_accident(docker_bench: Bench, path: str) -> None:
    """The last one is a link to a folder."""
    assert docker_bench.engine.read_file(docker_bench.create().id, path) is None


def test_a_file_behind_a_link_never_brings_anything_down(docker_bench: Bench) -> None:
    """An operator's own runner image may have its gate so. Either word will do: the file's, or none."""
    container = docker_bench.create().id
    dash = docker_bench.engine.read_file(container, "/usr/bin/dash")
    assert docker_bench.engine.read_file(container, "/usr/bin/sh") in (dash, None)


# --- Waiting and beginning -------------------------------------------------------------------------------


def mark(bench: Bench) -> Path:
    return bench.folder / "work" / "mark"


def test_a_command_behind_a_gate_begins_only_when_that_is_opened(bench: Bench) -> None:
    made = bench.waiting(MARKS)
    time.sleep(A_WHILE)
    assert bench.status(made.id) is Status.RUNNING
    assert made.receipt is None
    assert not mark(bench).exists()
    assert made.hand_over()
    bench.engine.wait(made.id)
    assert mark(bench).read_text() == "begun\n"


def test_the_receipt_says_that_it_began_for_whom_and_when(bench: Bench) -> None:
    made = bench.waiting(EXIT_3)
    before = utc_now()
    made.hand_over("for-me")
    bench.engine.wait(made.id)
    receipt = made.receipt
    assert isinstance(receipt, Began)
    assert (receipt.nonce, receipt.failed) == ("for-me", None)
    assert before <= receipt.at <= utc_now()


def test_files_come_with_a_command_into_the_place_that_its_user_alone_has(docker_bench: Bench) -> None:
    looks = "stat -c '%a %u' /run/secrets /run/secrets/db; cat /run/secrets/db; touch /run/secrets/own"
    made = docker_bench.waiting(sh(f"{looks}; head -c 2000000 /dev/zero >/run/secrets/own && echo unbounded"))
    assert made.hand_over("n", HandedFile(f"{FOLDER}/db", b"value\n"))
    docker_bench.engine.wait(made.id)
    uid = made.spec.user.partition(":")[0]
    said = docker_bench.output(made.id).decode()
    assert said.startswith(f"700 {uid}\n400 {uid}\nvalue\n") and "unbounded" not in said


def test_without_that_place_no_command_begins_that_files_come_with(bench: Bench) -> None:
    made = bench.waiting(MARKS, secrets_bytes=None)
    made.hand_over("n", HandedFile(f"{FOLDER}/db", b"value"))
    until(lambda: made.receipt, 60)
    assert isinstance(made.receipt, Never) and made.receipt.reason == "files"
    assert not mark(bench).exists()


@pytest.mark.parametrize(
    ("command", "code"),
    [(("true",), 0), (EXIT_3, 3), (EXIT_127, 127), (EXIT_126, 126)],
    ids=["0", "3", "127", "126"],
)
def test_behind_a_gate_the_exit_code_is_the_commands_own(
    bench: Bench, command: tuple[str, ...], code: int
) -> None:
    made = bench.opened(command)
    bench.engine.wait(made.id)
    found = bench.engine.observe(made.id)
    assert (found.status, found.exit_code) == (Status.EXITED, code)
    assert found.unusable_command is None
    assert isinstance(made.receipt, Began)


def test_behind_a_gate_the_output_is_the_commands_alone(bench: Bench) -> None:
    # Two streams: their order is nobody's promise.
    said = bench.output(bench.opened(SAY).id).split()
    assert sorted(said) == [b"one", b"three", b"two"]


def test_a_command_that_is_not_there_is_told_by_the_gate(bench: Bench) -> None:
    made = bench.opened(MISSING)
    bench.engine.wait(made.id)
    assert made.receipt == Unusable("nonce", "missing")
    found = bench.engine.observe(made.id)
    assert (found.exit_code, found.unusable_command) == (127, None), "the engine knows nothing of commands"


@pytest.mark.parametrize(("signal", "code"), [("SIGTERM", 143), ("SIGKILL", 137)])
def test_behind_an_open_gate_a_signal_reaches_the_command(bench: Bench, signal: str, code: int) -> None:
    made = bench.opened(FOREVER)
    bench.until_it_says(made.id, b"begun")
    bench.engine.signal(made.id, signal)
    bench.engine.wait(made.id)
    assert bench.engine.observe(made.id).exit_code == code


def test_behind_an_open_gate_a_command_may_ignore_sigterm(bench: Bench) -> None:
    made = bench.opened(IGNORES_TERM)
    bench.until_it_says(made.id, b"begun")
    bench.engine.signal(made.id, "SIGTERM")
    assert bench.status(made.id) is Status.RUNNING
    bench.engine.signal(made.id, "SIGKILL")
    bench.engine.wait(made.id)


def test_a_gate_serves_once(bench: Bench) -> None:
    made = bench.opened(FOREVER)
    bench.until_it_says(made.id, b"begun")
    assert not made.hand_over("another")
    assert bench.engine.start(made.id).status is Status.RUNNING
    bench.engine.signal(made.id, "SIGTERM")
    bench.engine.wait(made.id)
    assert bench.engine.start(made.id).status is Status.EXITED
    receipt = made.receipt
    assert isinstance(receipt, Began)
    assert receipt.nonce == "nonce"


def test_one_that_waits_is_adopted_by_the_same_words_and_waits_on(bench: Bench) -> None:
    made = bench.waiting(MARKS)
    again = bench.engine.observe(bench.engine.create(made.spec, None))
    assert (again.id, again.status) == (made.id, Status.RUNNING)
    assert made.receipt is None
    assert [each.id for each in bench.engine.containers(bench.home.id)] == [made.id]


def test_one_that_waits_can_be_removed_and_nothing_has_begun(bench: Bench) -> None:
    made = bench.waiting(MARKS)
    bench.engine.remove(made.id, bench.home.id)
    with pytest.raises(ContainerGone):
        bench.engine.observe(made.id)
    assert made.receipt is None
    assert not mark(bench).exists()


# --- Only on a real engine -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["removed", "killed"])
def test_nobody_takes_a_command_at_the_gate_of_one_that_is_gone(docker_bench: Bench, how: str) -> None:
    made = docker_bench.waiting(MARKS)
    if how == "removed":
        docker_bench.engine.remove(made.id, docker_bench.home.id)
    else:
        docker_bench.engine.signal(made.id, "SIGKILL")
        docker_bench.engine.wait(made.id)
    assert not made.hand_over()
    assert made.receipt is None
    assert not mark(docker_bench).exists()


def test_a_gate_that_is_told_to_leave_says_so_and_nothing_has_begun(docker_bench: Bench) -> None:
    made = docker_bench.waiting(MARKS)
    until_it_reads(made.folder)
    docker_bench.engine.signal(made.id, "SIGTERM")
    docker_bench.engine.wait(made.id)
    receipt = made.receipt
    assert isinstance(receipt, Never) and receipt.reason == "told"
    assert gate_folder.is_honest(receipt, made.folder.token)
    assert docker_bench.engine.observe(made.id).exit_code == 75
    assert not mark(docker_bench).exists()


def test_a_paused_gate_takes_its_command_when_it_goes_on(docker_bench: Bench, docker_client: Any) -> None:
    made = docker_bench.waiting(MARKS)
    until_it_reads(made.folder)
    container = docker_client.containers.get(made.id)
    container.pause()
    assert made.hand_over()
    time.sleep(A_WHILE)
    assert made.receipt is None
    assert docker_bench.status(made.id) is Status.RUNNING
    container.unpause()
    docker_bench.engine.wait(made.id)
    assert isinstance(made.receipt, Began)
    assert mark(docker_bench).read_text() == "begun\n"


def test_an_image_with_one_static_program_and_no_shell_works_behind_a_gate(
    docker_bench: Bench, bare_image: str
) -> None:
    made = docker_bench.opened(BARE_COMMAND, image=bare_image)
    assert docker_bench.output(made.id).decode().startswith(BARE_WORDS)
    docker_bench.engine.wait(made.id)
    assert docker_bench.engine.observe(made.id).exit_code == 0
    assert isinstance(made.receipt, Began)


def test_a_command_that_such_an_image_does_not_have_is_missing(docker_bench: Bench, bare_image: str) -> None:
    made = docker_bench.opened(("sh", "-c", "exit 0"), image=bare_image)
    docker_bench.engine.wait(made.id)
    assert made.receipt == Unusable("nonce", "missing")
    assert docker_bench.engine.observe(made.id).exit_code == 127


def test_what_belongs_to_the_gate_can_not_be_changed_from_inside(docker_bench: Bench) -> None:
    script = (
        f"cd {GATE_PLACE}; for f in x gate {CONTROL}/x; do (echo x >> $f) 2>&1 && echo wrote $f; done\n"
        f"for f in gate {CONTROL}/{FIFO} {CONTROL} {RECEIPT}; do\n"
        "  mv $f moved 2>/dev/null && echo moved $f; rm -r $f 2>/dev/null && echo removed $f\n"
        f"done; chmod 777 {CONTROL} 2>/dev/null && echo opened; mkfifo {CONTROL}/y 2>/dev/null && echo made\n"
        f"(echo x > {CONTROL}/{FIFO}) 2>/dev/null && echo wrote; (echo x > /x) 2>&1; true"
    )
    made = docker_bench.opened(sh(script))
    said = docker_bench.output(made.id).decode().splitlines()
    refused = [line.rpartition(": ")[2] for line in said]
    read_only = "Read-only file system"
    assert [*refused[:1], *refused[2:]] == [read_only] * 3, said
    assert refused[1] in (read_only, "Permission denied"), "the gate itself"


def test_behind_a_gate_a_task_has_no_powers_and_is_never_root(docker_bench: Bench) -> None:
    made = docker_bench.opened(sh("id -u; id -g; id -G; grep -E '^(Cap|NoNewPrivs)' /proc/self/status"))
    uid, gid, groups, *status = docker_bench.output(made.id).decode().splitlines()
    assert "0" not in (uid, gid, *groups.split())
    powers = dict(line.split(":\t") for line in status)
    assert powers.pop("NoNewPrivs") == "1"
    assert len(powers) == 5
    assert {int(value, 16) for value in powers.values()} == {0}


def test_a_command_finds_behind_a_gate_what_it_finds_without_one(docker_bench: Bench) -> None:
    """Variables, folder, descriptors, signals, limits, priorities: nothing of the gate is inherited."""
    script = (
        "cat /proc/$$/limits /proc/$$/oom_score_adj /proc/$$/coredump_filter /proc/$$/personality 2>&1\n"
        "nice; cut -d' ' -f 7,8,18,19,41 /proc/$$/stat; tr '\\0' '\\n' < /proc/$$/cmdline | head -n 2\n"
        "readlink /proc/$$/cwd /proc/$$/root; stat -L -c '%F %u %g %a' /proc/$$/fd/[012]; id\n"
        "grep -E '^(NSpid|NStgid|NStty|Threads|Speculation|CoreDumping|THP|Cpus_allowed|Mems_allowed|Timer)' "
        "/proc/$$/status | grep -v NS; cat /proc/$$/timerslack_ns 2>&1; (: < /dev/tty) 2>&1\n"
        "env | grep -v -e ^HOSTNAME= -e ^AIR_EXECUTOR_TASK= | sort; pwd; umask; ulimit -a; ls /proc/self/fd\n"
        "grep -E '^(Sig|Shd)(Blk|Ign|Cgt|Pnd)|^Seccomp|^Groups|^PPid' /proc/self/status; cat /proc/$$/comm\n"
        "test $(cut -d' ' -f 5 /proc/$$/stat) = $$ && echo leads its group; cut -d' ' -f 6 /proc/$$/stat\n"
        "test -t 0 || readlink /proc/$$/fd/0"
    )
    with_gate = docker_bench.output(docker_bench.opened(sh(script)).id).decode()
    without = docker_bench.output(docker_bench.run(sh(script)).id).decode()
    assert _without_process_numbers(with_gate) == _without_process_numbers(without)


FIRST_PROCESS = (
    "import ctypes, errno, os, sys\n"
    "def refused(what):\n"
    "    try: return bool(what()) and 'no'\n"
    "    except OSError as error: return errno.errorcode[error.errno]\n"
    "for name in sorted(os.listdir('/proc/1/fd'), key=int)[3:]:\n"
    "    at = f'/proc/1/fd/{name}'\n"
    "    kind = 'end' if os.readlink(at).startswith('/.air-executor/control/end') else os.readlink(at)\n"
    "    opened = [refused(lambda: os.open(at, flags | os.O_NONBLOCK)) for flags in (0, 1, 2)]\n"
    "    print(kind, *opened, refused(lambda: os.chmod(at, 0o666) or True))\n"
    "libc = ctypes.CDLL(None, use_errno=True)\n"
    "libc.syscall(438, os.pidfd_open(1), 3, 0)\n"  # pidfd_getfd
    "print(errno.errorcode[ctypes.get_errno()])\n"
)


def test_what_the_first_process_has_open_is_its_output_and_what_nobody_can_use(docker_bench: Bench) -> None:
    """Also where the FIFO is the task's user's own, as a manager that is no root has it."""
    made = docker_bench.waiting(("python3", "-c", FIRST_PROCESS))
    uid, _, gid = made.spec.user.partition(":")
    os.chown(made.folder.control / END, int(uid), int(gid))
    ends: list[int] = []
    content = protocol.frame("nonce", "", made.command, {})
    until(lambda: gate_folder.open_gate(made.folder.fifo, content, take_end=ends.append), 60)
    said = docker_bench.output(made.id).decode().splitlines()
    assert said == ["end EACCES EACCES EACCES EROFS", "EPERM"]
    docker_bench.engine.wait(made.id)
    ended = protocol.parse_end(os.read(ends[0], gate_folder.MAX_END_BYTES))
    os.close(ends[0])
    assert ended is not None and ended.exit_code == 0


BY_THE_FIRST = "echo 1 > /proc/1/fd/1; echo 2 > /proc/1/fd/2; echo 3 > /dev/stdout; echo 4 | tee /dev/stderr"


def test_what_is_said_by_way_of_the_first_process_is_heard(docker_bench: Bench) -> None:
    for made in (docker_bench.opened(sh(BY_THE_FIRST)), docker_bench.run(sh(BY_THE_FIRST))):
        assert sorted(docker_bench.output(made.id).split()) == [b"1", b"2", b"3", b"4", b"4"]


def test_what_can_not_be_executed_has_not_begun_and_says_why(docker_bench: Bench) -> None:
    """The kernel says so: to execute it, and stand still before its first instruction, is allowed there."""
    tool = docker_bench.work / "tool"
    tool.write_text("#!/bin/sh\r\n")
    tool.chmod(0o755)
    made = docker_bench.opened(("./tool",))
    docker_bench.engine.wait(made.id)
    assert made.receipt == Unusable("nonce", "denied", Flaw(errno.ENOENT, b"/bin/sh\r", "interpreter"))
    assert docker_bench.engine.observe(made.id).exit_code == 126


def test_who_may_not_execute_a_command_is_told_its_mode(docker_bench: Bench) -> None:
    tool = docker_bench.work / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o700)
    os.chown(tool, 4711, 4711) if os.geteuid() == 0 else tool.chmod(0o600)
    receipt = docker_bench.opened(("./tool",)).receipt
    assert isinstance(receipt, Unusable) and receipt.problem == "denied"
    assert (receipt.flaw.errno, receipt.flaw.file) == (errno.EACCES, b"./tool")
    assert receipt.flaw.mode == tool.stat().st_mode


def test_arguments_arrive_through_a_gate_as_they_stand(docker_bench: Bench) -> None:
    odd = ("$HOME `x` \"q\" 'p'", "ä\u2028\n*", "", "x" * 100_000)
    made = docker_bench.opened(("python3", "-c", "import sys; print(ascii(sys.argv[1:]))", *odd))
    assert docker_bench.output(made.id).decode() == f"{list(odd)!a}\n"


def until_it_reads(folder: GateFolder) -> None:
    """Wait until the gate has opened its FIFO: who opens that for writing without waiting, is let in then.

    Opening and closing it would end the gate; /proc tells as well, of processes that are not ours.
    """
    fifo = folder.fifo.stat()

    def read() -> bool:
        return any(_is(link, fifo.st_ino) for link in Path("/proc").glob("[0-9]*/fd/[0-9]*"))

    until(read, 60, 0.05)


def _is(link: Path, inode: int) -> bool:
    try:
        return link.parent.parent.joinpath("comm").read_text() == "gate\n" and link.stat().st_ino == inode
    except OSError:
        return False


def _without_process_numbers(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.startswith("PPid")]
    return [re.sub(r"/proc/\d+/", "/proc/PID/", line) for line in lines]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
