"""Eight tasks of one job, with a timeout of 1e300 s, hold all runners: a neighbour's `true` has to wait.

A timeout has a ceiling (`max_timeout`), the default as well; and what tasks queue never holds all runners.
What a job was written with may, unless the operator sets `job_runners`.
"""

import pytest

from air_executor.errors import BadInput
from manager.core import admission
from manager.core.scheduler import Scheduler
from tests.unit.manager.builders import UID, granted, live_job, no_pool, settings, take, task
from tests.unit.manager.core.test_admission import found


def test_it_is_refused_with_the_setting() -> None:
    with pytest.raises(
        BadInput, match=r"tasks\[0\]\.timeout: 1e\+300 is more .*604800 \(setting `max_timeout`\)"
    ):
        admission.take(found(task("a", timeout=1e300)), UID, settings())


def test_a_record_with_it_has_the_ceiling() -> None:
    assert granted(task("a", timeout=1e300)).timeout == 604_800
    assert granted(task("a"), timeout=99.0, max_timeout=5.0).timeout == 5


def test_a_neighbour_gets_a_runner_while_what_a_task_has_queued_has_all_that_it_may() -> None:
    queued = [task(f"t{number}").model_copy(update={"parent": "a"}) for number in range(8)]
    stuck = live_job(*queued, uid="a" * 32, name="stuck")
    who = Scheduler("home", settings(max_runners=6), no_pool())
    assert len(take([stuck], 6, who)) == 5
    neighbour = live_job(task("true"), uid="b" * 32, name="neighbour")
    assert take([stuck, neighbour], 6, who) == ["b.true"]


def test_the_operator_may_set_another_share() -> None:
    stuck = live_job(*(task(f"t{number}") for number in range(8)))
    assert len(take([stuck], 6, Scheduler("home", settings(max_runners=6, job_runners=2), no_pool()))) == 2
