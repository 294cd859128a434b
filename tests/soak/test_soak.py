"""Two minutes of the soak; `make soak` runs it for as long as you like."""

import secrets

import pytest
from rich.console import Console

from tests.own_engine import need_own_engine
from tests.real_manager import need_engine
from tests.soak import course, report


@pytest.mark.timeout(600)
def test_random_jobs_under_random_faults_are_neither_lost_nor_doubled_nor_left_over() -> None:
    need_engine()  # the image comes from there
    need_own_engine()
    seed = secrets.randbelow(1_000_000)
    print(f"seed {seed}")
    done = course.run(seed, minutes=2)
    report.show(done, Console(width=120))
    assert not done.violations, f"`python -m tests.soak --minutes 2 --seed {seed}` does the same again"
