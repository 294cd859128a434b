"""Which files are listed as outputs, and what is made of hostile ones."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import pytest

from air_executor.errors import BadInput
from air_executor.format.outputs import Pattern
from air_executor.format.results import OutputFile
from manager.folder import outputs
from manager.folder.outputs import Search


def found(work: Path, *patterns: str, most_mb: int = 10) -> tuple[OutputFile, ...]:
    search = Search(work, patterns, most_mb)
    for _ in search.steps():
        pass
    return search.files


def paths(work: Path, *patterns: str) -> list[str]:
    return [file.path for file in found(work, *patterns)]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    place = tmp_path / "work"
    for name in ("model.bin", "report/b.csv", "report/a.csv", "report/deep/c.csv", "other/d.csv"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(name)
    return place


def test_each_is_listed_once_by_path_with_size_and_content(work: Path) -> None:
    files = found(work, "report/**/*.csv", "report/a.csv", "model.bin")
    assert [file.path for file in files] == ["model.bin", "report/a.csv", "report/b.csv", "report/deep/c.csv"]
    assert files[0] == OutputFile(path="model.bin", size=9, sha256=hashlib.sha256(b"model.bin").hexdigest())


def test_a_large_file_is_read_in_pieces(work: Path) -> None:
    content = os.urandom(3 * outputs.PIECE + 5)
    (work / "model.bin").write_bytes(content)
    search = Search(work, ["model.bin"], 10)
    assert len(list(search.steps())) >= 4
    assert search.files[0].sha256 == hashlib.sha256(content).hexdigest()


def test_a_pattern_that_nothing_fits_is_named(work: Path) -> None:
    with pytest.raises(BadInput, match=r"outputs: no file below /work fits 'x', 'report':"):
        found(work, "x", "model.bin", "report")


def test_folders_in_which_nothing_may_fit_are_not_looked_into(work: Path) -> None:
    for number in range(200):
        (work / "other" / str(number)).touch()
    search = Search(work, ["report/*.csv"], 10)
    assert sum(1 for _ in search.steps()) < 100


def test_no_link_is_followed_and_nothing_is_waited_for(work: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "shadow.csv").write_text("root")
    (work / "report/link.csv").symlink_to(secret / "shadow.csv")
    (work / "report/folder").symlink_to(secret)
    os.mkfifo(work / "report/pipe.csv")
    (work / "report/is.csv").mkdir()
    assert paths(work, "report/*.csv", "report/*/*.csv") == [
        "report/a.csv",
        "report/b.csv",
        "report/deep/c.csv",
    ]


def test_a_folder_that_becomes_a_link_in_the_middle_of_the_walk_is_not_followed(
    work: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "shadow.csv").write_text("root")
    search = Search(work, ["**/*.csv"], 10)
    steps = search.steps()
    next(steps)
    for name in ("report", "other"):
        (work / name).rename(tmp_path / name)
        (work / name).symlink_to(secret)
    (work / "z.csv").touch()
    for _ in steps:
        pass
    assert "shadow.csv" not in str(search.files)


def test_more_bytes_than_the_operator_allows_are_not_even_read(work: Path) -> None:
    with (work / "model.bin").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(BadInput, match=r"'model.bin' and what .* more than 10 MiB \(setting `outputs_mb`\)"):
        found(work, "model.bin")


def test_all_together_count(work: Path) -> None:
    for name in ("1", "2"):
        (work / name).write_bytes(bytes(700_000))
    assert paths(work, "1") == ["1"]
    with pytest.raises(BadInput, match="setting `outputs_mb`"):
        found(work, "?", most_mb=1)


def test_too_many_files_are_refused(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "MAX_FILES", 3)
    with pytest.raises(BadInput, match="more than 3 files fit; pack them into one"):
        found(work, "**")


def test_a_file_that_changes_all_the_time_is_given_up(work: Path) -> None:
    search = Search(work, ["model.bin"], 10)
    with pytest.raises(BadInput, match="changes while it is read"):
        for number, _ in enumerate(search.steps()):
            (work / "model.bin").write_text("x" * (number + 1))


def test_a_file_that_has_changed_once_is_read_again(work: Path) -> None:
    search = Search(work, ["model.bin"], 10)
    steps = search.steps()
    for _ in range(20):
        next(steps, None)
        if not (work / "done").exists() and not search.files:
            (work / "model.bin").write_text("new")
            (work / "done").touch()
    assert search.files[0].sha256 == hashlib.sha256(b"new").hexdigest()


def test_names_may_be_strange_but_have_to_be_utf_8(work: Path) -> None:
    (work / "a\nb\x1b[31m.csv").touch()
    assert paths(work, "*.csv") == ["a\nb\x1b[31m.csv"]
    (work / os.fsdecode(b"\xff.csv")).touch()
    with pytest.raises(BadInput, match="is no path in UTF-8"):
        found(work, "*.csv")


def test_what_is_too_deep_is_not_looked_for(work: Path) -> None:
    place = work.joinpath(*"d" * 80)
    place.mkdir(parents=True)
    (place / "x.deep").touch()
    with pytest.raises(BadInput, match="no file below /work fits"):
        found(work, "**/*.deep")


def test_how_far_a_path_has_come_is_known_of_each_folder_and_not_found_anew_for_each_file(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = work.joinpath(*"d" * 40)
    place.mkdir(parents=True)
    for number in range(50):
        (place / f"{number}.txt").touch()
    asked: list[str] = []
    after = Pattern.after

    def counted(pattern: Pattern, places: frozenset[int], name: str) -> frozenset[int]:
        asked.append(name)
        return after(pattern, places, name)

    monkeypatch.setattr(Pattern, "after", counted)
    assert len(paths(work, "**/*.txt")) == 50
    assert len(asked) < 100, "a few for each of the folders"


def test_places_are_right_again_behind_a_folder_that_was_left(work: Path) -> None:
    for name in ("a/x/1.csv", "a/y/2.csv", "b/x/3.csv", "b/y/4.csv"):
        (work / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (work / "tree" / name).touch()
    assert paths(work, "tree/a/*/*.csv", "tree/*/y/*.csv") == [
        "tree/a/x/1.csv",
        "tree/a/y/2.csv",
        "tree/b/y/4.csv",
    ]


def handles(below: Path) -> list[str]:
    """What this process has open there; its other threads open and close other things."""
    found: list[str] = []
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(str(handle.readlink()))
    return [path for path in found if path.startswith(str(below))]


def test_a_walk_that_is_broken_off_leaves_no_handle_open(work: Path) -> None:
    steps = Search(work, ["**"], 10).steps()
    next(steps)
    assert handles(work)
    steps.close()  # type: ignore[attr-defined]
    assert not handles(work)
