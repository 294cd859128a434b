"""How much is on the disk: every name counts, no link is followed, and a look goes on step by step."""

import os
from pathlib import Path

from manager.folder import removal
from manager.folder.usage import Look, Survey, Usage
from manager.model.home import Home

BLOCKS = 4096


def usage(*places: Path, steps: int = 100) -> Usage:
    look = Look(places)
    while look.go_on(steps):
        pass
    return look.usage


def test_every_name_in_every_place_counts_the_places_too(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    (one / "in" / "deep").mkdir(parents=True)
    other.mkdir()
    (one / "in" / "deep" / "file").write_bytes(b"x" * 100_000)
    (other / "file").touch()
    assert usage(one, other).inodes == 6
    assert usage(one, other).bytes >= 100_000
    assert usage(one, other, steps=1) == usage(one, other)


def test_links_are_not_followed_and_what_is_no_folder_counts_nothing(tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "place", tmp_path / "elsewhere"
    place.mkdir()
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    (place / "link").symlink_to(elsewhere)
    (tmp_path / "linked").symlink_to(elsewhere)
    os.mkfifo(place / "pipe")
    assert usage(place).inodes == 3
    assert usage(tmp_path / "linked", tmp_path / "gone", elsewhere / "file") == Usage(0, 0)


def test_a_file_with_many_names_takes_its_space_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1_000_000)
    before = usage(tmp_path)
    for number in range(10):
        (tmp_path / str(number)).hardlink_to(tmp_path / "a")
    after = usage(tmp_path)
    assert after.inodes == before.inodes + 10
    assert after.bytes < before.bytes + 2 * BLOCKS


def test_a_file_with_holes_counts_what_it_takes(tmp_path: Path) -> None:
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(1 << 30)
    assert usage(tmp_path).bytes < 1 << 20


def test_however_deep_folders_are_they_are_counted_with_a_few_handles(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        os.close(os.open("f", os.O_CREAT, dir_fd=here))
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    before = most = len(list(Path("/proc/self/fd").iterdir()))
    look = Look([tmp_path])
    while look.go_on(100):
        most = max(most, len(list(Path("/proc/self/fd").iterdir())))
    assert look.usage.inodes == 1 + 2 * 3000
    removal.delete(tmp_path / "d")  # pytest's own cleaning can't
    assert most < before + 50


def test_who_moves_the_folder_that_is_looked_at_does_not_hide_the_others(tmp_path: Path) -> None:
    place = tmp_path / "place"
    for name in "abc":
        (place / name / "deep").mkdir(parents=True)
        (place / name / "deep" / "file").touch()
    look = Look([place])
    while look.usage.inodes < 5:  # place, a, b, c, and the first folder in one of them
        look.go_on(1)
    for name in "abc":
        (place / name / "deep").rename(tmp_path / name)
    while look.go_on(1):
        pass
    assert look.usage.inodes >= 4
    assert (tmp_path / "a").is_dir(), "what is outside was not entered"


def test_what_is_taken_away_meanwhile_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    look = Look([tmp_path])
    look.go_on(2)
    (tmp_path / "a" / "b").rmdir()
    (tmp_path / "a").rmdir()
    assert not look.go_on(100)


def test_a_survey_names_those_with_most_first(tmp_path: Path) -> None:
    for name, size in {"small": 1, "big": 3_000_000, "middle": 2_000_000, "less": 1_500_000}.items():
        (tmp_path / "jobs" / name / "work").mkdir(parents=True)
        (tmp_path / "jobs" / name / "work" / "data").write_bytes(b"x" * size)
    survey = Survey(Home("", tmp_path), 1000)
    while survey.go_on(0.01):
        pass
    assert [part.split()[0] for part in survey.words.split(", ")] == ["big", "middle", "less"]
    assert survey.words.startswith("big (2 MiB in 3 files)")


def test_a_survey_of_nothing_says_nothing(tmp_path: Path) -> None:
    survey = Survey(Home("", tmp_path), 1000)
    assert not survey.go_on(1)
    assert survey.words == ""
