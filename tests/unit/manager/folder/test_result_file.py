"""Results in inboxes: what commands have written there, and what they are given."""

import os
import socket
import stat
from pathlib import Path

import pytest

from air_executor.errors import BadInput
from air_executor.format.results import Result
from manager.folder import result_file

MOST = 1 << 18


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    for name in ("result", "results", "new"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def written(inbox: Path) -> Path:
    return inbox / "result" / "result.json"


def test_what_was_written_is_the_result(inbox: Path, written: Path) -> None:
    written.write_text(' {"rows" : 42}\n')
    assert result_file.read(inbox, MOST) == Result('{"rows":42}')


def test_nothing_written_is_no_result(inbox: Path) -> None:
    assert result_file.read(inbox, MOST) is None


def test_an_inbox_of_an_older_manager_has_no_result(tmp_path: Path) -> None:
    assert result_file.read(tmp_path, MOST) is None


def test_a_link_is_not_followed(inbox: Path, written: Path) -> None:
    (inbox / "new" / "mine.json").write_text("1")
    for target in ("/etc/hostname", "/dev/zero", "../new/mine.json", "nowhere"):
        written.symlink_to(target)
        with pytest.raises(BadInput, match="is a link"):
            result_file.read(inbox, MOST)
        written.unlink()


def test_a_link_in_the_place_of_the_folder_is_not_followed(inbox: Path, written: Path) -> None:
    (inbox / "new" / "result.json").write_text("1")
    written.parent.rmdir()
    written.parent.symlink_to(inbox / "new")
    with pytest.raises(BadInput, match="is a link"):
        result_file.read(inbox, MOST)


def test_a_pipe_a_socket_and_a_folder_are_not_waited_for(inbox: Path, written: Path) -> None:
    os.mkfifo(written)
    with pytest.raises(BadInput, match="a folder, a pipe or the like"):
        result_file.read(inbox, MOST)
    written.unlink()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(written))
        with pytest.raises(BadInput, match="regular file"):
            result_file.read(inbox, MOST)
    written.unlink()
    written.mkdir()
    with pytest.raises(BadInput, match="a folder, a pipe or the like"):
        result_file.read(inbox, MOST)


def test_more_than_may_be_is_not_read(inbox: Path, written: Path) -> None:
    with written.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(BadInput, match=r"larger than 262144 bytes \(setting `result_kb`\)"):
        result_file.read(inbox, MOST)


def test_what_is_given_can_be_read_by_everybody_in_there_and_changed_by_nobody(inbox: Path) -> None:
    mask = os.umask(0o077)
    try:
        result_file.give(inbox, {"fetch": Result('"é"'), "a.b:c": Result("null")})
    finally:
        os.umask(mask)
    given = {each.name: each.read_text() for each in (inbox / "results").iterdir()}
    assert given == {"fetch.json": '"é"', "a.b:c.json": "null"}
    assert {stat.S_IMODE(each.stat().st_mode) for each in (inbox / "results").iterdir()} == {0o644}


def test_what_a_manager_had_half_written_is_written_anew(inbox: Path) -> None:
    (inbox / "results" / "fetch.json").write_text('{"ro')
    result_file.give(inbox, {"fetch": Result("1")})
    assert (inbox / "results" / "fetch.json").read_text() == "1"


def test_a_link_in_the_way_is_replaced_and_not_written_through(inbox: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (inbox / "results" / "fetch.json").symlink_to(precious)
    result_file.give(inbox, {"fetch": Result("1")})
    assert precious.read_text() == "mine"
