"""What can be done with an engine on this host, as it is found out by doing it."""

import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from manager.engine.contract import EngineError, EngineUnavailable, ImageMissing, Observation
from manager.gates.probe import Probe
from manager.model import container_spec
from manager.model.container_spec import GATED, ContainerSpec
from manager.model.containers import GATE_IN_IMAGE
from manager.model.home import Home
from manager.model.values import Capabilities
from tests.fakes import gates
from tests.fakes.engine import FakeEngine, Program
from tests.fakes.manager import HOME_ID
from tests.unit.manager.builders import settings

SEEN = ("test", "-f", "/work/seen")
"""What the probe has a container do behind its gate."""


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    made = FakeEngine()
    yield made
    made.check()


@pytest.fixture
def probe(tmp_path: Path, engine: FakeEngine) -> Iterator[Probe]:
    """One that leaves nothing behind, whatever it finds."""
    yield Probe(engine, Home(HOME_ID, tmp_path), settings(tmp_path))
    assert engine.names == []
    assert not (tmp_path / "probe").exists()
    assert {entry.name for entry in tmp_path.glob("gates/*")} <= {"bin"}


@pytest.fixture
def found(probe: Probe) -> Probe:
    """One that has got the gate."""
    probe.folders()
    return probe


class Clock:
    """One that can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def kept(home: Path) -> Path:
    return Home(HOME_ID, home).gate_program


def test_an_engine_that_sees_the_folder_is_fine_and_the_images_gate_is_kept(
    probe: Probe, tmp_path: Path
) -> None:
    probe.folders()
    assert kept(tmp_path).read_bytes() == b"gate"
    assert stat.S_IMODE(kept(tmp_path).stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "gates").stat().st_mode) == 0o700, "nobody else's business"
    assert [file.name for file in kept(tmp_path).parent.iterdir()] == ["gate"]


def test_an_image_without_a_gate_is_fine_and_that_is_said_when_it_is_asked_for(
    probe: Probe, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.has_gate = False
    probe.folders()
    assert not (tmp_path / "gates").exists()
    assert probe.capabilities().gates == f"the image air-executor-runner:latest has no {GATE_IN_IMAGE}"
    assert not [name for name, _ in engine.calls if name == "create"][1:], "nothing is tried"


def test_a_gate_that_is_kept_already_stays_the_same_file(found: Probe, tmp_path: Path) -> None:
    """Containers that wait have it mounted."""
    before = kept(tmp_path).stat()
    found.folders()
    after = kept(tmp_path).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_gate_that_differs_takes_the_place_of_the_one_before_and_does_not_write_into_it(
    found: Probe, tmp_path: Path
) -> None:
    with kept(tmp_path).open("r+b") as mounted:
        mounted.write(b"older gate")
        mounted.flush()
        found.folders()
        mounted.seek(0)
        assert mounted.read() == b"older gate"
    assert kept(tmp_path).read_bytes() == b"gate"


def test_an_engine_that_does_not_see_the_folder_is_named(
    probe: Probe, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(engine, "_program", lambda spec: Program(exit_code=1))
    with pytest.raises(EngineError, match=f"does not see {tmp_path}/probe"):
        probe.folders()
    assert not kept(tmp_path).exists()


@pytest.mark.parametrize("call", ["create", "start", "wait", "observe", "read_file"])
def test_an_engine_that_goes_away_while_folders_are_looked_for_is_said_to(
    probe: Probe, engine: FakeEngine, call: str
) -> None:
    engine.refuse(call, EngineUnavailable("the container engine does not answer"))
    with pytest.raises(EngineUnavailable):
        probe.folders()


def test_a_gate_that_opens_is_fine(found: Probe, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[ContainerSpec] = []
    create = engine.create

    def noting(spec: ContainerSpec, network: ContainerSpec | None) -> Observation:
        asked.append(spec)
        return create(spec, network)

    monkeypatch.setattr(engine, "create", noting)
    assert found.capabilities().gates is None
    (spec,) = asked
    assert GATED in spec.labels and spec.labels[container_spec.ROLE] == "probe"
    assert found.capabilities().gates is None, "each try has folders of its own"


def test_a_gate_that_was_never_asked_for_is_not_there(probe: Probe) -> None:
    assert "has no" in str(probe.capabilities().gates)


def test_a_gate_that_leaves_when_it_is_told_anything_is_not_fine(found: Probe, engine: FakeEngine) -> None:
    engine.deaf_gates = 1
    problem = found.capabilities().gates
    assert problem is not None and "a gate said Never(" in problem and "short" in problem


def test_a_gate_that_finds_no_command_is_not_fine(found: Probe, engine: FakeEngine) -> None:
    engine.programs[SEEN] = Program(unusable="there is no command 'test' in the image")
    problem = found.capabilities().gates
    assert problem is not None and "a gate said Unusable(" in problem


def test_a_gate_where_nobody_waits_is_not_fine(
    found: Probe, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manager.gates.probe.GATE_LIMIT", 0.2)
    monkeypatch.setattr(engine, "_wait_at_gate", lambda box: None)
    assert found.capabilities().gates == "nobody waited at a gate"


def test_a_gate_that_does_not_answer_is_not_fine(found: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("manager.gates.probe.time", clock)

    def say_nothing(*_: object) -> None:
        clock.ahead += 3600  # the time is up, and not before it has its command

    monkeypatch.setattr(gates, "began", say_nothing)
    assert found.capabilities().gates == "a gate was opened and did not answer"


def test_a_container_that_waited_and_does_not_see_what_came_meanwhile_is_not_fine(
    found: Probe, engine: FakeEngine
) -> None:
    engine.programs[SEEN] = Program(exit_code=1)
    tried = found.capabilities()
    assert tried.gates is not None and "does not see" in tried.gates
    assert tried.warm == tried.gates


def test_where_gates_can_not_be_had_nothing_is_kept_warm(found: Probe, engine: FakeEngine) -> None:
    engine.deaf_gates = 1
    tried = found.capabilities()
    assert tried.gates is not None
    assert tried.warm == tried.gates


def test_a_gate_of_before_there_were_secrets_is_fine_but_for_those(found: Probe, engine: FakeEngine) -> None:
    engine.old_gates = True
    tried = found.capabilities()
    assert (tried.gates, tried.warm) == (None, None)
    assert tried.secrets is not None and "before there were secrets" in tried.secrets


def test_a_gate_that_hands_over_a_file_is_fine_for_secrets(found: Probe, engine: FakeEngine) -> None:
    assert found.capabilities().secrets is None
    assert [list(handed.files) for handed in engine.given.values()] == [["/run/secrets/probe"]]


def test_what_an_engine_says_that_it_can_not_do_is_not_tried(found: Probe, engine: FakeEngine) -> None:
    engine.able = Capabilities.without_gates("its containers have no folders")
    before = len(engine.calls)
    assert found.capabilities() == engine.able
    assert engine.calls[before:] == []


def test_an_engine_that_keeps_nothing_warm_is_believed_and_may_have_gates(
    found: Probe, engine: FakeEngine
) -> None:
    engine.able = Capabilities(gates=None, warm="its volumes have fixed places")
    assert found.capabilities() == engine.able


def test_a_fifo_that_can_not_be_made_is_an_answer(found: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted", "payload")

    monkeypatch.setattr("manager.gates.gate_folder.os.mkfifo", refuses)
    assert "Operation not permitted" in str(found.capabilities().gates)


@pytest.mark.parametrize("error", [ImageMissing("there is no image"), EngineError("no space left on device")])
@pytest.mark.parametrize("call", ["create", "start"])
def test_an_engine_that_refuses_is_told_of_in_its_own_words(
    found: Probe, engine: FakeEngine, call: str, error: EngineError
) -> None:
    engine.refuse(call, error)
    with pytest.raises(type(error), match=str(error)):
        found.capabilities()


@pytest.mark.parametrize("call", ["create", "start", "observe"])
@pytest.mark.parametrize("effect", ["lose_reply", "refuse"])
def test_an_engine_that_goes_away_while_a_gate_is_tried_leaves_nothing_behind(
    found: Probe, engine: FakeEngine, call: str, effect: str
) -> None:
    if effect == "refuse":
        engine.refuse(call, EngineUnavailable("the container engine does not answer"))
    else:
        engine.lose_reply(call)
    with pytest.raises(EngineUnavailable):
        found.capabilities()


def test_the_folders_of_a_gate_that_was_tried_go_even_when_the_engine_has_gone(
    found: Probe, engine: FakeEngine, tmp_path: Path
) -> None:
    """Its container is found by the sweep; nobody looks for its folders before the next restart."""
    engine.lose_reply("remove")
    with pytest.raises(EngineUnavailable):
        found.capabilities()
    assert [entry.name for entry in (tmp_path / "gates").iterdir()] == ["bin"]
