"""How a task may have its image fetched, named and stopped: by the operator's settings, or its parent's."""

from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.models import TaskSpec
from manager.core import policy
from manager.core.policy.bounds import Parent
from tests.unit.manager.builders import OWNER, granted, settings, task

PINNED = "debian@sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("fields", "rules", "field", "setting"),
    [
        ({"pull": "always"}, {"pull": False}, "pull", "`pull`"),
        ({"stop_grace": 601.0}, {}, "stop_grace", "`max_stop_grace`"),
        ({"stop_grace": 11.0}, {"max_stop_grace": 1}, "stop_grace", "`max_stop_grace`"),
        ({"image": "debian:12"}, {"require_digest": True}, "image", "`require_digest`"),
        ({"image": "a/b@sha256"}, {"require_digest": True, "images": ("*",)}, "image", ""),
    ],
)
def test_a_refusal_names_field_and_setting(
    fields: dict[str, Any], rules: dict[str, Any], field: str, setting: str
) -> None:
    with pytest.raises(BadInput) as caught:
        policy.check(task(**fields), OWNER, settings(**rules), "tasks[0].")
    assert caught.value.field == f"tasks[0].{field}"
    assert setting in caught.value.rule


@pytest.mark.parametrize(
    ("fields", "rules"),
    [
        ({"pull": "always"}, {}),
        ({"pull": "never"}, {"pull": False}),
        ({"stop_grace": 600.0}, {}),
        ({"stop_grace": 0.0}, {"max_stop_grace": 0}),
        ({"stop_grace": 10.0}, {"max_stop_grace": 1}),
        ({"image": PINNED}, {"require_digest": True}),
        ({"image": PINNED.replace("@", ":12@")}, {"require_digest": True}),
        ({"image": "runner:1"}, {"require_digest": True, "runner_image": "runner:1"}),
        ({}, {"require_digest": True}),
        ({"image": PINNED}, {"images": ("debian:*",)}),
        ({"image": PINNED}, {"images": ("debian",)}),
        ({"image": PINNED}, {"images": ("debian@sha256:" + "a" * 64,)}),
    ],
)
def test_what_is_allowed(fields: dict[str, Any], rules: dict[str, Any]) -> None:
    policy.check(task(**fields), OWNER, settings(**rules))


def test_a_digest_is_no_tag() -> None:
    with pytest.raises(BadInput, match="`images`"):
        policy.check(task(image=PINNED.replace("@", ":12@")), OWNER, settings(images=("debian:12",)))


def test_what_a_record_asks_for_is_never_more_than_allowed_today() -> None:
    assert granted(task(stop_grace=86_400.0)).stop_grace == 600
    assert granted(task(stop_grace=5.0)).stop_grace == 5
    assert granted(task()).stop_grace is None
    assert not granted(task(pull="never")).pull


@pytest.mark.parametrize(
    "fields", [{"pull": "always"}, {"pull": "never"}, {"stop_grace": 5.0}, {"entrypoint": ["sh"]}]
)
def test_a_task_of_the_usual_image_keeps_its_warm_start(fields: dict[str, Any]) -> None:
    assert policy.is_usual(task(**fields), settings())


def child(parent: dict[str, Any], **fields: Any) -> TaskSpec:
    rules = settings()
    of = Parent.of(task("p", **parent), 1, OWNER, frozenset(), rules)
    return policy.bounded(TaskSpec(id="c", command="true", **fields), of, OWNER, rules)


def test_what_a_task_queues_gets_at_most_its_grace_and_no_pull() -> None:
    assert child({}).stop_grace is None
    assert child({"stop_grace": 2.0}).stop_grace == 2
    assert child({"stop_grace": 20.0}).stop_grace is None
    assert child({"stop_grace": 20.0}, stop_grace=20.0).stop_grace == 20
    assert child({}, pull="never", entrypoint=["sh"]).pull == "never"
    with pytest.raises(BadInput, match="task 'p' has"):
        child({}, stop_grace=11.0)
    with pytest.raises(BadInput, match="nothing is pulled for what a task queues"):
        child({"pull": "always"}, pull="always")


def test_no_registry_is_asked_for_what_was_queued_whatever_its_record_says() -> None:
    assert not policy.must_ask(task(pull="always", parent="p", request="r"))
    assert policy.must_ask(task(pull="always"))
