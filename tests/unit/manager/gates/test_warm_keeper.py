"""What is asked of the engine about a warm container, and when."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from air_executor.format.attempts import Attempt, Container, Phase, Timings
from manager.engine.contract import EngineError, EngineUnavailable
from manager.engine.host_network import HostNetwork
from manager.engine.retry import Retry
from manager.folder.pace import USUAL
from manager.gates import warm_keeper
from manager.gates.warm_keeper import WarmKeeper
from manager.model import containers
from manager.model.assignment import Assignment
from manager.model.home import Home
from manager.model.values import WarmContainer, WarmOrder
from manager.settings import Settings
from tests.fakes.engine import FakeEngine
from tests.fakes.manager import HOME_ID
from tests.unit.manager.builders import OWNER, container, granted, key, settings, task


@dataclass
class Room:
    """A warm container that waits, and a job that has got it."""

    engine: FakeEngine
    keeper: WarmKeeper
    warm: WarmContainer
    assignment: Assignment

    def ask(self) -> None:
        for question in self.keeper.prefetch(self.warm.name, self.assignment.attempt.container.image):
            question()

    def asked(self, assignment: Callable[[], object]) -> list[str]:
        """The questions that the engine is asked meanwhile."""
        before = len(self.engine.calls)
        assignment()
        return [name for name, _ in self.engine.calls[before:]]

    def vouch(self) -> None:
        self.keeper.vouch_for(self.assignment)


def looked_at(engine: FakeEngine, home: Home, rules: Settings) -> HostNetwork:
    network = HostNetwork(engine, home, rules)
    network.look()
    return network


@pytest.fixture
def room(tmp_path: Path) -> Room:
    home, rules, engine = Home(HOME_ID, tmp_path), settings(tmp_path), FakeEngine({})
    program = home.gate_program
    program.parent.mkdir(parents=True)
    program.touch()
    jobs = tmp_path / "jobs"
    (jobs / "job").mkdir(parents=True)
    home.works.mkdir()
    keeper = WarmKeeper(engine, home, rules, looked_at(engine, home, rules), Retry(lambda fact: None), USUAL)
    ready = keeper.make(WarmOrder("warm", OWNER))
    assert isinstance(ready, warm_keeper.WarmReady), ready
    return Room(engine, keeper, ready.warm, an_assignment(jobs / "job", home, ready.warm, rules.runner_image))


def an_assignment(folder: Path, home: Home, warm: WarmContainer, image: str) -> Assignment:
    bare = task("a")
    attempt = Attempt(
        number=1,
        incarnation=1,
        phase=Phase.WAITING,
        start="warm",
        warm=warm.name,
        container=Container(name="airx", image=image, id=warm.container_id, image_id=warm.image_id),
        timings=Timings(created_at=warm.created_at, container_started_at=warm.container_started_at),
    )
    spec = container(bare, key(), folder, home=home)
    gate = home.gate(warm.name)
    return Assignment(
        key(),
        folder,
        home.work(warm.name),
        bare.model_copy(update={"attempts": (attempt,)}),
        granted(bare),
        spec,
        gate,
        None,
    )


def test_without_a_question_before_the_engine_is_asked_when_a_job_gets_it(room: Room) -> None:
    assert sorted(room.asked(room.vouch)) == ["image_id", "observe"]
    assert (room.assignment.folder / "work").is_dir()


def test_what_was_asked_before_is_not_asked_again(room: Room) -> None:
    assert sorted(room.asked(room.ask)) == ["image_id", "observe"]
    assert room.asked(room.vouch) == []


def test_an_answer_serves_once(room: Room) -> None:
    room.ask()
    room.vouch()
    assert sorted(room.asked(room.vouch)) == ["image_id", "observe"]


def test_an_old_answer_is_not_believed(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.ask()
    monkeypatch.setattr(warm_keeper, "FRESH", 0.0)
    room.engine.image_ids[room.assignment.attempt.container.image] = "sha256:another"
    with pytest.raises(EngineError, match="is another one now"):
        room.vouch()


@pytest.mark.parametrize("change", ["image", "network"])
def test_an_answer_that_speaks_against_the_warm_container_counts(room: Room, change: str) -> None:
    if change == "image":
        room.engine.image_ids[room.assignment.attempt.container.image] = "sha256:another"
    else:
        room.engine.kill(containers.warm_network_name(room.warm.name))
    room.ask()
    with pytest.raises(EngineError):
        room.vouch()
    assert not (room.assignment.folder / "work").exists()


def test_an_engine_that_did_not_answer_is_asked_again(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: Any) -> None:
        raise EngineUnavailable("it is away")

    with monkeypatch.context() as patched:
        patched.setattr(room.engine, "observe", silent)
        room.ask()
    with pytest.raises(EngineUnavailable):
        room.vouch()
    room.vouch()
    assert (room.assignment.folder / "work").is_dir()


def test_what_was_asked_for_nothing_is_not_kept(room: Room) -> None:
    room.ask()
    room.keeper.forget(room.warm.name)
    assert room.keeper._asked == {}
