"""The container that holds a job's network is looked at once, and replaced when it is missed."""

from dataclasses import replace
from pathlib import Path

import pytest

from manager.engine.contract import EngineError, Status
from manager.engine.docker.network_holders import NetworkHolders
from manager.model import containers
from manager.model.container_spec import ContainerSpec, Network
from manager.model.home import Home
from manager.model.values import Guard
from tests.fakes.engine import FakeEngine, Program
from tests.unit.manager.builders import UID, container, key, network, settings, task

HOME = Home("the-home", Path("/home"))


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine({})


@pytest.fixture
def holders(engine: FakeEngine) -> NetworkHolders:
    return NetworkHolders(engine)


def a_network(uid: str = UID) -> ContainerSpec:
    return network(uid, HOME)


def test_it_is_made_for_the_first_who_asks_and_not_looked_at_for_the_next(
    engine: FakeEngine, holders: NetworkHolders
) -> None:
    first = holders.id_of(a_network())
    assert engine.observe(first).status is Status.RUNNING
    before = len(engine.calls)
    assert holders.id_of(a_network()) == first
    assert engine.calls[before:] == []


def test_each_job_has_its_own(holders: NetworkHolders) -> None:
    assert holders.id_of(a_network()) != holders.id_of(a_network("f" * 32))


def test_one_that_is_there_is_taken_however_it_was_asked_for(
    engine: FakeEngine, holders: NetworkHolders
) -> None:
    made = engine.create(replace(a_network(), memory_bytes=32 << 20), None)
    engine.start(made)
    assert holders.id_of(a_network()) == made


@pytest.mark.parametrize("by", ["id", "name"])
def test_one_that_has_ended_is_replaced_once_it_is_forgotten(
    engine: FakeEngine, holders: NetworkHolders, by: str
) -> None:
    first = holders.id_of(a_network())
    engine.signal(first, "SIGKILL")
    assert holders.id_of(a_network()) == first
    holders.forget(first if by == "id" else a_network().name)
    second = holders.id_of(a_network())
    assert second != first
    assert engine.observe(second).status is Status.RUNNING


@pytest.mark.parametrize("change", [{"status": Status.EXITED}, {"id": "another"}], ids=str)
def test_one_that_is_seen_to_have_ended_or_to_be_another_is_looked_at_again(
    engine: FakeEngine, holders: NetworkHolders, change: dict[str, str]
) -> None:
    first = holders.id_of(a_network())
    holders.review(replace(engine.observe(first), **change))
    engine.kill(first)
    assert holders.id_of(a_network()) != first


def test_one_that_is_seen_to_run_and_what_holds_no_network_change_nothing(
    engine: FakeEngine, holders: NetworkHolders
) -> None:
    first = holders.id_of(a_network())
    seen = engine.observe(first)
    holders.review(seen)
    holders.review(replace(seen, name="another", id="another", status=Status.EXITED))
    before = len(engine.calls)
    assert holders.id_of(a_network()) == first
    assert engine.calls[before:] == []


def test_to_forget_what_is_not_known_changes_nothing(holders: NetworkHolders) -> None:
    first = holders.id_of(a_network())
    holders.forget("another")
    assert holders.id_of(a_network()) == first


def test_those_that_a_list_of_what_runs_does_not_have_are_looked_at_again(
    engine: FakeEngine, holders: NetworkHolders
) -> None:
    first, other = holders.id_of(a_network()), holders.id_of(a_network("f" * 32))
    before = len(engine.calls)
    holders.keep([other])
    assert holders.id_of(a_network("f" * 32)) == other
    assert engine.calls[before:] == []
    assert holders.id_of(a_network()) == first, "it runs all the same"
    assert engine.calls[before:] != []


GUARD_ONE, GUARD_TWO = Guard(("+0.0.0.0/0",), "one"), Guard((), "two")


def guarded(guard: Guard = GUARD_ONE) -> ContainerSpec:
    return containers.guarded(a_network(), guard, settings())


def test_one_that_shuts_its_network_is_given_out_when_it_has_said_so(
    engine: FakeEngine, holders: NetworkHolders
) -> None:
    holder = holders.id_of(guarded())
    assert ("first_words", holder) in engine.calls


def test_one_that_can_not_shut_its_network_is_removed_and_why_is_said(
    engine: FakeEngine, holders: NetworkHolders
) -> None:
    engine.netguard = Program(output=b"netguard: no\n", exit_code=69)
    with pytest.raises(EngineError, match="can't be shut: netguard: no"):
        holders.id_of(guarded())
    assert engine.names == []


def test_one_that_is_found_running_and_has_not_shut_its_network_is_replaced(
    engine: FakeEngine, holders: NetworkHolders
) -> None:
    engine.netguard = Program(output=b"something else\n", seconds=None)
    old = engine.create(guarded(), None)
    engine.start(old)
    engine.netguard = Program(output=containers.GUARDED, seconds=None)
    assert holders.id_of(guarded()) != old


@pytest.mark.parametrize("old", [a_network(), guarded(GUARD_TWO)], ids=["unguarded", "by other settings"])
def test_one_that_other_settings_made_is_joined_only_while_tasks_run_in_it(
    engine: FakeEngine, holders: NetworkHolders, old: ContainerSpec
) -> None:
    held = engine.create(old, None)
    engine.start(held)
    network_of = Network("job", old.name)
    spec = replace(container(task("a"), key("a"), home=HOME), mounts=(), network=network_of)
    running = engine.plant(spec, status=Status.RUNNING)
    assert holders.id_of(guarded()) == held
    engine.kill(running)
    holders.forget(held)
    assert holders.id_of(guarded()) != held
