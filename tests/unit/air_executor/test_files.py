import os
from pathlib import Path

from air_executor.files import Version, version_of, write_durably


def test_a_file_that_nobody_has_touched_has_the_same_version(tmp_path: Path) -> None:
    file = tmp_path / "file"
    written = write_durably(file, "text")
    assert version_of(file) == version_of(file) == Version.of(written)


def test_another_file_another_time_or_another_size_is_another_version(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_durably(file, "text")
    seen = [version_of(file)]
    os.utime(file, (1000, 1000))
    seen.append(version_of(file))
    os.truncate(file, 2)
    os.utime(file, (1000, 1000))
    seen.append(version_of(file))
    twin = tmp_path / "twin"
    twin.write_text("te")
    os.utime(twin, (1000, 1000))
    twin.rename(file)
    seen.append(version_of(file))
    assert len(set(seen)) == 4


def test_where_there_is_no_file_there_is_no_version(tmp_path: Path) -> None:
    assert version_of(tmp_path / "none") is None
