"""What tasks may send to is found out before the first network is made, and nothing is pretended."""

from pathlib import Path
from typing import Any

import pytest

from manager.engine import host_network
from manager.engine.contract import EngineError, EngineUnavailable
from manager.engine.host_network import HostNetwork
from manager.model import containers
from manager.model.container_spec import GUARD
from manager.model.container_spec import HOME_ID as HOME
from manager.model.home import Home
from tests.fakes.engine import FakeEngine, Program
from tests.fakes.manager import HOME_ID
from tests.unit.manager.builders import network, settings


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


def a_network(engine: FakeEngine, path: Path, **fields: Any) -> HostNetwork:
    return HostNetwork(engine, Home(HOME_ID, path), settings(path, **fields))


def test_a_network_is_shut_against_the_addresses_that_the_engines_host_has(
    engine: FakeEngine, tmp_path: Path
) -> None:
    found = a_network(engine, tmp_path)
    found.look()
    holder = found.guarded(network())
    assert (found.addresses, found.problem) == (("192.0.2.2",), None)
    assert holder.command[:2] == (containers.NETGUARD_IN_IMAGE, "65534")
    assert "-192.0.2.2" in holder.command
    assert holder.capabilities == containers.NETGUARD_POWERS
    assert GUARD in holder.labels
    assert engine.names == []
    engine.check()


def test_before_a_look_no_network_is_made(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_network, "PATIENCE", 0.01)
    with pytest.raises(EngineUnavailable):
        a_network(engine, tmp_path).guarded(network())


def test_where_the_addresses_can_not_be_learned_that_is_said_and_the_rest_is_done(
    engine: FakeEngine, tmp_path: Path
) -> None:
    engine.programs[containers.ADDRESSES] = Program(start_fails="there is no command 'cat'")
    found = a_network(engine, tmp_path)
    found.look()
    assert found.problem is not None and "by addresses other than their bridge's" in found.problem
    assert "-link" in found.guarded(network()).command
    assert engine.names == []


LACKING = [
    Program(start_fails="there is no such command"),
    Program(exit_code=69, output=b"netguard: the kernel takes no packet rules: Operation not supported\n"),
    Program(exit_code=69),
]


@pytest.mark.parametrize("program", LACKING, ids=["no program", "refused", "silent"])
def test_where_networks_can_not_be_shut_that_is_said_and_nothing_is_pretended(
    engine: FakeEngine, tmp_path: Path, program: Program
) -> None:
    engine.netguard = program
    found = a_network(engine, tmp_path)
    found.look()
    assert found.problem is not None and "tasks reach the host and each other" in found.problem
    assert found.guarded(network()) == network()
    assert engine.names == []


@pytest.mark.parametrize("egress", ["none", ["192.0.2.0/24"]], ids=str)
def test_an_egress_that_can_not_be_kept_to_stands_in_the_way_of_all_work(
    engine: FakeEngine, tmp_path: Path, egress: object
) -> None:
    engine.netguard = LACKING[0]
    found = a_network(engine, tmp_path, egress=egress)
    with pytest.raises(EngineError, match="the setting egress can't be kept to"):
        found.look()
    assert found.stale


def test_addresses_are_learned_anew_after_a_while_and_known_ones_outlast_a_failure(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = a_network(engine, tmp_path)
    assert found.stale
    found.look()
    assert not found.stale
    monkeypatch.setattr(host_network, "FRESH", -1)
    assert found.stale
    engine.programs[containers.ADDRESSES] = Program(output=b"|-- 192.0.2.3\n/32 host LOCAL\n")
    found.look()
    assert "-192.0.2.3" in found.guarded(network()).command
    engine.refuse("create", EngineError("no"))
    found.look()
    assert "-192.0.2.3" in found.guarded(network()).command


def test_what_guards_a_network_hears_that_there_is_a_manager_now_and_then(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = a_network(engine, tmp_path)
    found.look()
    guards, plain = found.guarded(network()), network("f" * 32)
    for spec in (guards, plain):
        engine.start(engine.create(spec, None))

    def signals() -> list[tuple[str, str]]:
        found.give_sign(engine.containers(guards.labels[HOME]))
        return [call for call in engine.calls if call[0] == "signal"]

    assert len(signals()) == 1
    assert len(signals()) == 1, "it was given just now"
    monkeypatch.setattr(host_network, "SIGN_OF_LIFE", 0)
    assert len(signals()) == 2
    engine.check()
