"""What a task may have that another task queues: no more, whatever it says, and however long the chain."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from air_executor.errors import BadInput
from air_executor.format.attempts import Grant
from air_executor.format.models import Task, TaskSpec
from manager.core import policy
from manager.core.policy.bounds import BELOW, Parent
from manager.model.values import Owner
from tests.unit.manager.builders import OWNER, T0, after, claimed, key, settings, task

RULES = settings(
    networks=("db",), users=("7", "1000-2000"), queued_images=("queued:*",), runtimes=("runsc", "kata")
)


def parent(**fields: Any) -> Parent:
    return Parent.of(task("p", **fields), 1, OWNER, frozenset({"written:1"}), RULES)


def child(of: Parent, **fields: Any) -> TaskSpec:
    return policy.bounded(TaskSpec(id="c", command="true", **fields), of, OWNER, RULES)


def grant_of(spec: TaskSpec) -> Grant:
    return policy.grant(Task.of(spec, "job", T0), OWNER, "net", RULES)


def test_a_child_of_a_task_that_asks_for_nothing_is_as_it_was_asked_for() -> None:
    asked = TaskSpec(id="c", command="true")
    assert policy.bounded(asked, parent(), OWNER, RULES) == asked


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        ({"resources": {"memory_mb": 32}}, {"resources": {"memory_mb": 32}}),
        ({"resources": {"memory_mb": 4096}}, {}),
        ({"resources": {"cpus": 0.1, "pids": 20}}, {"resources": {"cpus": 0.1, "pids": 20}}),
        ({"timeout": 20.0}, {"timeout": 20.0}),
        ({"retries": 0}, {"retries": {"max": 0, "on": ["lost", "engine"]}}),
        ({"retries": 5}, {}),
        ({"network": "none"}, {"network": "none"}),
        ({"network": "private"}, {"network": "private"}),
        ({"network": "db"}, {"network": "db"}),
        ({"user": "7"}, {"user": "7:7"}),
        ({"image": "other:1"}, {}),
    ],
    ids=str,
)
def test_what_a_child_does_not_say_is_written_into_it_where_the_default_would_be_more(
    fields: dict[str, Any], written: dict[str, Any]
) -> None:
    assert child(parent(**fields)) == TaskSpec(id="c", command="true", **written)


@pytest.mark.parametrize(
    ("fields", "asked", "words"),
    [
        ({"resources": {"memory_mb": 32}}, {"resources": {"memory_mb": 33}}, "resources.memory_mb: 33 .* 32"),
        ({}, {"resources": {"memory_mb": 513}}, "resources.memory_mb: 513 is more than task 'p' has"),
        ({"resources": {"cpus": 0.5}}, {"resources": {"cpus": 1.0}}, "resources.cpus: 1 .* 0.5"),
        ({"resources": {"pids": 20}}, {"resources": {"pids": 4_000_000}}, "resources.pids: 4000000 .* 20"),
        ({"timeout": 20.0}, {"timeout": 1e300}, "timeout: 1e.300 .* 20"),
        ({}, {"retries": 2}, "retries: 2 .* 1"),
        ({"retries": 0}, {"retries": 1}, "retries: 1 .* 0"),
        ({"network": "none"}, {"network": "private"}, "network: 'private' .* none"),
        ({"network": "none"}, {"network": "job"}, "network: 'job' .* none"),
        ({"network": "private"}, {"network": "job"}, "network: 'job' .* private"),
        ({"network": "private"}, {"network": "db"}, "network: 'db' .* private"),
        ({}, {"network": "db"}, "network: 'db' .* job"),
        ({"network": "db"}, {"network": "job"}, "network: 'job' .* db"),
        ({}, {"user": "7"}, "user: '7' is not who task 'p' runs as, which asks for it: 1000:1000"),
        ({"user": "7"}, {"user": "1000"}, "user: '1000' is not who task 'p' runs as, which asks for it: 7:7"),
        (
            {},
            {"image": "127.0.0.1:47123/exfil/c2:k1"},
            "image: .* may not be asked for by task 'p'.*queued_images",
        ),
        (
            {},
            {"retries": {"max": 1, "memory_factor": 64, "memory_max_mb": 1024}},
            "retries.memory_max_mb: 1024 .* 512",
        ),
    ],
    ids=str,
)
def test_more_than_the_parent_has_is_refused_and_the_parent_named(
    fields: dict[str, Any], asked: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        child(parent(**fields), **asked)


@pytest.mark.parametrize("image", ["mine:1", "written:1", "air-executor-runner:latest", "queued:3", None])
def test_images_that_a_child_may_have(image: str | None) -> None:
    assert child(parent(image="mine:1"), image=image).image == image


def test_memory_that_grows_does_not_grow_past_the_parents() -> None:
    found = child(parent(resources={"memory_mb": 32}), retries={"max": 1, "memory_factor": 64})
    assert found.retries is not None
    assert found.retries.memory_max_mb == 32


def test_the_grant_of_the_attempt_counts_and_not_what_the_settings_say_today() -> None:
    of = after(claimed(key("a")))  # granted 512 MiB and 60 s
    rules = settings(memory_mb=8192, timeout=9999.0)
    bounds = Parent.of(of, 1, OWNER, frozenset(), rules)
    assert (bounds.memory_mb, bounds.timeout) == (512, 60)
    found = policy.bounded(TaskSpec(id="c", command="true"), bounds, OWNER, rules)
    assert (found.resources.memory_mb, found.timeout) == (512, 60)


def test_an_attempt_that_nobody_knows_has_what_its_task_asks_for() -> None:
    of = after(claimed(key("a")), of=task("a", network="none"))
    assert Parent.of(of, 7, OWNER, frozenset(), RULES).network == "none"


def test_what_a_parent_got_for_its_retries_its_children_have_only_if_they_ask() -> None:
    """So that a parent which is tried again asks for the same child in the same words."""
    of = after(claimed(key("a")), of=task("a", resources={"memory_mb": 32}))
    assert of.attempt is not None and of.attempt.grant is not None
    grown = of.attempt.model_copy(update={"grant": of.attempt.grant.model_copy(update={"memory_mb": 64})})
    bounds = Parent.of(of.model_copy(update={"attempts": (grown,)}), 1, OWNER, frozenset(), RULES)
    assert child(bounds).resources.memory_mb == 32
    assert child(bounds, resources={"memory_mb": 64}).resources.memory_mb == 64


WORDS = st.fixed_dictionaries(
    {},
    optional={
        "image": st.sampled_from(["written:1", "mine:1", "queued:1", "evil.example/x:1"]),
        "network": st.sampled_from(["job", "private", "none", "db"]),
        "user": st.sampled_from(["7", "7:7", "1000", "1000:1000", "1500"]),
        "timeout": st.floats(0.1, 100_000),
        "runtime": st.sampled_from(["default", "runsc", "kata"]),
        "ulimits": st.dictionaries(
            st.sampled_from(["nofile", "cpu", "stack"]), st.integers(1 << 17, 1 << 20)
        ),
        "retries": st.one_of(
            st.integers(0, 5),
            st.builds(
                lambda most, factor, up_to: {"max": most, "memory_factor": factor, "memory_max_mb": up_to},
                st.integers(0, 5),
                st.integers(1, 64),
                st.one_of(st.none(), st.integers(6, 9000)),
            ),
        ),
        "resources": st.fixed_dictionaries(
            {},
            optional={
                "memory_mb": st.integers(6, 2000),
                "cpus": st.floats(0.01, 4),
                "pids": st.integers(1, 1000),
            },
        ),
    },
)


@given(first=WORDS, chain=st.lists(WORDS, min_size=1, max_size=4))
def test_a_chain_of_requests_never_gains_anything(first: dict[str, Any], chain: list[dict[str, Any]]) -> None:
    before = TaskSpec(id="p", command="true", **first)
    for words in chain:
        having = Parent.of(Task.of(before, "job", T0), 1, OWNER, frozenset({"written:1"}), RULES)
        try:
            found = child(having, **words)
        except BadInput:
            continue
        had, has = grant_of(before), grant_of(found)
        assert has.user == had.user
        assert has.memory_mb <= had.memory_mb and has.cpus <= had.cpus and has.pids <= had.pids
        assert has.timeout <= had.timeout
        assert has.runtime == had.runtime
        for name, (soft, hard) in had.ulimits.items():
            assert soft >= 0 and has.ulimits[name][1] <= hard
        kinds = [
            grant.network.name if grant.network.kind == "named" else grant.network.kind
            for grant in (had, has)
        ]
        assert kinds[1] in BELOW.get(kinds[0], (kinds[0], "none"))
        task_before, task_found = Task.of(before, "job", T0), Task.of(found, "job", T0)
        assert task_found.policy.max <= task_before.policy.max
        if task_found.policy.memory_factor > 1:
            assert (task_found.policy.memory_max_mb or 0) <= had.memory_mb
        assert has.image in {had.image, "written:1", "queued:1", RULES.runner_image}
        before = found


@pytest.mark.parametrize("owner", [OWNER, Owner(0, 0), Owner(1000, 105)])
def test_a_child_runs_as_its_parent_does_whoever_owns_the_folder(owner: Owner) -> None:
    of = Parent.of(task("p"), 1, owner, frozenset(), RULES)
    asked = TaskSpec(id="c", command="true")
    assert policy.bounded(asked, of, owner, RULES).user is None
    assert of.user == policy.usual_user(owner, RULES)
