"""Which of the operator's mounts a task may have."""

from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.models import TaskSpec
from manager.core import policy
from manager.core.policy.bounds import Parent
from manager.model.values import Owner
from tests.unit.manager.builders import OWNER, settings, task

DECLARED = {
    "datasets": {"path": "/srv/datasets/"},
    "out": {"path": "/srv/out", "read_only": False, "at": "/out"},
    "team": {"volume": "team", "users": ["7"]},
    "pip": {"cache": True, "size_mb": 70},
}
RULES = settings(mounts=DECLARED)


def grant(**fields: Any) -> list[tuple[str, str, str, bool]]:
    rules = fields.pop("rules", RULES)
    granted = policy.grant(task("a", **fields), OWNER, "net", rules).mounts
    return [(each.kind, each.source, each.place, each.read_only) for each in granted]


def test_a_name_stands_for_what_the_operator_says() -> None:
    assert grant(mounts=["datasets", "out", "pip"]) == [
        ("path", "/srv/datasets", "/mnt/datasets", True),
        ("path", "/srv/out", "/out", False),
        ("cache", "", "/mnt/pip", False),
    ]


def test_a_task_may_have_it_elsewhere_and_with_less() -> None:
    asked = {"datasets": "/data", "out": {"read_only": True}}
    assert grant(mounts=asked) == [
        ("path", "/srv/datasets", "/data", True),
        ("path", "/srv/out", "/out", True),
    ]


@pytest.mark.parametrize(
    ("mounts", "words"),
    [
        (
            ["dataset"],
            "mounts.dataset: is no mount here; .*config.toml.*setting `mounts`.; did you mean `datasets`",
        ),
        (["x" * 200], f"mounts.{'x' * 79}…: is no mount here; the operator declares"),
        (["team"], "mounts.team: is not for user 1000:1000.*setting `mounts.team.users`"),
        (
            {"datasets": {"read_only": False}},
            "mounts.datasets.read_only: can't be written to.*setting `mounts.datasets.read_only`",
        ),
    ],
    ids=str,
)
def test_what_the_operator_does_not_allow_is_refused(mounts: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        policy.check(task("a", mounts=mounts), OWNER, RULES)


def test_users_are_those_that_the_task_runs_as() -> None:
    rules = settings(mounts=DECLARED, users=("7",))
    policy.check(task("a", mounts=["team"], user="7"), OWNER, rules)
    policy.check(task("a", mounts=["team"]), Owner(7, 7), rules)
    assert grant(mounts=["team"], user="7", rules=rules) == [("volume", "team", "/mnt/team", True)]


def test_who_a_job_has_for_itself_is_known_at_its_turn_only() -> None:
    rules = settings(mounts=DECLARED, job_uids="20000-29999")
    policy.check(task("a", mounts=["team"]), OWNER, rules)
    assert grant(mounts=["team"], rules=rules)[0][0] == "withdrawn"


@pytest.mark.parametrize(
    "declared",
    [
        {},
        {"datasets": {"path": "/srv/datasets", "users": ["7"]}},
        {"datasets": {"path": "/srv/datasets"}},
    ],
)
def test_a_record_gets_nothing_that_is_not_allowed_today(declared: dict[str, Any]) -> None:
    asked = {"datasets": {"path": "/data", "read_only": False}}
    assert grant(mounts=asked, rules=settings(mounts=declared)) == [("withdrawn", "", "/data", True)]


def test_a_task_with_mounts_is_not_the_usual_one_and_one_without_is() -> None:
    assert not policy.is_usual(task("a", mounts=["datasets"]), RULES)
    assert policy.is_usual(task("a"), RULES)


def child(parent: dict[str, Any], **fields: Any) -> TaskSpec:
    of = Parent.of(task("p", **parent), 1, OWNER, frozenset(), RULES)
    return policy.bounded(TaskSpec(id="c", command="true", **fields), of, OWNER, RULES)


def test_what_a_task_queues_has_its_mounts_and_only_reads_what_it_only_reads() -> None:
    found = child({"mounts": {"out": {"read_only": True}, "pip": "/pip"}}, mounts={"out": "/o", "pip": "/p"})
    assert (found.mounts["out"].read_only, found.mounts["pip"].read_only) == (True, None)
    assert child({"mounts": ["out"]}).mounts == {}


@pytest.mark.parametrize(
    ("parent", "asked", "words"),
    [
        ({}, ["datasets"], "mounts.datasets: is none of the mounts of task 'p'"),
        ({"mounts": ["out"]}, ["datasets"], "mounts.datasets: is none of"),
        (
            {"mounts": {"out": {"read_only": True}}},
            {"out": {"read_only": False}},
            "task 'p'.*can only read it",
        ),
    ],
    ids=str,
)
def test_what_a_task_queues_gets_no_more(parent: dict[str, Any], asked: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        child(parent, mounts=asked)
