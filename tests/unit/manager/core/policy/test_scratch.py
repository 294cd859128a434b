"""How much room a task may have, and where."""

from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.attempts import Grant
from air_executor.format.models import TaskSpec
from manager.core import policy
from manager.core.policy.bounds import Parent
from tests.unit.manager.builders import OWNER, settings, task

RULES = settings(mounts={"d": {"path": "/srv/d"}}, max_scratch_mb=1000, memory_mb=512)
DISK = {"size_mb": 900, "on": "disk"}


def grant(**fields: Any) -> Grant:
    return policy.grant(task("a", **fields), OWNER, "net", fields.pop("rules", RULES))


def test_what_is_asked_for_is_granted() -> None:
    found = grant(scratch={"/s": 10, "/t": DISK}, resources={"tmp_mb": 7, "shm_mb": 5})
    assert [(each.place, each.size_mb, each.on) for each in found.scratch] == [
        ("/s", 10, "memory"),
        ("/t", 900, "disk"),
    ]
    assert (found.tmp_mb, found.shm_mb) == (7, 5)


def test_who_asks_for_nothing_has_nothing_of_it_in_the_record() -> None:
    said = grant().model_dump(exclude_defaults=True, exclude_none=True)
    assert not {"mounts", "scratch", "shm_mb"} & set(said)
    assert said["tmp_mb"] == RULES.tmp_mb


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"scratch": {"/s": 101, "/t": DISK}}, "scratch: 1001 MiB in all .*1000 .*`max_scratch_mb`"),
        ({"scratch": {"/s": 513}}, "scratch: 513 MiB .* in memory .*512 MiB.*resources.memory_mb"),
        ({"resources": {"tmp_mb": 600}}, "resources.tmp_mb: 600 MiB .* in memory"),
        ({"resources": {"shm_mb": 33, "memory_mb": 32}}, "resources.shm_mb: 33 MiB .* 32 MiB"),
        (
            {"resources": {"tmp_mb": 300, "shm_mb": 300}},
            r"tmp_mb: 600 MiB .*resources.tmp_mb, resources.shm_mb",
        ),
        ({"scratch": {"/s": 1, "/s/t": 1}}, "scratch: /s/t lies in /s"),
        ({"scratch": {"/mnt": 1}, "mounts": ["d"]}, "mounts: /mnt/d lies in /mnt"),
        ({"scratch": {"/d": 1}, "mounts": {"d": "/d"}}, "mounts: /d lies in /d"),
    ],
    ids=str,
)
def test_what_can_not_be_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        policy.check(task("a", **fields), OWNER, RULES)


def test_who_says_nothing_may_have_less_memory_than_tmp_has_room_for() -> None:
    policy.check(task("a", resources={"memory_mb": 6}), OWNER, RULES)


def test_a_record_gets_no_more_than_is_allowed_today() -> None:
    rules = settings(max_scratch_mb=15, max_memory_mb=32)
    asked = task("a", scratch={"/s": 10, "/t": 10, "/u": 10}, resources={"tmp_mb": 99, "shm_mb": 99})
    found = policy.grant(asked, OWNER, "net", rules)
    assert [(each.place, each.size_mb) for each in found.scratch] == [("/s", 10), ("/t", 5)]
    assert (found.tmp_mb, found.shm_mb) == (32, 32)


def child(parent: dict[str, Any], **fields: Any) -> TaskSpec:
    of = Parent.of(task("p", **parent), 1, OWNER, frozenset(), RULES)
    return policy.bounded(TaskSpec(id="c", command="true", **fields), of, OWNER, RULES)


def test_what_a_task_queues_has_no_larger_tmp_where_that_is_small() -> None:
    found = child({"resources": {"tmp_mb": 3, "shm_mb": 2}})
    assert (found.resources.tmp_mb, found.resources.shm_mb) == (3, 2)
    assert child({"scratch": {"/s": 5, "/t": DISK}}, scratch={"/x": 5}).scratch.keys() == {"/x"}


@pytest.mark.parametrize(
    ("parent", "fields", "words"),
    [
        ({}, {"scratch": {"/s": 1}}, "scratch: 1 MiB in memory .* task 'p'"),
        ({"scratch": {"/s": 5}}, {"scratch": {"/a": 3, "/b": 3}}, "scratch: 6 MiB in memory .*: 5"),
        ({"scratch": {"/s": 5}}, {"scratch": {"/a": {"size_mb": 5, "on": "disk"}}}, "5 MiB on disk .*: 0"),
        ({}, {"resources": {"tmp_mb": 65}}, "resources.tmp_mb: 65 .* 64"),
        ({}, {"resources": {"shm_mb": 65}}, "resources.shm_mb: 65 .* 64"),
    ],
    ids=str,
)
def test_what_a_task_queues_gets_no_more(parent: dict[str, Any], fields: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        child(parent, **fields)
