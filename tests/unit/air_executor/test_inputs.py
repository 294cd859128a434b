"""Files that a job brings: copied whole, without following links, and bounded."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from air_executor import inputs
from air_executor.errors import BadInput
from air_executor.format import inputs as bounds
from air_executor.format.inputs import Inputs
from air_executor.inputs import InputFiles, named
from air_executor.untrusted import opened


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep" / "empty").mkdir(parents=True)
    (folder / "a.txt").write_text("one")
    (folder / "deep" / "run").write_text("#!/bin/sh\n")
    (folder / "deep" / "run").chmod(0o700)
    return folder


@pytest.fixture
def job(tmp_path: Path) -> Path:
    folder = tmp_path / "job"
    folder.mkdir()
    return folder


def put(files: dict[str, Any], job: Path) -> Path:
    with opened(job) as folder:
        InputFiles(files).put(folder)
    return job / "work"


def refused(files: dict[str, Any]) -> str:
    with pytest.raises(BadInput) as error:
        InputFiles(files).measured()
    assert error.value.field == "files"
    return error.value.rule


def test_bytes_text_files_and_folders_get_where_they_are_to_go(source: Path, job: Path) -> None:
    work = put({"x/b": b"\0", "x/t": "é", "one": source / "a.txt", "all": str_path(source)}, job)
    assert (work / "x" / "b").read_bytes() == b"\0"
    assert (work / "x" / "t").read_text() == "é"
    assert (work / "one").read_text() == "one"
    assert sorted(each.relative_to(work / "all").as_posix() for each in (work / "all").rglob("*")) == [
        "a.txt",
        "deep",
        "deep/empty",
        "deep/run",
    ]


def str_path(path: Path) -> os.PathLike[str]:
    """A path of another kind than this project's own."""

    class Named(os.PathLike[str]):
        def __fspath__(self) -> str:
            return str(path)

    return Named()


def test_programs_stay_programs_and_whoever_the_tasks_run_as_can_read_all(source: Path, job: Path) -> None:
    before = os.umask(0o077)
    try:
        work = put({"all": source, "x/y": b""}, job)
    finally:
        os.umask(before)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in [work, *work.rglob("*")]}
    assert modes == {
        "work": 0o750,
        "all": 0o755,
        "deep": 0o755,
        "empty": 0o755,
        "x": 0o755,
        "a.txt": 0o644,
        "y": 0o644,
        "run": 0o755,
    }


def test_how_much_it_is_is_known_before(source: Path) -> None:
    assert InputFiles({"all": source, "b": b"12"}).measured() == Inputs(entries=6, bytes=3 + 10 + 2)
    assert not InputFiles({})


TOO_DEEP = "/".join("a" * (bounds.MAX_DEPTH + 1))
NO_PLACES = [
    "",
    "/etc/x",
    "../x",
    "a/../../x",
    "a//b",
    "a/",
    "./a",
    ".",
    "a\nb",
    "\x1b[2J",
    "a\0",
    "\ud800",
    7,
]


@pytest.mark.parametrize("place", [*NO_PLACES, "x" * 256, TOO_DEEP])
def test_a_place_that_is_none_is_refused_with_the_rule(place: Any) -> None:
    assert "must be a path below /work" in refused({place: b""})


def test_no_place_is_in_another_one() -> None:
    assert "'a/b/c' would be in 'a', which is brought as well" in refused({"a/b/c": b"", "a": b""})


@pytest.mark.parametrize("content", [None, 7, ["x"], "\ud800"])
def test_what_is_no_content_is_refused(content: Any) -> None:
    assert "'a' must be bytes, text, or a path" in refused({"a": content})
    with pytest.raises(BadInput, match="must be an object"):
        InputFiles(content)


def test_links_are_not_followed_wherever_they_are(source: Path, tmp_path: Path) -> None:
    (source / "deep" / "link").symlink_to("/etc/passwd")
    told = refused({"all": source})
    assert "deep/link' is a link, and none is followed" in told
    (tmp_path / "link").symlink_to(source)
    assert "link' is a link" in refused({"all": tmp_path / "link"})


def test_folders_above_the_one_that_is_named_may_be_behind_a_link(
    source: Path, tmp_path: Path, job: Path
) -> None:
    (tmp_path / "link").symlink_to(source)
    assert (put({"a": tmp_path / "link" / "a.txt"}, job) / "a").read_text() == "one"


def test_a_file_that_has_more_in_it_than_its_size_is_refused_at_once() -> None:
    told = refused({"a": Path("/proc/self/environ")})
    assert told.startswith("'/proc/self/environ' changes while it is read")


@pytest.mark.parametrize("size", [0, 2, 4])
def test_a_file_that_changes_its_size_while_it_is_read_is_refused(
    source: Path, job: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    read = os.read

    def change_and_read(handle: int, most: int) -> bytes:
        os.truncate(source / "a.txt", size)
        return read(handle, most)

    monkeypatch.setattr(os, "read", change_and_read)
    with pytest.raises(BadInput, match=r"a\.txt' changes while it is read"):
        put({"a": source / "a.txt"}, job)


def test_what_is_neither_file_nor_folder_is_refused_and_not_waited_for(source: Path) -> None:
    os.mkfifo(source / "pipe")
    assert "pipe' is neither a regular file nor a folder" in refused({"all": source})
    assert "is neither" in refused({"x": Path("/dev/zero")})


def test_a_link_that_takes_the_place_of_a_file_meanwhile_is_not_followed(
    source: Path, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = inputs._check_kind

    def swap(status: os.stat_result, path: Path) -> None:
        check(status, path)
        if path.name == "a.txt":
            path.unlink()
            path.symlink_to("/etc/passwd")

    monkeypatch.setattr(inputs, "_check_kind", swap)
    with pytest.raises(BadInput, match=r"a\.txt' is a link"):
        put({"all": source}, job)
    assert not (job / "work" / "all" / "a.txt").exists()


def test_there_are_bounds_on_number_depth_and_size(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_ENTRIES", 4)
    assert "are more than 4 files and folders" in refused({"all": source})
    assert "are more than 4" in refused({str(number): b"" for number in range(5)})
    monkeypatch.undo()
    monkeypatch.setattr(bounds, "MAX_BYTES", 12)
    assert "have more than 0 MiB together" in refused({"all": source})
    monkeypatch.undo()
    monkeypatch.setattr(inputs, "MAX_DEPTH", 2)

    assert "deep' has more than 2 folders above it" in refused({"all": source})


def test_what_grows_while_it_is_copied_is_counted_as_it_is_read(
    source: Path, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = InputFiles({"all": source})
    monkeypatch.setattr(bounds, "MAX_BYTES", 20)
    assert files.measured().bytes == 13
    (source / "a.txt").write_text("x" * 21)
    with opened(job) as folder, pytest.raises(BadInput, match="have more than"):
        files.put(folder)


def test_the_digest_tells_places_contents_and_programs_and_nothing_else(source: Path, tmp_path: Path) -> None:
    first = InputFiles({"all": source}).digest()
    os.utime(source / "a.txt", (1, 1))
    assert InputFiles({"all": source}).digest() == first
    (source / "a.txt").chmod(0o755)
    second = InputFiles({"all": source}).digest()
    (source / "a.txt").write_text("two")
    third = InputFiles({"all": source}).digest()
    assert len({first, second, third, InputFiles({"other": source}).digest()}) == 4


def test_what_is_not_there_is_told_with_its_whole_path(source: Path) -> None:
    with pytest.raises(FileNotFoundError) as error:
        InputFiles({"a": source / "gone"}).measured()
    assert error.value.filename == str(source / "gone")


@pytest.mark.parametrize(
    ("text", "place", "path"),
    [
        ("in/a.csv", "a.csv", "in/a.csv"),
        ("in:data/x", "data/x", "in"),
        (".:x", "x", "."),
        ("a:b:c", "c", "a:b"),
    ],
)
def test_where_it_goes_is_said_behind_a_colon_or_is_its_own_name(text: str, place: str, path: str) -> None:
    assert named(text) == (place, Path(path))


@pytest.mark.parametrize("text", ["", ".", "..", "/", ":x", "a:"])
def test_what_has_no_name_to_go_by_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="and where it goes"):
        named(text)
