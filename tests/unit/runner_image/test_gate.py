"""The gate, compiled with this machine's compiler. In containers it is tested by the contract suite."""

import array
import ctypes
import errno
import fcntl
import os
import resource
import select
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.gates.gate_folder import is_honest, mounted, open_gate, prepare, read_receipt
from manager.gates.protocol import Began, Ended, Flaw, HandedFile, Never, Receipt, Unusable, frame, parse_end
from manager.model.home import END, TOKEN
from manager.model.values import Owner
from tests.examples import fewer
from tests.waiting import until

SOURCE = Path(__file__).parents[3] / "runner_image" / "gate" / "gate.c"
NOBODY = 65534
CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
NEVER, NO_RECEIPT, DENIED, MISSING = 75, 74, 126, 127
LONGEST_STRING = 32 * resource.getpagesize() - 1
"""In bytes, without the NUL."""


@pytest.fixture(scope="session")
def program() -> Iterator[Path]:
    """Where everybody can execute it: pytest's own folders are closed to other users."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler here (on Debian: apt-get install gcc libc6-dev)")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        gate = Path(folder) / "gate"
        flags = ["-std=c11", "-static", "-Os", "-Wall", "-Wextra", "-Werror"]
        subprocess.run([compiler, *flags, "-o", gate, SOURCE], check=True)
        yield gate


@dataclass
class Room:
    """One gate's folders, and the gate that waits there."""

    program: Path
    path: Path

    def __post_init__(self) -> None:
        self.control, self.receipts = self.path / "control", self.path / "receipts"
        self.fifo = self.control / "payload"
        self.processes: list[subprocess.Popen[bytes]] = []

    def prepare(self) -> None:
        """Without a token, but where a test puts one there."""
        prepare(self.control, self.receipts, Owner(os.geteuid(), os.getegid()))
        (self.control / TOKEN).unlink()
        self.control.with_name(TOKEN).unlink()

    def start(self, *before: str, patience: str = "30", **how: Any) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [*before, self.program, self.control, self.receipts, patience],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **how,
        )
        self.processes.append(process)
        return process

    def writer(self) -> int:
        """The FIFO's other end; this waits for the gate."""
        handle = until(self._opened)
        assert handle is not None
        os.set_blocking(handle, True)
        return handle

    def _opened(self) -> int | None:
        try:
            return os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            assert error.errno == errno.ENXIO
            return None

    def send(self, content: bytes) -> None:
        """Write it whole, and leave."""
        handle = self.writer()
        try:
            while content:
                content = content[os.write(handle, content) :]
        except BrokenPipeError:
            pass  # refused before its end
        finally:
            os.close(handle)

    def ended(self, process: "subprocess.Popen[bytes]") -> tuple[int, bytes, Receipt | None]:
        output, _ = process.communicate(timeout=20)
        return process.returncode, output, read_receipt(self.receipts)

    def run(
        self,
        argv: Sequence[str],
        variables: Mapping[str, str] | None = None,
        workdir: str = "",
        before: Sequence[str] = (),
        **how: Any,
    ) -> tuple[int, bytes, Receipt | None]:
        process = self.start(*before, **how)
        self.send(frame("n1", workdir, argv, variables or {}))
        return self.ended(process)

    def refuses(self, content: bytes) -> Receipt | None:
        """What it says to this content; nothing may be run."""
        process = self.start()
        self.send(content)
        code, output, receipt = self.ended(process)
        assert (code, output) == (NEVER, b"")
        return receipt


@pytest.fixture
def room(program: Path, tmp_path: Path) -> Iterator[Room]:
    room = Room(program, tmp_path / "room")
    room.prepare()
    yield room
    for process in room.processes:
        process.kill()
        process.communicate()


def script(path: Path, text: str, mode: int = 0o755) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def payload(*strings: str) -> bytes:
    """A frame whose length is right, whatever is in it."""
    body = "".join(f"{string}\0" for string in strings).encode()
    return b"AIRX1 %d\n" % len(body) + body


def signals_ignored_here() -> int:
    """As a mask: whoever runs tests in the background, for one, ignores some."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("SigIgn:")), 16)


class TestAnOpenedGate:
    def test_runs_the_command_and_gives_its_exit_code(self, room: Room) -> None:
        code, output, receipt = room.run(["sh", "-c", 'echo "$0 $1"; exit 7', "a b", "c"])
        assert (code, output) == (7, b"a b c\n")
        assert isinstance(receipt, Began)
        assert (receipt.nonce, receipt.failed) == ("n1", None)
        assert abs(receipt.at - datetime.now(UTC)) < timedelta(seconds=20)

    def test_is_the_commands_parent_and_in_another_process_group(self, room: Room) -> None:
        process = room.start()
        room.send(frame("n1", "", ["sh", "-c", "echo $PPID $$; cut -d ' ' -f 5 /proc/$$/stat"], {}))
        parent, child, group = room.ended(process)[1].split()
        assert int(parent) == process.pid and group == child

    def test_is_not_reached_by_what_the_command_sends_to_its_group(self, room: Room) -> None:
        code, _, _ = room.run(["sh", "-c", "trap 'exit 7' TERM; kill -TERM 0; exit 8"])
        assert code == 7

    def test_reads_no_more_when_the_command_runs(self, room: Room) -> None:
        process = room.start()
        writer = room.writer()
        os.write(writer, frame("n1", "", ["sh", "-c", "echo runs; exec sleep 10"], {}))
        assert process.stdout and process.stdout.readline() == b"runs\n"
        with pytest.raises(BrokenPipeError):
            os.write(writer, b"x")
        os.close(writer)
        process.send_signal(signal.SIGTERM)
        assert room.ended(process)[0] == 128 + signal.SIGTERM

    def test_has_given_its_receipt_before_the_command_begins(self, room: Room) -> None:
        _, output, _ = room.run(["cat", str(room.receipts / "receipt")])
        assert output.startswith(b"BEGAN n1 ")
        assert (room.receipts / "receipt").read_bytes().startswith(output)

    def test_leaves_its_last_word_in_the_receipt_where_that_is_one_still(self, room: Room) -> None:
        _, _, receipt = room.run(["sh", "-c", "exit 137"])
        assert isinstance(receipt, Began) and receipt.ended is not None
        assert (receipt.ended.exit_code, receipt.ended.signal) == (137, 0)

    @pytest.mark.parametrize("instead", ["mkfifo", "mkdir", "ln -s /dev/full"])
    def test_leaves_it_nowhere_else(self, room: Room, instead: str) -> None:
        place = room.receipts / "receipt"
        code, _, _ = room.run(["sh", "-c", f"rm {place}; {instead} {place}; exit 7"])
        assert code == 7

    @pytest.mark.parametrize("code", [NO_RECEIPT, NEVER, DENIED, MISSING])
    def test_leaves_codes_of_its_own_to_the_command(self, room: Room, code: int) -> None:
        ended, _, receipt = room.run(["sh", "-c", f"exit {code}"])
        assert ended == code
        assert isinstance(receipt, Began) and receipt.failed is None

    def test_gives_the_command_no_input(self, room: Room) -> None:
        reader, writer = os.pipe()
        os.write(writer, b"not for the command")
        os.close(writer)
        _, output, _ = room.run(["sh", "-c", "readlink /proc/self/fd/0; cat"], stdin=reader)
        os.close(reader)
        assert output == b"/dev/null\n"

    def test_leaves_no_descriptor_open(self, room: Room, tmp_path: Path) -> None:
        with (tmp_path / "inherited").open("w") as file:
            _, output, _ = room.run(["sh", "-c", "ls /proc/$$/fd"], pass_fds=[file.fileno()])
        assert output.split() == [b"0", b"1", b"2"]

    def test_fills_descriptors_that_were_closed(self, room: Room) -> None:
        def close_all() -> None:
            os.closerange(0, 3)

        waiting = room.start(preexec_fn=close_all)
        room.send(frame("n1", "", ["sh", "-c", f"ls -l /proc/$$/fd >{room.path}/list"], {}))
        assert room.ended(waiting)[0] == 0
        lines = (room.path / "list").read_text().splitlines()[1:]
        assert [line.split()[-1] for line in lines if "/dev/null" in line] == ["/dev/null"] * 3

    def test_leaves_signals_as_they_were(self, room: Room) -> None:
        _, output, _ = room.run(["cat", "/proc/self/status"])
        lines = [line.split() for line in output.splitlines()]
        found = {line[0]: line[1] for line in lines if line[0].startswith((b"Sig", b"ShdPnd"))}
        del found[b"SigQ:"]
        ignored, here = found.pop(b"SigIgn:"), signals_ignored_here()
        assert int(ignored, 16) & ~here == 0, "whatever this process ignores, children may ignore as well"
        assert len(found) == 4 and set(found.values()) == {b"0" * 16}

    def test_leaves_an_inherited_mask_alone(self, room: Room) -> None:
        def block() -> None:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])

        _, output, _ = room.run(["grep", "^SigBlk", "/proc/self/status"], preexec_fn=block)
        assert int(output.split()[1], 16) == 1 << (signal.SIGUSR1 - 1)

    def test_leaves_no_timer_behind(self, room: Room) -> None:
        code, output, _ = room.run(["sh", "-c", "sleep 2.2; echo still here"], patience="2")
        assert (code, output) == (0, b"still here\n")

    def test_goes_to_the_working_directory(self, room: Room, tmp_path: Path) -> None:
        assert room.run(["pwd"], workdir=str(tmp_path))[1] == f"{tmp_path}\n".encode()

    def test_stays_where_it_is_without_one(self, room: Room, tmp_path: Path) -> None:
        assert room.run(["pwd"], cwd=tmp_path)[1] == f"{tmp_path}\n".encode()

    def test_puts_the_variables_over_those_of_the_container(self, room: Room) -> None:
        own = {"PATH": os.environ["PATH"], "KEPT": "1", "CHANGED": "old", "CHANGE": "other", "ODD": "a=b"}
        _, output, _ = room.run(["env", "-0"], {"CHANGED": "new\nline", "ADDED": "", "KEP": "x"}, env=own)
        found = sorted(output.decode().split("\0")[:-1])
        changed = {"CHANGED": "new\nline", "ADDED": "", "KEP": "x"}
        assert found == sorted(f"{name}={value}" for name, value in (own | changed).items())

    def test_takes_a_frame_byte_by_byte(self, room: Room) -> None:
        process = room.start()
        writer = room.writer()
        for byte in frame("n1", "", ["echo", "slow"], {"A": "b"}):
            os.write(writer, bytes([byte]))
            time.sleep(0.001)
        assert room.ended(process)[1] == b"slow\n"  # it does not wait for the writer to leave
        os.close(writer)

    def test_takes_a_frame_of_a_mebibyte(self, room: Room) -> None:
        words = ["x" * 65536] * 16
        process = room.start()
        content = frame("n1", "", ["sh", "-c", 'printf %s "$@" | wc -c', "sh", *words], {})
        assert until(lambda: open_gate(room.fifo, content, patience=60))
        assert int(room.ended(process)[1]) == 1 << 20

    @fewer(40)
    @given(
        words=st.lists(st.text(CHARACTERS), max_size=5),
        env=st.dictionaries(
            st.text(CHARACTERS, min_size=1).filter(lambda name: "=" not in name),
            st.text(CHARACTERS),
            max_size=5,
        ),
    )
    def test_hands_on_whatever_a_frame_can_hold(
        self, program: Path, words: list[str], env: dict[str, str]
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            room = Room(program, Path(folder) / "room")
            room.prepare()
            show = ["/bin/sh", "-c", 'for word; do printf "%s\\0" "$word"; done; exec /usr/bin/env -0', "sh"]
            code, output, _ = room.run(["/usr/bin/env", "-0"], env, env={})
            assert code == 0
            assert sorted(output.decode().split("\0")[:-1]) == sorted(f"{k}={v}" for k, v in env.items())
            room = Room(program, Path(folder) / "another")
            room.prepare()
            _, output, _ = room.run([*show, *words], env={})
            assert output.decode().split("\0")[: len(words)] == words


TOO_LONG = frame("n1", "", ["echo", "x" * 140_000], {})


@pytest.fixture
def end(room: Room) -> Iterator[int]:
    """The manager's side of the second FIFO."""
    handle = os.open(room.control / END, os.O_RDONLY | os.O_NONBLOCK)
    yield handle
    os.close(handle)


def said(end: int) -> Ended | None:
    """None: not a word."""
    content = os.read(end, 1000)
    ended = parse_end(content)
    assert (ended is None) == (content == b"")
    return ended


def code_said(end: int) -> int | None:
    ended = said(end)
    return ended.exit_code if ended else None


class TestTheEnd:
    def test_is_said_with_code_and_time(self, room: Room, end: int) -> None:
        before = datetime.now(UTC)
        assert room.run(["sh", "-c", "sleep 0.1; exit 7"])[0] == 7
        ended = said(end)
        assert ended and ended.exit_code == 7
        assert before + timedelta(seconds=0.09) < ended.at < datetime.now(UTC)

    @pytest.mark.parametrize("code", [0, 1, NO_RECEIPT, NEVER, DENIED, 255])
    def test_is_said_with_every_code(self, room: Room, end: int, code: int) -> None:
        assert room.run(["sh", "-c", f"exit {code}"])[0] == code
        assert code_said(end) == code

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGRTMAX])
    def test_of_a_signalled_command_is_128_and_its_number(self, room: Room, end: int, number: int) -> None:
        assert room.run(["sh", "-c", f"ulimit -c 0; kill -{number:d} $$"])[0] == 128 + number
        ended = said(end)
        assert ended and (ended.exit_code, ended.signal) == (128 + number, number)

    @pytest.mark.parametrize("command", ["exit 137", "sh -c 'kill -9 $$'; exit $?"])
    def test_of_a_command_that_ends_with_such_a_code_itself_names_no_signal(
        self, room: Room, end: int, command: str
    ) -> None:
        assert room.run(["sh", "-c", command])[0] == 137
        ended = said(end)
        assert ended and (ended.exit_code, ended.signal) == (137, 0)

    @pytest.mark.parametrize(
        "content", [b"", b"G", payload("n1"), frame("n1", "", ["no-such-command"], {}), TOO_LONG]
    )
    def test_is_not_said_of_what_never_began(self, room: Room, end: int, content: bytes) -> None:
        process = room.start()
        room.send(content)
        assert room.ended(process)[0] in (NEVER, MISSING, DENIED)
        assert said(end) is None

    @pytest.mark.parametrize("kind", ["nothing", "link", "folder"])
    def test_needs_no_fifo(self, room: Room, end: int, kind: str) -> None:
        fifo = (room.control / END).rename(room.path / "elsewhere")
        match kind:
            case "link":
                (room.control / END).symlink_to(fifo)
            case "folder":
                (room.control / END).mkdir()
        assert room.run(["sh", "-c", "exit 7"])[0] == 7
        assert said(end) is None

    def test_needs_nobody_who_listens(self, room: Room) -> None:
        assert room.run(["sh", "-c", "exit 7"])[0] == 7

    def test_needs_nobody_who_still_listens(self, room: Room) -> None:
        handle = os.open(room.control / END, os.O_RDONLY | os.O_NONBLOCK)
        process = room.start()
        writer = room.writer()
        os.close(handle)
        os.write(writer, frame("n1", "", ["sh", "-c", "exit 7"], {}))
        assert room.ended(process)[0] == 7
        os.close(writer)

    def test_waits_for_nobody_who_reads(self, room: Room) -> None:
        full = os.open(room.control / END, os.O_RDWR | os.O_NONBLOCK)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(full, b"x" * 4096)
        assert room.run(["sh", "-c", "exit 7"])[0] == 7
        os.close(full)

    def test_is_noticed_by_who_was_made_to_ignore_it(self, room: Room, end: int) -> None:
        def ignore() -> None:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

        assert room.run(["sh", "-c", "exit 7"], preexec_fn=ignore)[0] == 7
        assert code_said(end) == 7

    def test_is_not_a_stop(self, room: Room, end: int) -> None:
        process = room.start()
        room.send(frame("n1", "", ["sh", "-c", "echo $$; kill -STOP $$; exit 7"], {}))
        assert process.stdout
        stat = Path(f"/proc/{int(process.stdout.readline())}/stat")
        until(lambda: stat.read_text().split()[2] == "T")
        process.send_signal(signal.SIGCONT)
        assert room.ended(process)[0] == 7
        assert code_said(end) == 7

    @pytest.mark.parametrize("number", [signal.SIGWINCH, signal.SIGTERM])
    def test_is_not_the_stop_of_one_who_asks_to_be_traced(self, room: Room, end: int, number: int) -> None:
        """As some programs do so that nobody else can trace them: the gate is their parent."""
        trace_me = "import ctypes, os; ctypes.CDLL(None).ptrace(0, 0, 0, 0)"
        command = [sys.executable, "-S", "-c", f"{trace_me}; os.kill(os.getpid(), {number:d}); os._exit(7)"]
        code = 7 if number == signal.SIGWINCH else 128 + number
        assert room.run(command)[0] == code
        assert code_said(end) == code

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
    def test_comes_at_once_where_no_process_can_be_made(self, room: Room) -> None:
        def no_process() -> None:
            resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))

        room = for_nobody(room, "no-process")
        end = os.open(room.control / END, os.O_RDONLY | os.O_NONBLOCK)
        how: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "preexec_fn": no_process}
        code, output, receipt = room.run(["echo", "ran"], **how)
        assert (code, output, code_said(end)) == (DENIED, b"", DENIED)
        assert isinstance(receipt, Began) and receipt.failed == errno.EAGAIN
        os.close(end)

    def test_has_no_name_when_the_command_runs(self, room: Room) -> None:
        ends: list[int] = []
        process = room.start()
        content = frame("n1", "", ["ls", "-A", str(room.control)], {})
        assert until(lambda: open_gate(room.fifo, content, take_end=ends.append))
        assert room.ended(process)[:2] == (0, b"")
        assert [code_said(end) for end in ends] == [0]
        os.close(ends[0])


def for_nobody(room: Room, name: str) -> Room:
    """Another one, where a user without rights can reach it: pytest's own folders are closed to others."""
    room = Room(room.program, room.program.parent / name)
    prepare(room.control, room.receipts, Owner(NOBODY, NOBODY))
    room.path.chmod(0o711)  # a container has them mounted
    return room


AS_FIRST = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
"""Process 1 of its own."""
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
AS_NOBODY += ["--inh-caps=-all", "--bounding-set=-all", "--pdeathsig=KILL"]
"""As in a container."""
NEEDS_PROCESS_1 = pytest.mark.skipif(
    shutil.which("unshare") is None or os.geteuid() != 0, reason="needs root to make a process 1"
)


def first(outer: "subprocess.Popen[bytes]") -> int:
    """What process 1 is called out here."""
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
    return int(children[0])


@NEEDS_PROCESS_1
class TestProcess1:
    def test_says_the_end_when_all_that_was_left_is_dead(self, room: Room, end: int) -> None:
        os.mkfifo(room.path / "held")
        held = os.open(room.path / "held", os.O_RDONLY | os.O_NONBLOCK)
        left = "for i in 1 2 3 4 5; do sleep 60 & setsid sleep 60 & (trap '' TERM HUP; sleep 60 &); done"
        # What takes a while to die.
        large = "import time; x = b'x' * (64 << 20); print(flush=True); time.sleep(60)"
        left += f'; (exec {sys.executable} -S -c "{large}" &) | read x'
        command = f"exec 9>{room.path}/held; {left}; echo left >&9; exit 7"
        process = room.start(*AS_FIRST)
        room.send(frame("n1", "", ["sh", "-c", command], {}))
        told = select.poll()  # any number of a descriptor will do
        told.register(end, select.POLLIN)
        assert [each for each, _ in told.poll(20_000)] == [end]
        assert (os.read(held, 100), os.read(held, 100)) == (b"left\n", b""), "nobody holds it any more"
        assert room.ended(process)[0] == 7
        assert code_said(end) == 7
        os.close(held)

    @pytest.mark.parametrize("before", ["", "ctypes.CDLL(None).ptrace(0, 0, 0, 0); "])
    def test_kills_what_is_stopped_or_traced(self, room: Room, end: int, before: str) -> None:
        stop = f"import ctypes, os; {before}os.kill(os.getpid(), {signal.SIGSTOP:d})"
        stopped = "until grep -q '^State:.[Tt]' /proc/$!/status; do sleep 0.01; done"
        command = f"{sys.executable} -S -c '{stop}' & {stopped}; exec sh -c 'exit 7'"
        assert room.run(["sh", "-c", command], before=AS_FIRST)[0] == 7
        assert code_said(end) == 7

    def test_reaps_orphans_while_the_command_runs(self, room: Room, end: int) -> None:
        orphans = "for i in 1 2 3 4 5 6 7 8; do (true &); done"
        alone = '[ "$(echo $(cat /proc/1/task/1/children))" = $$ ]'
        command = f"{orphans}; until {alone}; do sleep 0.01; done; exit 7"
        assert room.run(["sh", "-c", command], before=AS_FIRST)[0] == 7
        assert code_said(end) == 7

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGCONT, signal.SIGWINCH, 37])
    def test_passes_signals_on(self, room: Room, end: int, number: int) -> None:
        process = room.start(*AS_FIRST)
        command = f"trap 'exit 7' {number:d}; echo ready; while :; do sleep 0.01; done"
        room.send(frame("n1", "", ["sh", "-c", command], {}))
        assert process.stdout and process.stdout.readline() == b"ready\n"
        os.kill(first(process), number)
        assert room.ended(process)[0] == 7
        assert code_said(end) == 7

    def test_is_not_ended_by_the_command(self, room: Room, end: int) -> None:
        tries = (
            "for name in KILL STOP SEGV ABRT; do kill -$name 1; done; kill -KILL -1 2>/dev/null; kill -TERM 1"
        )
        command = f"trap 'echo heard; exit 7' TERM; {tries}; while :; do sleep 0.01; done"
        code, output, _ = room.run(["sh", "-c", command], before=AS_FIRST)
        assert (code, output) == (7, b"heard\n")
        assert code_said(end) == 7

    @pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
    def test_has_its_output_where_any_first_process_has_it(self, room: Room) -> None:
        room = for_nobody(room, "descriptors")
        with (room.path / "out").open("w+b") as out:
            os.fchmod(out.fileno(), 0o666)
            process = room.start(*AS_FIRST, *AS_NOBODY, stdin=out)
            # As the engine's pipes are: the container's user's own.
            assert process.stdout
            os.fchown(process.stdout.fileno(), NOBODY, NOBODY)
            say = "echo 1 >/proc/1/fd/1; echo 2 >/proc/1/fd/2; echo 3 >/dev/fd/1; echo 4 | tee /dev/stderr"
            room.send(frame("n1", "", ["sh", "-c", say], {}))
            output, errors = process.communicate(timeout=20)
        assert (output.split(), errors) == ([b"1", b"2", b"3", b"4", b"4"], b"")

    def test_what_the_command_writes_to_both_outputs_keeps_its_order(self, room: Room) -> None:
        script = "for i in 1 2 3 4 5 6 7 8 9; do echo $i; echo $i >&2; done"
        code, output, _ = room.run(["sh", "-c", script])
        assert (code, output.split()) == (0, [b"%d" % (number // 2) for number in range(2, 20)])

    @pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
    @pytest.mark.parametrize("owner", [0, NOBODY])
    def test_lets_nobody_in_by_what_it_has_open(self, room: Room, owner: int) -> None:
        """Whoever owns the FIFO: a manager may be who its tasks are."""
        room = for_nobody(room, f"descriptors{owner}")
        os.chown(room.control / END, owner, owner)
        opens = "for n in 3 4 5 6 7 8 9; do (: <>/proc/1/fd/$n) 2>/dev/null && echo $n; done"
        attempts = f"ls /proc/1/fd; {opens}; id -u"
        ends: list[int] = []
        process = room.start(*AS_FIRST, *AS_NOBODY)
        content = frame("n1", "", ["sh", "-c", f"{attempts}; exit 7"], {})
        assert until(lambda: open_gate(room.fifo, content, take_end=ends.append))
        code, output, _ = room.ended(process)
        *inherited, last, user = output.split()
        assert (code, inherited, int(user)) == (7, [b"0", b"1", b"2"], NOBODY)
        assert int(last) > 2, "its only other one"
        assert code_said(ends[0]) == 7
        os.close(ends[0])

    @pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
    def test_remembers_neither_token_nor_secrets_that_could_be_found_in_its_memory(self, room: Room) -> None:
        room = for_nobody(room, "memory")
        (room.control / TOKEN).write_text("a-token-to-find")
        (room.control / TOKEN).chmod(0o644)
        python = shutil.which("python3", path=os.defpath)
        if python is None:
            pytest.skip("there is no Python that everybody may execute")
        look = "import sys\nfor line in open('/proc/1/maps'):\n"
        look += "    first, last = (int(each, 16) for each in line.split()[0].split('-'))\n"
        look += "    with open('/proc/1/mem', 'rb', 0) as memory:\n"
        look += "        try: found = (memory.seek(first), memory.read(last - first))[1]\n"
        look += "        except (OSError, OverflowError): continue\n"
        look += "        for word in sys.argv[1:]:\n"
        look += "            if word[::-1].encode() in found: print(word)\n"
        words = ["dnif-ot-nekot-a", "ereh-si-emarf-eht", "ereh-si-elif-eht", "edam eb t'nac tpiecer eht"]
        command = [python, "-S", "-c", look, *words]
        process = room.start(*AS_FIRST, *AS_NOBODY)
        (room.path / "own").mkdir(mode=0o777)
        (room.path / "own").chmod(0o777)
        file = HandedFile(f"{room.path}/own/secret", b"the-file-is-here")
        room.send(frame("n1", "", command, {"IT": "the-frame-is-here"}, files=[file]))
        code, output, _ = room.ended(process)
        assert (code, output) == (0, b"edam eb t'nac tpiecer eht\n"), "what is its own, it has"


class TestFilesThatComeWithTheCommand:
    @pytest.mark.parametrize("content", [b"", b"one\n", bytes(range(256)), b"\0" * 70_000], ids=len)
    def test_are_there_as_they_are_and_for_its_user_alone(
        self, room: Room, tmp_path: Path, content: bytes
    ) -> None:
        before, place = os.umask(0), tmp_path / "secret"
        try:
            process = room.start()
        finally:
            os.umask(before)
        room.send(frame("n1", "", ["true"], {}, files=[HandedFile(str(place), content)]))
        assert room.ended(process)[0] == 0
        assert place.read_bytes() == content
        assert stat.S_IMODE(place.stat().st_mode) == 0o400

    def test_may_come_with_mounts_that_are_proved_and_be_several(self, room: Room, tmp_path: Path) -> None:
        files = [HandedFile(str(tmp_path / name), name.encode()) for name in ("a", "b")]
        process = room.start()
        room.send(frame("n1", "", ["true"], {}, [mounted(str(tmp_path), tmp_path)], files))
        assert room.ended(process)[0] == 0
        assert [(tmp_path / name).read_text() for name in ("a", "b")] == ["a", "b"]

    @pytest.mark.parametrize("there", ["a file", "a link", "no folder"])
    def test_are_never_written_through_what_is_there(self, room: Room, tmp_path: Path, there: str) -> None:
        place, other = tmp_path / "secret", tmp_path / "other"
        match there:
            case "a file":
                place.touch()
            case "a link":
                place.symlink_to(other)
            case _:
                place = tmp_path / "none" / "secret"
        process = room.start()
        room.send(frame("n1", "", ["touch", str(tmp_path / "ran")], {}, files=[HandedFile(str(place), b"x")]))
        code, _, receipt = room.ended(process)
        assert (code, receipt) == (NEVER, Never("n1", "files"))
        assert not other.exists() and not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        "files",
        [
            b"1\x00400 1 /tmp/x\0a",
            b"1\x00400 2 /tmp/x\0a\0",
            b"1\x00400 1 /tmp/x\0ab\0",
            b"1\x00400 9999999 /tmp/x\0a\0",
            b"1\x00400 -1 /tmp/x\0a\0",
            b"1\x007777 1 /tmp/x\0a\0",
            b"1\x00400 1\0a\0",
            b"1\x00400 1 x\0a\0",
            b"2\x00400 1 /proc/none\0a\0",
        ],
        ids=repr,
    )
    def test_that_are_none_are_no_frame(self, room: Room, files: bytes) -> None:
        body = frame("n1", "", ["true"], {}).partition(b"\n")[2] + b"0\0" + files
        process = room.start()
        room.send(b"AIRX1 %d\n" % len(body) + body)
        code, _, receipt = room.ended(process)
        assert code == NEVER
        assert isinstance(receipt, Never) and receipt.reason in ("malformed", "files")


class TestTheCommandIsLookedUp:
    def test_in_the_path_of_the_merged_environment(self, room: Room, tmp_path: Path) -> None:
        script(tmp_path / "bin" / "tool", "#!/bin/sh\necho found $0\n")
        _, output, _ = room.run(["tool"], {"PATH": f"/nowhere:{tmp_path}/bin"}, env={"PATH": "/usr/bin"})
        assert output == f"found {tmp_path}/bin/tool\n".encode()

    def test_in_the_usual_path_where_there_is_none(self, room: Room) -> None:
        code, output, _ = room.run(["echo", "hello"], env={})
        assert (code, output) == (0, b"hello\n")

    @pytest.mark.parametrize("path", ["", ":/nowhere", "/nowhere:", "/nowhere::/none"])
    def test_in_the_working_directory_where_a_part_is_empty(
        self, room: Room, tmp_path: Path, path: str
    ) -> None:
        script(tmp_path / "tool", "#!/bin/sh\necho here\n")
        assert room.run(["tool"], {"PATH": path}, str(tmp_path))[1] == b"here\n"

    @pytest.mark.parametrize("command", ["./tool", "../in/tool"])
    def test_from_the_working_directory_when_it_has_a_slash(
        self, room: Room, tmp_path: Path, command: str
    ) -> None:
        script(tmp_path / "in" / "tool", "#!/bin/sh\necho here\n")
        assert room.run([command], workdir=str(tmp_path / "in"))[1] == b"here\n"

    def test_past_what_can_not_be_executed(self, room: Room, tmp_path: Path) -> None:
        script(tmp_path / "a" / "tool", "", 0o644)
        (tmp_path / "b" / "tool").mkdir(parents=True)
        script(tmp_path / "c" / "tool", "#!/bin/sh\necho third\n")
        path = f"{tmp_path}/a:{tmp_path}/b:{tmp_path}/c"
        assert room.run(["tool"], {"PATH": path})[1] == b"third\n"

    @pytest.mark.parametrize(
        "command", ["no-such-command", "/no/such/command", "./none", "", "/etc/passwd/x", "n" * 255]
    )
    def test_and_missing_when_it_is_nowhere(self, room: Room, command: str) -> None:
        code, output, receipt = room.run([command])
        assert (code, output, receipt) == (MISSING, b"", Unusable("n1", "missing"))

    @pytest.mark.parametrize("command", ["n" * 256, "/l" * 3000, "./" + "n" * 256])
    def test_and_denied_when_no_file_can_have_such_a_name(self, room: Room, command: str) -> None:
        receipt = denied(room.run([command]))
        assert (receipt.errno, receipt.file) == (errno.ENAMETOOLONG, command[:200].encode())

    @pytest.mark.parametrize("command", ["tool", "./tool"])
    def test_and_denied_when_links_lead_in_a_circle(self, room: Room, tmp_path: Path, command: str) -> None:
        (tmp_path / "tool").symlink_to("tool")
        flaw = denied(room.run([command], {"PATH": f"/nowhere:{tmp_path}"}, str(tmp_path)))
        assert (flaw.errno, flaw.mode) == (errno.ELOOP, None)

    def test_and_missing_in_a_path_of_long_parts(self, room: Room) -> None:
        _, _, receipt = room.run(["tool"], {"PATH": "/" + "x" * 5000 + ":/" + "y" * 4090 + ":/y"})
        assert receipt == Unusable("n1", "missing")

    @pytest.mark.parametrize("command", ["tool", "./tool", "{}/tool"])
    @pytest.mark.parametrize("kind", ["file", "folder", "fifo"])
    def test_and_denied_when_it_can_not_be_executed(
        self, room: Room, tmp_path: Path, command: str, kind: str
    ) -> None:
        tool = tmp_path / "tool"
        match kind:
            case "file":
                script(tool, "#!/bin/sh\n", 0o644)
            case "folder":
                tool.mkdir()
            case _:
                os.mkfifo(tool, 0o777)
        path = f"{tmp_path}:/nowhere"
        flaw = denied(room.run([command.format(tmp_path)], {"PATH": path}, str(tmp_path)))
        status = tool.stat()
        assert (flaw.mode, flaw.uid, flaw.gid) == (status.st_mode, status.st_uid, status.st_gid)
        assert flaw.errno == (errno.EISDIR if kind == "folder" else errno.EACCES)
        assert flaw.file == (b"./tool" if command == "./tool" else str(tool).encode())

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
    def test_and_denied_when_it_is_for_others(self, room: Room) -> None:
        # pytest's folders are closed to this user, so everything lies beside the program.
        here = room.program.parent / "others"
        here.mkdir(mode=0o755)
        script(here / "theirs" / "tool", "#!/bin/sh\n", 0o700)
        closed = script(here / "closed" / "tool", "#!/bin/sh\n").parent
        closed.chmod(0o700)
        for number, command in enumerate(("theirs/tool", "closed/tool")):
            room = for_nobody(room, f"others/room{number}")
            how: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            flaw = denied(room.run([f"./{command}"], workdir=str(here), **how))
            mode = stat.S_IFREG | 0o700 if number == 0 else None
            assert flaw.errno == errno.EACCES
            assert (flaw.mode, flaw.uid) == (mode, None if mode is None else 0)
            assert (room.receipts / "receipt").stat().st_uid == NOBODY

    @pytest.mark.parametrize(
        ("workdir", "number"),
        [
            ("/no/such/folder", errno.ENOENT),
            ("/etc/passwd", errno.ENOTDIR),
            ("/etc/passwd/x", errno.ENOTDIR),
            ("/" + "n" * 256, errno.ENAMETOOLONG),
        ],
    )
    def test_and_not_at_all_without_its_working_directory(
        self, room: Room, workdir: str, number: int
    ) -> None:
        code, _, receipt = room.run(["true"], workdir=workdir)
        assert (code, receipt) == (DENIED, Unusable("n1", "workdir", Flaw(errno=number)))

    def test_and_not_where_that_can_not_be_made(self, room: Room, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        process = room.start()
        place = f"{tmp_path}/file-not/\n{'x' * 256}/y"
        room.send(frame("n1", place, ["true"], {}, [mounted(str(tmp_path), tmp_path)]))
        code, _, receipt = room.ended(process)
        assert code == DENIED and isinstance(receipt, Unusable) and receipt.problem == "workdir"
        assert receipt.flaw == Flaw(errno=errno.ENAMETOOLONG, file=place.encode()[:200])

    def test_but_makes_it_in_what_is_proved_to_be_its_own(self, room: Room, tmp_path: Path) -> None:
        own, beside = tmp_path / "own", tmp_path / "own-not"
        for folder in (own, beside):
            folder.mkdir()
        for number, (workdir, code) in enumerate(((own / "a" / "b", 0), (own, 0), (beside / "a", DENIED))):
            each = Room(room.program, tmp_path / f"room{number}")
            each.path.mkdir()
            each.prepare()
            process = each.start()
            each.send(frame("n1", str(workdir), ["pwd"], {}, [mounted(str(own), own)]))
            output = f"{workdir}\n".encode() if code == 0 else b""
            assert each.ended(process)[:2] == (code, output)
        assert list(beside.iterdir()) == []


def denied(outcome: tuple[int, bytes, Receipt | None]) -> Flaw:
    """Nothing was run; why."""
    code, output, receipt = outcome
    assert (code, output) == (DENIED, b"")
    assert isinstance(receipt, Unusable) and (receipt.nonce, receipt.problem) == ("n1", "denied")
    return receipt.flaw


def elf(machine: int, interpreter: bytes = b"", wide: bool = True, order: str = "little") -> bytes:
    """The headers of a program; with a loader, where one is named."""
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "little" else 2, 1]) + bytes(9)
    size, each = (64, 56) if wide else (52, 32)

    def number(value: int, length: int) -> bytes:
        return value.to_bytes(length, order)  # type: ignore[arg-type]

    word = 8 if wide else 4
    header = ident + number(2, 2) + number(machine, 2) + number(1, 4) + number(0x400000, word)
    header += number(size, word) + number(0, word) + number(0, 4) + number(size, 2) + number(each, 2)
    header += number(1, 2) + number(0, 6)
    name = interpreter + b"\0"
    places = [number(size + each, word), number(0, word), number(0, word)]
    sizes = [number(len(name), word)] * 2
    flags, align = number(4, 4), number(1, word)
    segment = [number(3, 4), *([flags] if wide else []), *places, *sizes, *([] if wide else [flags]), align]
    return header + b"".join(segment) + name


class TestAScriptThatNamesNoInterpreter:
    """As execvp has it, and shells: it is the shell's."""

    @pytest.mark.parametrize(
        "text",
        [
            'echo "$0:$1"; exit 7',
            '\necho "$0:$1"; exit 7\n',
            '# a comment\necho "$0:$1"\nexit 7\n',
            '#!\necho "$0:$1"; exit 7\n',
            '#! \t\necho "$0:$1"; exit 7\n',
            'echo "$0:$1"; exit 7\n\0\0\0 what follows is no text',
        ],
    )
    @pytest.mark.parametrize("by_path", [True, False])
    def test_is_read_by_the_shell(self, room: Room, tmp_path: Path, text: str, by_path: bool) -> None:
        tool = script(tmp_path / "tool", text)
        path = f"{tmp_path}:/usr/bin:/bin"
        code, output, receipt = room.run([str(tool) if by_path else "tool", "a b"], {"PATH": path})
        assert (code, output) == (7, f"{tool}:a b\n".encode())
        assert isinstance(receipt, Began) and receipt.failed is None

    @pytest.mark.parametrize("content", [b"", b"\0", b"\x01\0\n", b"MZ\x90\0\x03", b"\xff\xfee\0c\0h\0o\0"])
    def test_is_no_empty_and_no_binary_file(self, room: Room, tmp_path: Path, content: bytes) -> None:
        tool = script(tmp_path / "tool", "")
        tool.write_bytes(content)
        flaw = denied(room.run([str(tool)]))
        assert (flaw.errno, flaw.head, flaw.role) == (errno.ENOEXEC, content, None)

    def test_is_none_that_names_one_by_a_line_that_is_too_long(self, room: Room, tmp_path: Path) -> None:
        tool = script(tmp_path / "tool", f"#!/{'x' * 300}\necho by a shell\n")
        assert denied(room.run([str(tool)])) == Flaw(
            errno=errno.ENOEXEC, file=b"/" + b"x" * 199, role="interpreter"
        )


def no_tracing() -> None:
    """As a host may have it: `ptrace` is refused, by a seccomp filter of four instructions."""
    number = {"x86_64": 101, "aarch64": 117}.get(os.uname().machine)
    assert number is not None, "its number is not known here"
    steps = (
        (0x20, 0, 0, 0),
        (0x15, 0, 1, number),
        (0x06, 0, 0, 0x50000 | errno.EPERM),
        (0x06, 0, 0, 0x7FFF0000),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    libc = ctypes.CDLL(None)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    program = struct.pack("@HP", len(steps), ctypes.addressof(code))
    assert libc.prctl(22, 2, program) == 0  # PR_SET_SECCOMP, by a filter


class TestAnExecThatFails:
    """The kernel says so, and nothing has begun."""

    @pytest.mark.parametrize(
        ("line", "file"),
        [
            ("#!/no/such/interpreter\n", b"/no/such/interpreter"),
            ("#! /no/such/interpreter -x\n", b"/no/such/interpreter"),
            ("#!/no/such/interpreter", b"/no/such/interpreter"),
            ("#!/bin/sh\r\n", b"/bin/sh\r"),
            ("#!/bin/n\\o 100%\n", b"/bin/n\\o"),
            ("#!/bin/\x1b[31m\u00e9\n", "/bin/\x1b[31m\u00e9".encode()),
            ("#!/usr/bin/env no-such-python\n", b"no-such-python"),
            ("#!/usr/bin/env sh\r\n", b"sh\r"),
            ("#!/usr/bin/env sh -e\n", b"sh -e"),
        ],
    )
    def test_for_want_of_an_interpreter_names_it(
        self, room: Room, tmp_path: Path, line: str, file: bytes
    ) -> None:
        flaw = denied(room.run([str(script(tmp_path / "tool", line))]))
        assert flaw == Flaw(errno=errno.ENOENT, file=file, role="interpreter")

    @pytest.mark.parametrize(
        "line", ["#!/usr/bin/env -S sh -e", "#!/usr/bin/env sh", "#!/bin/sh -e", "#! /bin/sh"]
    )
    def test_is_none_where_there_is_one(self, room: Room, tmp_path: Path, line: str) -> None:
        assert room.run([str(script(tmp_path / "tool", f"{line}\necho ran\n"))])[:2] == (0, b"ran\n")

    def test_names_the_interpreter_of_an_interpreter(self, room: Room, tmp_path: Path) -> None:
        inner = script(tmp_path / "inner", "#!/no/such/interpreter\n")
        flaw = denied(room.run([str(script(tmp_path / "tool", f"#!{inner}\n"))]))
        assert (flaw.file, flaw.role) == (b"/no/such/interpreter", "interpreter")

    def test_names_an_interpreter_that_is_not_executable(self, room: Room, tmp_path: Path) -> None:
        inner = script(tmp_path / "inner", "#!/bin/sh\n", 0o644)
        flaw = denied(room.run([str(script(tmp_path / "tool", f"#!{inner}\n"))]))
        assert (flaw.errno, flaw.file, flaw.role) == (errno.EACCES, bytes(inner), "interpreter")
        assert flaw.mode == stat.S_IFREG | 0o644

    def test_tells_of_interpreters_without_end(self, room: Room, tmp_path: Path) -> None:
        tool = tmp_path / "tool"
        flaw = denied(room.run([str(script(tool, f"#!{tool}\n"))]))
        assert (flaw.errno, flaw.file) == (errno.ELOOP, bytes(tool))
        assert flaw.mode is not None, "it is no circle of links"

    @pytest.mark.parametrize(("wide", "machine"), [(True, 62), (False, 3)])
    def test_names_the_loader_that_is_not_there(
        self, room: Room, tmp_path: Path, wide: bool, machine: int
    ) -> None:
        if os.uname().machine != "x86_64":
            pytest.skip("the program is one of x86_64")
        tool = script(tmp_path / "tool", "")
        tool.write_bytes(elf(machine, b"/lib/ld-musl-x86_64.so.1", wide))
        flaw = denied(room.run([str(tool)]))
        if not wide and flaw.errno == errno.ENOEXEC:
            pytest.skip("this kernel executes no programs of i386")
        assert flaw == Flaw(errno=errno.ENOENT, file=b"/lib/ld-musl-x86_64.so.1", role="loader")

    @pytest.mark.parametrize("machine", [40, 183, 243] if os.uname().machine == "x86_64" else [62, 22])
    def test_has_the_machine_of_a_program_for_another_one(
        self, room: Room, tmp_path: Path, machine: int
    ) -> None:
        tool = script(tmp_path / "tool", "")
        tool.write_bytes(elf(machine, b"/lib/ld-linux.so"))
        for command in (tool, script(tmp_path / "script", f"#!{tool}\n")):
            again = Room(room.program, tmp_path / f"room-{command.name}")
            again.prepare()
            flaw = denied(again.run([str(command)]))
            assert (flaw.errno, flaw.file) == (errno.ENOEXEC, bytes(tool))
            assert flaw.role == (None if command == tool else "interpreter")
            assert (flaw.head, flaw.here) == (elf(machine)[:20], os.uname().machine.encode())

    def test_tells_a_program_that_is_cut_short(self, room: Room, tmp_path: Path) -> None:
        tool = script(tmp_path / "tool", "")
        tool.write_bytes(b"\x7fELF\n")
        assert denied(room.run([str(tool)])).head == b"\x7fELF\n"

    @pytest.mark.parametrize("number", [0, 2])
    def test_says_which_argument_is_too_long(self, room: Room, tmp_path: Path, number: int) -> None:
        words = ["./tool", "a", "b"]
        words[number] = "x" * 140_000 if number else "/" + "./" * 1000 + "bin/true"
        script(tmp_path / "tool", "#!/bin/sh\n")
        if number == 0:
            assert room.run(words, workdir=str(tmp_path))[0] == 0, "a long name is one"
            return
        flaw = denied(room.run(words, workdir=str(tmp_path)))
        assert flaw == Flaw(errno=errno.E2BIG, argument=number, size=140_000, limit=LONGEST_STRING)

    def test_takes_the_longest_argument(self, room: Room) -> None:
        code, output, _ = room.run(["sh", "-c", 'echo "${#1}"', "sh", "x" * LONGEST_STRING])
        assert (code, output) == (0, b"%d\n" % LONGEST_STRING)

    def test_says_which_variable_is_too_long(self, room: Room) -> None:
        flaw = denied(room.run(["true"], {"SHORT": "x", "LONG\n": "y" * 131_072}))
        expected = Flaw(errno=errno.E2BIG, variable=b"LONG\n", size=131_072 + 6, limit=LONGEST_STRING)
        assert flaw == expected

    def test_says_how_much_it_is_together(self, room: Room) -> None:
        def usual_stack() -> None:
            resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, 8 << 20))

        words = ["true", *["x" * 99_999] * 21]
        flaw = denied(room.run(words, env={}, preexec_fn=usual_stack))
        expected = Flaw(errno=errno.E2BIG, size=21 * 100_008 + 5 + 8, limit=2 << 20)
        assert flaw == expected

    def test_because_somebody_writes_to_it_says_so(self, room: Room, tmp_path: Path) -> None:
        tool = tmp_path / "tool"
        shutil.copy("/bin/true", tool)
        with tool.open("r+b"):
            flaw = denied(room.run([str(tool)]))
        assert (flaw.errno, flaw.file) == (errno.ETXTBSY, bytes(tool))

    @NEEDS_PROCESS_1
    def test_where_nothing_may_be_executed_says_so(self, room: Room, tmp_path: Path) -> None:
        (tmp_path / "place").mkdir()
        shutil.copy("/bin/true", tmp_path / "true")
        mount = 'mount -t tmpfs -o noexec none "$0/place"; cp "$0/true" "$0/place/tool"; exec "$@"'
        before = ["unshare", "--mount", "sh", "-c", mount, str(tmp_path)]
        flaw = denied(room.run([f"{tmp_path}/place/tool"], before=before))
        assert (flaw.errno, flaw.noexec, flaw.mode) == (errno.EACCES, True, stat.S_IFREG | 0o755)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
    def test_is_none_of_what_can_be_executed_and_not_be_read(self, room: Room) -> None:
        tool = room.program.parent / "unreadable"
        shutil.copy("/bin/echo", tool)
        tool.chmod(0o711)
        room = for_nobody(room, "room-unreadable")
        how: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        assert room.run([str(tool), "ran"], **how)[:2] == (0, b"ran\n")

    def test_is_added_to_the_receipt_where_nobody_may_be_traced(self, room: Room, tmp_path: Path) -> None:
        tool = script(tmp_path / "tool", "#!/no/such/interpreter\n")
        code, output, receipt = room.run([str(tool)], preexec_fn=no_tracing)
        assert (code, output) == (DENIED, b"")
        assert isinstance(receipt, Began) and receipt.failed == errno.ENOENT
        assert receipt.flaw == Flaw(errno=errno.ENOENT, file=b"/no/such/interpreter", role="interpreter")

    def test_is_none_where_nobody_may_be_traced_and_all_is_well(self, room: Room, end: int) -> None:
        code, output, receipt = room.run(["sh", "-c", "echo ran; exit 7"], preexec_fn=no_tracing)
        assert (code, output, code_said(end)) == (7, b"ran\n", 7)
        assert isinstance(receipt, Began) and receipt.failed is None

    def test_begins_also_with_every_signal_blocked(self, room: Room, end: int) -> None:
        def block() -> None:
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

        code, output, receipt = room.run(["sh", "-c", "echo ran; exit 7"], preexec_fn=block)
        assert (code, output, code_said(end)) == (7, b"ran\n", 7)
        assert isinstance(receipt, Began)

    def test_has_a_line_that_holds_whatever_is_named(self, room: Room, tmp_path: Path) -> None:
        name = b"/\xff\x01 =%" + b"\xfe" * 300
        tool = script(tmp_path / "tool", "")
        tool.write_bytes(b"#!" + name.replace(b" ", b"+")[:250] + b"\n")
        assert denied(room.run([str(tool)])).file == name.replace(b" ", b"+")[:200]


GOOD = frame("n1", "", ["echo", "ran"], {"A": "b"})


class TestARefusal:
    def test_of_a_writer_who_says_nothing(self, room: Room) -> None:
        assert room.refuses(b"") == Never(None, "short")

    @pytest.mark.parametrize("length", range(1, len(GOOD)))
    def test_of_a_frame_cut_short(self, room: Room, length: int) -> None:
        known = length > GOOD.index(b"\0")
        assert room.refuses(GOOD[:length]) == Never("n1" if known else None, "short")

    @pytest.mark.parametrize(
        "content",
        [
            b"G",
            b"AIRX2 5\n",
            b"AIRX1  5\n",
            b"AIRX1 \n",
            b"AIRX1 -1\n",
            b"AIRX1 +1\n",
            b"AIRX1 05\n",
            b"AIRX1 5 \n",
            b"AIRX1 0x5\n",
            b"AIRX1 4194305\n",
            b"AIRX1 99999999",
            b"AIRX1 0\n",
            b"AIRX1 1\n\0",
            b"AIRX1 2\nab",
            b"\n",
            b"\0" * 100,
            payload("", "", "1", "echo", "0"),
            payload("-", "", "1", "echo", "0"),
            payload("a b", "", "1", "echo", "0"),
            payload("a\nBEGAN", "", "1", "echo", "0"),
            payload("n" * 65, "", "1", "echo", "0"),
            payload("é", "", "1", "echo", "0"),
        ],
    )
    def test_of_garbage(self, room: Room, content: bytes) -> None:
        assert room.refuses(content) == Never(None, "malformed")

    @pytest.mark.parametrize(
        "content",
        [
            payload("n1"),
            payload("n1", ""),
            payload("n1", "", "0", "0"),
            payload("n1", "", "1", "echo"),
            payload("n1", "", "2", "echo", "0"),
            payload("n1", "", "1", "echo", "1"),
            payload("n1", "", "1", "echo", "0", "more"),
            payload("n1", "", "1", "echo", "1", "noequals"),
            payload("n1", "", "1", "echo", "1", "=x"),
            payload("n1", "", "1", "echo", "1", ""),
            payload("n1", "", "one", "echo", "0"),
            payload("n1", "", "01", "echo", "0"),
            payload("n1", "", "", "echo", "0"),
            payload("n1", "", "-1", "echo", "0"),
            payload("n1", "", "1000000", "echo", "0"),
            payload("n1", "", "18446744073709551617", "echo", "0"),
            GOOD + b"x",
            GOOD + GOOD,
            b"AIRX1 6\nn1\0\0001x",
        ],
    )
    def test_of_a_payload_that_is_not_what_it_says(self, room: Room, content: bytes) -> None:
        assert room.refuses(content) == Never("n1", "malformed")

    @fewer(60)
    @given(at=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255))
    def test_or_a_valid_line_whatever_byte_is_wrong(self, program: Path, at: int, byte: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            room = Room(program, Path(folder) / "room")
            room.prepare()
            process = room.start()
            room.send(GOOD[:at] + bytes([byte]) + GOOD[at + 1 :])
            code, output, receipt = room.ended(process)
        # A nonce, a word or a variable may have become another one.
        match receipt:
            case Began():
                assert code == 0
            case Unusable():
                assert (code, output) in ((MISSING, b""), (DENIED, b""))
            case Never():
                assert (code, output) == (NEVER, b"")
            case None:
                pytest.fail("there is no receipt")

    def test_of_two_writers_at_a_time(self, room: Room) -> None:
        process = room.start()
        first, second = room.writer(), room.writer()
        os.write(first, GOOD[:20])
        os.write(second, frame("n2", "", ["echo", "x" * 100], {}))
        code, output, receipt = room.ended(process)
        assert (code, output, receipt) == (NEVER, b"", Never("n1", "malformed"))
        with pytest.raises(BrokenPipeError):
            os.write(first, GOOD[20:])
        os.close(first)
        os.close(second)

    def test_or_one_command_of_two_managers_at_once(self, room: Room) -> None:
        process = room.start()
        frames = [frame(f"n{i}", "", ["sh", "-c", "echo $0", f"n{i}"], {"X": "x" * 70_000}) for i in (1, 2)]
        holder = room.writer()  # so that both find a reader
        found: list[bool | None] = []

        def hand_over(content: bytes) -> None:
            try:
                found.append(open_gate(room.fifo, content, patience=60))
            except FileNotFoundError:  # both have found the reader, and the other one has taken the FIFO
                found.append(None)

        threads = [threading.Thread(target=hand_over, args=[content]) for content in frames]
        for thread in threads:
            thread.start()
        code, output, receipt = room.ended(process)
        for thread in threads:
            thread.join()
        os.close(holder)
        # Only who takes the FIFO away writes.
        assert sorted(found, key=str) == [None, True]
        assert isinstance(receipt, Began)
        assert (code, output) == (0, f"{receipt.nonce}\n".encode())

    @pytest.mark.parametrize(
        "number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, 37]
    )
    def test_when_told_to_leave(self, room: Room, number: int) -> None:
        process = room.start()
        writer = room.writer()
        process.send_signal(number)
        assert room.ended(process)[::2] == (NEVER, Never(None, "told"))
        os.close(writer)

    def test_when_told_to_leave_in_the_middle_of_a_frame(self, room: Room) -> None:
        process = room.start()
        writer = room.writer()
        os.write(writer, GOOD[:-1])
        until(lambda: unread(room.fifo) == 0)
        process.send_signal(signal.SIGTERM)
        assert room.ended(process)[::2] == (NEVER, Never("n1", "told"))
        os.close(writer)

    def test_when_told_to_leave_before_a_frame_that_is_there_is_read(self, room: Room) -> None:
        process = room.start()
        writer = room.writer()
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        os.write(writer, GOOD)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        code, output, receipt = room.ended(process)
        assert (code, output) == (NEVER, b"")
        assert isinstance(receipt, Never) and receipt.reason == "told"
        os.close(writer)

    def test_is_not_made_of_signals_that_end_nothing(self, room: Room) -> None:
        process = room.start()
        writer = room.writer()
        for number in (signal.SIGCHLD, signal.SIGWINCH, signal.SIGURG, signal.SIGSTOP, signal.SIGCONT):
            process.send_signal(number)
        os.write(writer, GOOD)
        assert room.ended(process)[:2] == (0, b"ran\n")
        os.close(writer)

    @NEEDS_PROCESS_1
    def test_when_told_to_leave_as_process_1(self, room: Room) -> None:
        outer = room.start(*AS_FIRST)
        writer = room.writer()
        os.kill(first(outer), signal.SIGTERM)
        assert room.ended(outer)[::2] == (NEVER, Never(None, "told"))
        os.close(writer)

    def test_when_nobody_comes(self, room: Room) -> None:
        begin = time.monotonic()
        process = room.start(patience="1")
        assert room.ended(process) == (NEVER, b"", Never(None, "patience"))
        assert time.monotonic() - begin >= 1
        assert open_gate(room.fifo, GOOD) is None

    def test_when_a_writer_takes_too_long(self, room: Room) -> None:
        process = room.start(patience="2")
        writer = room.writer()
        os.write(writer, GOOD[:-1])
        assert room.ended(process) == (NEVER, b"", Never("n1", "patience"))
        os.close(writer)

    @pytest.mark.parametrize("kind", ["nothing", "file", "link", "folder"])
    def test_without_a_fifo(self, room: Room, kind: str) -> None:
        room.fifo.rename(room.path / "real")
        match kind:
            case "file":
                room.fifo.write_bytes(GOOD)
            case "link":
                room.fifo.symlink_to(room.path / "real")
            case "folder":
                room.fifo.mkdir()
        assert room.ended(room.start()) == (NEVER, b"", Never(None, "unfit"))

    def test_without_a_control_folder(self, room: Room) -> None:
        shutil.rmtree(room.control)
        assert room.ended(room.start()) == (NEVER, b"", Never(None, "unfit"))


LONGEST = "T-_9" * 16
"""A token of 64 characters."""


class TestAToken:
    """What a gate that was not opened has read; whoever opens it takes the file away before."""

    def test_is_said_when_told_to_leave(self, room: Room) -> None:
        (room.control / TOKEN).write_text("t1")
        process = room.start()
        writer = room.writer()
        process.send_signal(signal.SIGTERM)
        assert room.ended(process) == (NEVER, b"", Never("t1", "told"))
        os.close(writer)

    def test_is_said_when_nobody_comes(self, room: Room) -> None:
        (room.control / TOKEN).write_text("t1")
        assert room.ended(room.start(patience="0")) == (NEVER, b"", Never("t1", "patience"))

    @pytest.mark.parametrize("length", [0, 1, len(GOOD) - 1])
    def test_is_said_of_a_frame_cut_short(self, room: Room, length: int) -> None:
        """Also where the nonce is known."""
        (room.control / TOKEN).write_text("t1")
        assert room.refuses(GOOD[:length]) == Never("t1", "short")

    @pytest.mark.parametrize("content", [b"G", payload("n1"), GOOD + b"x"])
    def test_is_said_of_what_is_no_frame(self, room: Room, content: bytes) -> None:
        (room.control / TOKEN).write_text("t1")
        assert room.refuses(content) == Never("t1", "malformed")

    @pytest.mark.parametrize("wrong", ["device", "inode", "place"])
    def test_is_said_where_something_else_is_mounted_than_was_meant(self, room: Room, wrong: str) -> None:
        (room.control / TOKEN).write_text("t1")
        right = mounted(str(room.path), room.path)
        change = {"place": "/no/such/place"} if wrong == "place" else {wrong: getattr(right, wrong) + 1}
        content = frame("n1", "", ["echo", "ran"], {}, [right, replace(right, **change)])
        assert room.refuses(content) == Never("t1", "mounts")

    @pytest.mark.parametrize("claim", ["", "1", "1 2", "1 2 x", "x 2 /", "1 x /"])
    def test_is_said_of_what_claims_nothing_about_a_mount(self, room: Room, claim: str) -> None:
        (room.control / TOKEN).write_text("t1")
        strings = ["n1", "", "1", "true", "0", "1", claim]
        body = "".join(f"{string}\0" for string in strings).encode()
        assert room.refuses(b"AIRX1 %d\n" % len(body) + body) == Never("t1", "malformed")

    def test_is_not_said_where_all_that_is_mounted_was_meant(self, room: Room) -> None:
        process = room.start()
        room.send(frame("n1", "", ["echo", "ran"], {}, [mounted(str(room.path), room.path)]))
        assert room.ended(process)[:2] == (0, b"ran\n")

    def test_is_said_without_a_fifo(self, room: Room) -> None:
        (room.control / TOKEN).write_text("t1")
        room.fifo.unlink()
        assert room.ended(room.start()) == (NEVER, b"", Never("t1", "unfit"))

    @pytest.mark.parametrize("token", ["t", "0", "_-", LONGEST])
    def test_is_said_whole(self, room: Room, token: str) -> None:
        (room.control / TOKEN).write_text(token)
        assert room.refuses(b"") == Never(token, "short")

    def test_is_what_it_was_when_the_gate_began(self, room: Room) -> None:
        (room.control / TOKEN).write_text("t1")
        process = room.start()
        writer = room.writer()
        (room.control / TOKEN).unlink()
        os.close(writer)
        assert room.ended(process) == (NEVER, b"", Never("t1", "short"))

    def test_that_comes_later_is_not_said(self, room: Room) -> None:
        process = room.start()
        writer = room.writer()
        (room.control / TOKEN).write_text("t1")
        os.close(writer)
        assert room.ended(process) == (NEVER, b"", Never(None, "short"))

    def test_is_not_said_of_a_command_that_begins(self, room: Room) -> None:
        (room.control / TOKEN).write_text("t1")
        code, output, receipt = room.run(["cat", str(room.receipts / "receipt")])
        assert code == 0 and b"t1" not in output
        assert isinstance(receipt, Began) and receipt.nonce == "n1"

    def test_is_not_said_of_an_exec_that_fails(self, room: Room, tmp_path: Path) -> None:
        (room.control / TOKEN).write_text("t1")
        denied(room.run([str(script(tmp_path / "tool", "#!/no/such/interpreter"))]))
        assert b"t1" not in (room.receipts / "receipt").read_bytes()

    @pytest.mark.parametrize(
        ("command", "workdir", "problem"),
        [
            ("no-such-command", "", "missing"),
            ("/etc/passwd", "", "denied"),
            ("true", "/no/such/folder", "workdir"),
        ],
    )
    def test_is_not_said_of_a_command_that_can_not_be_used(
        self, room: Room, command: str, workdir: str, problem: Any
    ) -> None:
        (room.control / TOKEN).write_text("t1")
        receipt = room.run([command], workdir=workdir)[2]
        assert isinstance(receipt, Unusable) and (receipt.nonce, receipt.problem) == ("n1", problem)

    def test_is_nowhere_where_the_command_could_find_it(self, room: Room) -> None:
        shutil.rmtree(room.path)
        prepare(room.control, room.receipts, Owner(os.geteuid(), os.getegid()))
        token = (room.control / TOKEN).read_bytes()
        process = room.start()
        look = ["sh", "-c", 'ls -A "$0"; cat /proc/$$/environ /proc/$$/cmdline "$1"/*', str(room.control)]
        content = frame("n1", "", [*look, str(room.receipts)], {})
        assert until(lambda: open_gate(room.fifo, content))
        code, output, receipt = room.ended(process)
        assert code == 0 and isinstance(receipt, Began)
        assert b"BEGAN n1" in output and token not in output
        assert TOKEN.encode() not in output.splitlines()

    def test_as_the_manager_writes_it_is_believed(self, room: Room) -> None:
        shutil.rmtree(room.path)
        prepare(room.control, room.receipts, Owner(os.geteuid(), os.getegid()))
        process = room.start()
        content = b"AIRX1 5\nn1\0"  # which the manager leaves in the middle of
        assert until(lambda: open_gate(room.fifo, content))
        code, _, receipt = room.ended(process)
        assert code == NEVER and isinstance(receipt, Never) and receipt.reason == "short"
        assert is_honest(receipt, room.control.with_name(TOKEN))

    @pytest.mark.parametrize(
        "token",
        ["", "-", "-t1", "t1\n", "\n", "t 1", "t1 told\nBEGAN n1 1.000000000\nx", "t.1", "é", "t\r", "%s"],
    )
    @pytest.mark.parametrize("length", [0, len(GOOD) - 1])
    def test_that_would_break_the_receipt_is_as_none(self, room: Room, token: str, length: int) -> None:
        (room.control / TOKEN).write_text(token)
        assert room.refuses(GOOD[:length]) == Never("n1" if length else None, "short")

    @pytest.mark.parametrize("kind", ["link", "dangling", "folder", "fifo"])
    def test_that_is_no_file_is_as_none(self, room: Room, tmp_path: Path, kind: str) -> None:
        place = room.control / TOKEN
        match kind:
            case "link":
                (tmp_path / "real").write_text("t1")
                place.symlink_to(tmp_path / "real")
            case "dangling":
                place.symlink_to(tmp_path / "real")
            case "folder":
                place.mkdir()
            case _:
                os.mkfifo(place)
        assert room.refuses(GOOD[:-1]) == Never("n1", "short")

    def test_that_is_not_there_keeps_no_command_from_beginning(self, room: Room) -> None:
        assert room.run(["echo", "ran"])[:2] == (0, b"ran\n")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
    def test_that_can_not_be_read_is_as_none(self, room: Room) -> None:
        room = for_nobody(room, "unreadable-token")
        (room.control / TOKEN).chmod(0o600)
        process = room.start(user=NOBODY, group=NOBODY, extra_groups=[])
        room.send(GOOD[:-1])
        assert room.ended(process) == (NEVER, b"", Never("n1", "short"))

    @pytest.mark.parametrize("more", ["x", "x" * 10_000, "\n"], ids=["one more", "many more", "a line's end"])
    def test_that_is_too_long_is_as_none(self, room: Room, more: str) -> None:
        (room.control / TOKEN).write_text(LONGEST + more)
        assert room.refuses(GOOD[:-1]) == Never("n1", "short")


def test_while_a_gate_waits_its_receipt_is_empty(room: Room) -> None:
    """Its name is on the disk long before there is anything to say."""
    process = room.start()
    writer = room.writer()
    assert (room.receipts / "receipt").read_bytes() == b""
    assert read_receipt(room.receipts) is None
    os.write(writer, GOOD)
    os.close(writer)
    assert isinstance(room.ended(process)[2], Began)


class TestWithoutAReceipt:
    """Nothing is run."""

    @pytest.mark.parametrize("kind", ["file", "link", "dangling", "folder"])
    def test_something_is_in_its_place(self, room: Room, tmp_path: Path, kind: str) -> None:
        place, target = room.receipts / "receipt", tmp_path / "target"
        match kind:
            case "file":
                place.write_text("before\n")
            case "folder":
                place.mkdir()
            case "link":
                target.write_text("before\n")
                place.symlink_to(target)
            case _:
                place.symlink_to(target)
        code, output, _ = room.ended(room.start())
        assert (code, output) == (NO_RECEIPT, b"")
        if kind in ("file", "link"):
            assert place.read_text() == "before\n"
        assert target.exists() == (kind == "link")

    def test_it_can_not_be_written(self, room: Room) -> None:
        def no_room() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

        assert room.run(["echo", "ran"], preexec_fn=no_room)[:2] == (NO_RECEIPT, b"")
        assert not (room.receipts / "receipt").exists()

    @pytest.mark.parametrize("early", [True, False])
    def test_its_folder_is_gone(self, room: Room, early: bool) -> None:
        if early:
            room.receipts.rmdir()
        process = room.start()
        if not early:
            writer = room.writer()
            (room.receipts / "receipt").unlink()
            room.receipts.rmdir()
            os.write(writer, GOOD)
            os.close(writer)
        output, complaint = process.communicate(timeout=20)
        assert (process.returncode, output) == (NO_RECEIPT, b"")
        assert complaint.startswith(b"gate: ")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
    def test_its_folder_is_not_ours(self, room: Room) -> None:
        here = room.program.parent / "closed-room"
        room = Room(room.program, here)
        room.prepare()
        here.chmod(0o711)
        room.receipts.chmod(0o555)
        process = room.start(user=NOBODY, group=NOBODY, extra_groups=[])
        assert room.ended(process)[0] == NO_RECEIPT

    @pytest.mark.parametrize("patience", ["", "-1", "x", "1.5", "01", "1000001"])
    def test_the_call_is_wrong(self, room: Room, patience: str) -> None:
        assert room.ended(room.start(patience=patience)) == (64, b"", None)


def unread(fifo: Path) -> int:
    """Bytes that wait in it."""
    handle = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        count = array.array("i", [0])
        fcntl.ioctl(handle, termios.FIONREAD, count)
        return count[0]
    finally:
        os.close(handle)


def test_the_receipt_can_be_read_by_the_manager(room: Room) -> None:
    room.run(["true"])
    status = (room.receipts / "receipt").stat()
    assert stat.S_ISREG(status.st_mode) and status.st_mode & 0o022 == 0
