"""How much memory a task gets that does not say so."""

import pytest

from air_executor.errors import BadInput
from manager.core import policy
from manager.core.policy.memory import check_memory, usual_memory
from manager.model.values import UNKNOWN_HOST, Host
from tests.unit.manager.builders import OWNER, settings, task


def usual(has: int | None, **rules: int) -> int:
    return usual_memory(policy.on_host(settings(**rules), Host(cpus=2, memory_mb=has)))


@pytest.mark.parametrize(
    ("has", "runners", "expected"),
    [
        (1024, 10, 512),
        (4096, 10, 512),
        (24_105, 10, 1792),
        (24_105, 1, 8192),
        (1 << 20, 10, 8192),
        (65_536, 20, 2432),
        (None, 10, 512),
    ],
)
def test_it_is_a_share_of_the_host(has: int | None, runners: int, expected: int) -> None:
    assert usual(has, max_runners=runners) == expected


def test_it_is_the_same_where_the_host_tells_a_little_less() -> None:
    assert usual(24_105) == usual(24_104) == usual(24_100)


def test_what_the_operator_says_stands_whatever_the_host_has() -> None:
    assert usual(24_105, memory_mb=100) == 100


def test_before_the_host_is_known_it_is_what_small_ones_get() -> None:
    assert usual_memory(settings()) == 512
    assert policy.on_host(settings(), UNKNOWN_HOST) == settings()


def test_the_grant_has_it() -> None:
    rules = policy.on_host(settings(), Host(cpus=2, memory_mb=24_105))
    assert policy.grant(task("a"), OWNER, "net", rules).memory_mb == 1792


@pytest.mark.parametrize(("asked", "has"), [(None, 100), (100, 100), (1 << 20, None)])
def test_a_task_may_ask_for_what_the_host_has_or_anything_where_that_is_not_known(
    asked: int | None, has: int | None
) -> None:
    check_memory(task("a", resources={"memory_mb": asked}), Host(cpus=1, memory_mb=has))


def test_more_than_the_host_has_is_refused() -> None:
    words = r"tasks\[1\]\.resources\.memory_mb: 101 is more than the host has .* 100 MiB"
    with pytest.raises(BadInput, match=words):
        policy.check_host(task("a", resources={"memory_mb": 101}), Host(cpus=1, memory_mb=100), "tasks[1].")
