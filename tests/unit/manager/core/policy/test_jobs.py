"""What a job may ask for itself."""

from typing import Any

import pytest

from air_executor.clock import Instant
from air_executor.errors import BadInput
from air_executor.format.models import Job
from manager.core import policy
from tests.unit.manager.builders import T0, at, settings

NOW = Instant(boot="a", seconds=1000)


def job(**fields: Any) -> Job:
    return Job(id="1", name="job", created_at=T0, updated_at=T0, **fields)


@pytest.mark.parametrize(
    ("fields", "rules", "complaint"),
    [
        ({"priority": 1}, {}, r"job\.priority: 1 is more .* here: 0 \(setting `max_priority`\)"),
        ({"priority": -5}, {"max_priority": -10}, "max_priority"),
        ({"timeout": 61}, {"max_job_timeout": 60}, r"job\.timeout: 61 .* 60 \(setting `max_job_timeout`\)"),
    ],
)
def test_more_than_the_operator_allows_is_refused_with_the_setting(
    fields: dict[str, Any], rules: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(BadInput, match=complaint):
        policy.check_job(job(**fields), settings(**rules))


def test_what_is_allowed_is_not_refused() -> None:
    policy.check_job(job(timeout=1e300), settings())
    policy.check_job(job(priority=-100), settings())
    policy.check_job(job(priority=10, timeout=60), settings(max_priority=10, max_job_timeout=60))


@pytest.mark.parametrize(
    ("asked", "most", "seconds"), [(None, 0, None), (5, 0, 5), (None, 60, 60), (5, 60, 5), (90, 60, 60)]
)
def test_its_time_is_what_it_asks_for_or_what_is_allowed(
    asked: float | None, most: float, seconds: float | None
) -> None:
    limit = policy.time_limit(job(timeout=asked), settings(max_job_timeout=most), T0, NOW)
    assert (limit and limit.seconds) == seconds


def test_its_time_counts_by_boot_and_by_the_wall_clock_only_over_a_start_of_the_machine() -> None:
    limit = policy.time_limit(job(timeout=60), settings(), T0, NOW)
    assert limit is not None
    assert policy.time_left(limit, Instant(boot="a", seconds=1010), at(9999)) == 50
    assert policy.time_left(limit, Instant(boot="b", seconds=3), at(20)) == 40
    assert policy.time_left(limit, Instant(boot="b", seconds=3), at(-500)) == 60


def test_a_record_with_more_priority_has_what_is_allowed() -> None:
    assert policy.priority(job(priority=50), settings()) == 0
    assert policy.priority(job(priority=50), settings(max_priority=7)) == 7
    assert policy.priority(job(priority=-3), settings(max_priority=7)) == -3
    assert policy.priority(job(), settings(max_priority=7)) == 0
    assert policy.priority(job(), settings(max_priority=-7)) == -7
