"""A reserve is given up bit by bit, only where that helps, and made again."""

import errno
from contextlib import suppress
from pathlib import Path

import pytest

from air_executor.files import Create, create_exclusively, folder_of
from manager.daemon.reserve import NO_RESERVE, SPARE, Reserve


class Writing:
    """Fails so many times."""

    def __init__(self, times: int, number: int = errno.ENOSPC) -> None:
        self.left = times
        self.number = number

    def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise OSError(self.number, "no")
        return "written"


@pytest.fixture
def reserve(tmp_path: Path) -> Reserve:
    made = Reserve(tmp_path / "reserve", 4 * SPARE)
    made.fill()
    return made


def spares(folder: Path) -> list[int]:
    return [file.stat().st_blocks * 512 for file in (folder / "reserve").iterdir()]


def test_a_reserve_has_files_with_blocks_of_their_own(reserve: Reserve, tmp_path: Path) -> None:
    assert len(spares(tmp_path)) == 4
    assert all(size >= SPARE for size in spares(tmp_path))
    assert (reserve.whole, reserve.size, reserve.files) == (True, 4 * SPARE, 4)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_one_spare_after_another_is_given_up_until_it_is_written(
    reserve: Reserve, tmp_path: Path, number: int
) -> None:
    assert reserve.spend(Writing(3, number)) == "written"
    assert len(spares(tmp_path)) == 1
    assert not reserve.whole
    reserve.fill()
    assert (len(spares(tmp_path)), reserve.whole) == (4, True)


def test_what_can_be_written_costs_nothing(reserve: Reserve) -> None:
    assert reserve.spend(Writing(0)) == "written"
    assert reserve.whole


def test_nothing_is_given_up_for_an_error_that_it_would_not_cure(reserve: Reserve) -> None:
    with pytest.raises(OSError, match="no"):
        reserve.spend(Writing(1, errno.EIO))
    assert reserve.whole


def test_when_all_is_given_up_the_error_is_told(reserve: Reserve, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no"):
        reserve.spend(Writing(5))
    assert spares(tmp_path) == []


def test_what_an_earlier_manager_left_is_the_reserve_of_the_next(reserve: Reserve, tmp_path: Path) -> None:
    again = Reserve(tmp_path / "reserve", 4 * SPARE)
    assert not again.whole
    again.fill()
    assert again.whole
    assert len(spares(tmp_path)) == 4


def test_a_new_file_is_written_into_a_spare_so_that_nobody_can_take_its_room(
    reserve: Reserve, tmp_path: Path
) -> None:
    spare = (tmp_path / "reserve" / "3").stat().st_ino

    def write(create: Create) -> None:
        if create is create_exclusively:
            raise OSError(errno.ENOSPC, "no")
        with folder_of(tmp_path) as folder, create("new", folder) as file:
            file.write(b"text")
            file.truncate()

    reserve.spend_on_new(write)
    assert ((tmp_path / "new").read_bytes(), (tmp_path / "new").stat().st_ino) == (b"text", spare)
    assert (len(spares(tmp_path)), reserve.whole) == (3, False)


def test_a_new_file_costs_nothing_where_there_is_room(reserve: Reserve) -> None:
    made: list[Create] = []
    reserve.spend_on_new(made.append)
    assert (made, reserve.whole) == ([create_exclusively], True)


def test_a_new_file_that_no_spare_helps_is_not_written(reserve: Reserve, tmp_path: Path) -> None:
    def write(create: Create) -> None:
        with folder_of(tmp_path) as folder, suppress(FileExistsError), create("new", folder):
            pass
        raise OSError(errno.ENOSPC, "no")

    with pytest.raises(OSError, match="no"):
        reserve.spend_on_new(write)
    assert spares(tmp_path) == []


def test_what_is_larger_than_a_spare_gets_the_room_of_all_of_them(reserve: Reserve, tmp_path: Path) -> None:
    def write(create: Create) -> None:
        with folder_of(tmp_path) as folder:
            (tmp_path / "new").unlink(missing_ok=True)
            with create("new", folder) as file:
                if spares(tmp_path) or create is create_exclusively:
                    raise OSError(errno.ENOSPC, "no")
                file.write(b"text")
                file.truncate()

    reserve.spend_on_new(write)
    assert (tmp_path / "new").read_bytes() == b"text"


def test_no_reserve_is_whole_and_gives_nothing() -> None:
    assert NO_RESERVE.whole
    with pytest.raises(OSError, match="no"):
        NO_RESERVE.spend(Writing(1))
