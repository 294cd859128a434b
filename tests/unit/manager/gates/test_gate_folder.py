"""The folder by which the manager hands a container its command, and hears from its gate.

The gate itself is tested in tests/unit/runner_image/test_gate.py.
"""

import array
import errno
import fcntl
import os
import re
import shutil
import socket
import stat
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from manager.folder import acl
from manager.gates.gate_folder import is_honest, open_gate, prepare, read_receipt
from manager.gates.protocol import MAX_FRAME_BYTES, Ended, Never, parse_end, parse_receipt
from manager.model.home import END, TOKEN
from manager.model.values import Owner
from tests.unit.manager.builders import moment
from tests.waiting import until

ME = Owner(os.geteuid(), os.getegid())


class TestAReceiptsFile:
    def test_is_read(self, tmp_path: Path) -> None:
        assert read_receipt(tmp_path) is None
        (tmp_path / "receipt").write_bytes(b"NEVER - told\n" + b"x" * 10_000)
        assert read_receipt(tmp_path) == Never(None, "told")

    def test_is_read_no_further_than_it_needs_to_be(self, tmp_path: Path) -> None:
        (tmp_path / "receipt").write_bytes(b"\n" * 4096 + b"NEVER - told\n")
        assert read_receipt(tmp_path) is None
        os.truncate(tmp_path / "receipt", 1 << 40)
        assert read_receipt(tmp_path) is None

    def test_is_a_regular_file(self, tmp_path: Path) -> None:
        real = tmp_path / "real"
        real.write_bytes(b"NEVER - told\n")
        for number, make in enumerate(
            (
                lambda path: path.symlink_to(real),
                lambda path: path.mkdir(),
                lambda path: os.mkfifo(path),
                lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
            )
        ):
            folder = tmp_path / str(number)
            folder.mkdir()
            make(folder / "receipt")
            assert read_receipt(folder) is None

    def test_is_in_a_folder_that_is_no_link(self, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "receipt").write_bytes(b"NEVER - told\n")
        (tmp_path / "link").symlink_to(tmp_path / "folder")
        with pytest.raises(OSError):
            read_receipt(tmp_path / "link")
        with pytest.raises(FileNotFoundError):
            read_receipt(tmp_path / "none")


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """With a token beside it, as in a control folder."""
    path = tmp_path / "payload"
    os.mkfifo(path)
    path.with_name(TOKEN).write_text("t1")
    return path


class TestOpening:
    def test_finds_out_that_nobody_waits_and_leaves_all_as_it_was(self, fifo: Path) -> None:
        assert open_gate(fifo, b"frame") is None
        assert fifo.is_fifo() and fifo.with_name(TOKEN).read_text() == "t1"
        fifo.unlink()
        assert open_gate(fifo, b"frame") is None
        assert fifo.with_name(TOKEN).exists()

    def test_takes_the_token_and_the_fifo_away_before_anything_is_written(
        self, fifo: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write, seen = os.write, list[tuple[int, list[str]]]()

        def watched(handle: int, content: bytes) -> int:
            seen.append((unread(reader), sorted(os.listdir(fifo.parent))))  # noqa: PTH208
            return write(handle, content)

        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        monkeypatch.setattr(os, "write", watched)
        assert open_gate(fifo, b"frame") is True
        assert seen == [(0, [])]
        assert os.read(reader, 10) == b"frame"
        os.close(reader)

    def test_needs_no_token(self, fifo: Path) -> None:
        """One manager was killed right after it had taken that away."""
        fifo.with_name(TOKEN).unlink()
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        assert open_gate(fifo, b"frame") is True
        os.close(reader)

    def test_happens_once(self, fifo: Path) -> None:
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        assert open_gate(fifo, b"frame") is True
        assert open_gate(fifo, b"another") is None
        assert os.read(reader, 100) == b"frame"
        os.close(reader)

    def test_hands_over_more_than_a_pipe_holds(self, fifo: Path) -> None:
        content = os.urandom(MAX_FRAME_BYTES)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(reader, True)
        found: list[bool | None] = []
        thread = threading.Thread(target=lambda: found.append(open_gate(fifo, content, patience=60)))
        thread.start()
        read = b""
        while len(read) < len(content):
            read += os.read(reader, 50_000)
        thread.join()
        assert found == [True] and read == content
        assert os.read(reader, 1) == b""
        os.close(reader)

    def test_gives_up_on_one_who_does_not_read(self, fifo: Path) -> None:
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        begin = time.monotonic()
        assert open_gate(fifo, b"x" * MAX_FRAME_BYTES, patience=0.1) is False
        assert 0.1 <= time.monotonic() - begin < 5
        assert not fifo.exists()
        assert len(os.read(reader, MAX_FRAME_BYTES)) < MAX_FRAME_BYTES
        assert os.read(reader, 1) == b""  # so that the gate takes it for cut short
        os.close(reader)

    def test_notices_that_the_gate_leaves_meanwhile(self, fifo: Path) -> None:
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        found: list[bool | None] = []
        thread = threading.Thread(
            target=lambda: found.append(open_gate(fifo, b"x" * MAX_FRAME_BYTES, patience=60))
        )
        thread.start()
        until(lambda: unread(reader))
        os.close(reader)
        thread.join(timeout=20)
        assert found == [False]

    @pytest.mark.parametrize("kind", ["file", "link", "folder"])
    def test_writes_to_nothing_but_a_fifo(self, fifo: Path, kind: str) -> None:
        other = fifo.with_name("other")
        match kind:
            case "file":
                other.write_bytes(b"before")
            case "link":
                other.symlink_to(fifo)
            case _:
                other.mkdir()
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        with pytest.raises(OSError):
            open_gate(other, b"frame")
        os.close(reader)
        if kind == "file":
            assert other.read_bytes() == b"before"
        assert other.exists() and fifo.with_name(TOKEN).exists()

    def test_leaves_no_descriptor(self, fifo: Path) -> None:
        before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
        open_gate(fifo, b"frame")
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        assert open_gate(fifo, b"frame") is True
        os.close(reader)
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        assert open_gate(fifo, b"x" * 100_000, patience=0) is False
        os.close(reader)
        assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


class TestTakingTheEnd:
    @pytest.fixture
    def gate(self, fifo: Path) -> Iterator[tuple[int, int]]:
        """The two descriptors of a gate that waits."""
        os.mkfifo(fifo.with_name(END))
        end = os.open(fifo.with_name(END), os.O_RDWR | os.O_NONBLOCK)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        yield reader, end
        os.close(reader)
        os.close(end)

    def test_comes_before_anything_is_written_and_takes_the_name_away(
        self, fifo: Path, gate: tuple[int, int]
    ) -> None:
        seen = list[tuple[int, list[str]]]()

        def take(handle: int) -> None:
            seen.append((unread(gate[0]), sorted(os.listdir(fifo.parent))))  # noqa: PTH208
            os.close(handle)

        assert open_gate(fifo, b"frame", take_end=take) is True
        assert seen == [(0, [fifo.name])]

    def test_gives_what_can_be_read_without_waiting(self, fifo: Path, gate: tuple[int, int]) -> None:
        taken: list[int] = []
        assert open_gate(fifo, b"frame", take_end=taken.append) is True
        (handle,) = taken
        assert not os.get_inheritable(handle)
        with pytest.raises(BlockingIOError):
            os.read(handle, 100)
        os.write(gate[1], b"ENDED 0 1.000000000\n")
        assert parse_end(os.read(handle, 100)) == Ended(0, moment(1))
        os.close(handle)

    def test_is_closed_to_everybody_who_finds_it_by_another_way(
        self, fifo: Path, gate: tuple[int, int]
    ) -> None:
        taken: list[int] = []
        assert open_gate(fifo, b"frame", take_end=taken.append) is True
        assert stat.S_IMODE(os.fstat(gate[1]).st_mode) == 0
        os.close(taken[0])

    def test_is_left_out_where_the_gate_says_nothing_then(self, fifo: Path) -> None:
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        taken: list[int] = []
        assert open_gate(fifo, b"frame", take_end=taken.append) is True
        assert taken == []
        os.close(reader)

    def test_is_left_out_where_nobody_waits(self, fifo: Path) -> None:
        os.mkfifo(fifo.with_name(END))
        taken: list[int] = []
        assert open_gate(fifo, b"frame", take_end=taken.append) is None
        assert taken == [] and fifo.with_name(END).is_fifo()

    def test_comes_also_where_the_gate_does_not_read(self, fifo: Path, gate: tuple[int, int]) -> None:
        taken: list[int] = []
        assert open_gate(fifo, b"x" * MAX_FRAME_BYTES, patience=0, take_end=taken.append) is False
        (handle,) = taken
        os.close(handle)

    def test_follows_no_link(self, fifo: Path) -> None:
        other = fifo.with_name("other")
        os.mkfifo(other)
        fifo.with_name(END).symlink_to(other)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        taken: list[int] = []
        assert open_gate(fifo, b"frame", take_end=taken.append) is True
        assert taken == []
        os.close(reader)

    @pytest.mark.parametrize("content", [b"frame", b"x" * 100_000])
    def test_leaves_no_descriptor_where_nobody_wants_it(
        self, fifo: Path, gate: tuple[int, int], content: bytes
    ) -> None:
        before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
        assert open_gate(fifo, content, patience=0) is (len(content) == 5)
        assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
        assert not fifo.with_name(END).exists()


def unread(reader: int) -> int:
    """Bytes that wait to be read."""
    count = array.array("i", [0])
    fcntl.ioctl(reader, termios.FIONREAD, count)
    return count[0]


class TestNever:
    @pytest.fixture
    def control(self, tmp_path: Path) -> Path:
        prepare(tmp_path / "room" / "control", tmp_path / "room" / "receipts", ME)
        return tmp_path / "room" / "control"

    @pytest.mark.parametrize("reason", ["told", "patience", "short", "malformed", "unfit"])
    def test_is_honest_where_it_is_said_with_the_token(self, control: Path, reason: str) -> None:
        token = (control / TOKEN).read_text()
        receipt = parse_receipt(f"NEVER {token} {reason}\n".encode())
        assert isinstance(receipt, Never)
        assert is_honest(receipt, control.with_name(TOKEN))
        os.unlink(control / TOKEN)  # noqa: PTH108
        assert is_honest(receipt, control.with_name(TOKEN)), "also after the gate was opened"

    @pytest.mark.parametrize("said", [None, "n1", "-", "", "{}0", "0{}"])
    def test_is_not_where_it_is_said_with_anything_else(self, control: Path, said: str | None) -> None:
        token = (control / TOKEN).read_text()
        assert not is_honest(Never(said and said.format(token), "told"), control.with_name(TOKEN))
        assert not is_honest(Never(token[:-1], "told"), control.with_name(TOKEN))
        assert not is_honest(Never(token.upper() + "A", "told"), control.with_name(TOKEN))

    def test_is_not_where_a_task_puts_a_token_of_its_own_there(self, control: Path) -> None:
        (control / TOKEN).write_text("mine")
        assert not is_honest(Never("mine", "told"), control.with_name(TOKEN))

    @pytest.mark.parametrize("said", [None, "", "n1"])
    def test_is_not_where_the_token_is_gone(self, control: Path, said: str | None) -> None:
        control.with_name(TOKEN).unlink()
        assert not is_honest(Never(said, "told"), control.with_name(TOKEN))
        shutil.rmtree(control.parent)
        assert not is_honest(Never(said, "told"), control.with_name(TOKEN))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


class TestPreparing:
    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
    def test_makes_what_the_gate_needs(self, tmp_path: Path, umask: int) -> None:
        room = tmp_path / "room"
        before = os.umask(umask)
        try:
            prepare(room / "control", room / "receipts", ME)
        finally:
            os.umask(before)
        assert mode(room) == 0o700
        assert mode(room / "control") == 0o755
        assert mode(room / "receipts") == 0o700
        assert mode(room / "control" / "payload") == 0o644
        assert stat.S_ISFIFO((room / "control" / "payload").lstat().st_mode)
        assert mode(room / "control" / TOKEN) == 0o644
        assert not mode(room / TOKEN) & 0o022
        assert mode(room / "control" / "end") == 0o666
        assert stat.S_ISFIFO((room / "control" / "end").lstat().st_mode)
        names = ["control", "control/end", "control/payload", "control/token", "receipts", "token"]
        assert sorted(str(path.relative_to(room)) for path in room.rglob("*")) == names

    def test_writes_the_same_token_in_both_places_and_another_one_each_time(self, tmp_path: Path) -> None:
        tokens = set()
        for number in range(10):
            room = tmp_path / str(number)
            prepare(room / "control", room / "receipts", ME)
            token = (room / TOKEN).read_text()
            assert (room / "control" / TOKEN).read_text() == token
            assert not (room / TOKEN).samefile(room / "control" / TOKEN)
            assert re.fullmatch("[0-9a-f]{32}", token), "more than a task can guess; fits into a receipt"
            tokens.add(token)
        assert len(tokens) == 10

    @pytest.mark.parametrize("kind", ["file", "link"])
    def test_writes_no_token_where_one_is(self, tmp_path: Path, kind: str) -> None:
        room, other = tmp_path / "room", tmp_path / "other"
        room.mkdir()
        if kind == "file":
            (room / TOKEN).write_text("before")
        else:
            (room / TOKEN).symlink_to(other)
        with pytest.raises(FileExistsError):
            prepare(room / "control", room / "receipts", ME)
        assert not other.exists()
        assert kind == "link" or (room / TOKEN).read_text() == "before"

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
    def test_gives_the_receipts_folder_to_the_containers_user(self, tmp_path: Path) -> None:
        room = tmp_path / "room"
        prepare(room / "control", room / "receipts", Owner(1234, 2345))
        owners = {path: (path.stat().st_uid, path.stat().st_gid) for path in (room, *room.rglob("*"))}
        assert owners.pop(room / "receipts") == (1234, 2345)
        assert set(owners.values()) == {tuple(ME)}
        assert mode(room / "receipts") == 0o700

    def test_lets_the_user_into_the_receipts_folder_where_it_can_not_be_given_away(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        room = tmp_path / "room"
        monkeypatch.setattr(os, "geteuid", lambda: 4321)
        prepare(room / "control", room / "receipts", Owner(1234, 2345))
        assert (mode(room), mode(room / "receipts")) == (0o700, 0o770)
        for kind in acl.Kind:
            allowed = acl.read(str(room / "receipts"), kind)
            assert allowed is not None
            assert (allowed.users, allowed.group) == ({1234: 7, 4321: 7}, 0)

    def test_opens_it_to_the_container_only_where_there_are_no_lists_for_that(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unsupported(*_: object) -> None:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

        room = tmp_path / "room"
        monkeypatch.setattr(os, "geteuid", lambda: 4321)
        monkeypatch.setattr(os, "setxattr", unsupported)
        prepare(room / "control", room / "receipts", Owner(1234, 2345))
        assert (mode(room), mode(room / "receipts")) == (0o700, 0o777)

    def test_closes_a_parent_that_is_there(self, tmp_path: Path) -> None:
        (tmp_path / "room").mkdir()
        (tmp_path / "room").chmod(0o777)
        prepare(tmp_path / "room" / "control", tmp_path / "room" / "receipts", ME)
        assert mode(tmp_path / "room") == 0o700

    @pytest.mark.parametrize("name", ["control", "receipts"])
    @pytest.mark.parametrize("kind", ["folder", "link", "file"])
    def test_serves_once(self, tmp_path: Path, name: str, kind: str) -> None:
        room = tmp_path / "room"
        room.mkdir()
        match kind:
            case "folder":
                (room / name).mkdir()
            case "link":
                (room / name).symlink_to(tmp_path)
            case _:
                (room / name).touch()
        with pytest.raises(FileExistsError):
            prepare(room / "control", room / "receipts", ME)

    def test_follows_no_link(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "room").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(OSError):
            prepare(tmp_path / "room" / "control", tmp_path / "room" / "receipts", ME)
        assert not list((tmp_path / "elsewhere").iterdir())

    def test_wants_them_side_by_side(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError):
            prepare(tmp_path / "a" / "control", tmp_path / "b" / "receipts", ME)
        with pytest.raises(ValueError):
            prepare(tmp_path / "a" / "same", tmp_path / "a" / "same", ME)
