"""For whom warm containers are kept when a manager starts."""

import os
from pathlib import Path

import pytest

from manager.core import policy
from manager.gates.regulars import regulars, remember
from manager.model.home import Home
from manager.model.values import Owner, Sharing
from tests.unit.manager.builders import settings

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
ME = policy.usual_user(Owner(os.geteuid(), os.getegid()), settings())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home("id", tmp_path)
    made.journal.mkdir()
    made.jobs.mkdir()
    return made


def test_a_home_that_has_seen_nobody_begins_with_whose_it_is(home: Home) -> None:
    assert regulars(home, settings())[0] == ME


@ROOT
def test_airflow_in_the_same_stack_comes_first_and_then_who_has_the_jobs(home: Home) -> None:
    home.airflow.mkdir()
    os.chown(home.airflow, 50000, 50000)
    os.chown(home.jobs, 1000, 50000)
    assert regulars(home, settings(task_uid=77)) == ((50000, 50000), (1000, 50000), (77, 77))


def test_those_who_were_seen_come_before_and_each_is_there_once(home: Home) -> None:
    remember(home, [Owner(3, 4), ME])
    assert regulars(home, settings())[:2] == ((3, 4), ME)
    assert regulars(home, settings()).count(ME) == 1
    remember(home, [Owner(5, 6)])
    assert regulars(home, settings())[:2] == ((5, 6), ME)


@pytest.mark.parametrize(
    ("able", "served"),
    [
        (Sharing(ME.uid, None), [Owner(3, 4), ME]),
        (Sharing(0, "no lists"), [Owner(3, 4), ME]),
        (Sharing(ME.uid, "no lists"), [ME]),
    ],
    ids=str,
)
def test_nobody_is_expected_to_whom_the_manager_can_not_give_a_work_folder(
    home: Home, able: Sharing, served: list[Owner]
) -> None:
    remember(home, [Owner(3, 4), ME])
    assert regulars(home, settings(), able) == tuple(served)


@pytest.mark.parametrize(
    "text", ["", "nonsense\n", "0:0\n0\n", "\udcff\n", "-1:5\n", f"{1 << 40}:1\n"], ids=ascii
)
def test_what_is_no_user_is_passed_over(home: Home, text: str) -> None:
    home.regulars.write_bytes(text.encode(errors="surrogateescape") + b"8:9\n")
    assert regulars(home, settings()) == ((8, 9), ME)


def test_nobody_else_reads_it(home: Home) -> None:
    home.journal.chmod(0o700)
    remember(home, [ME])
    assert home.regulars.stat().st_mode & 0o007 == 0


def test_where_it_cannot_be_written_or_read_nothing_breaks(home: Home) -> None:
    home.regulars.mkdir()
    remember(home, [Owner(3, 4)])
    assert regulars(home, settings())[0] == ME
