"""An engine that does not answer is asked again."""

from collections.abc import Iterator

import pytest

from manager.engine.contract import ContainerGone, EngineError, EngineUnavailable
from manager.engine.retry import Patience, Stopped
from manager.model.facts import EngineChanged, Fact

AWAY = EngineUnavailable("nobody there")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manager.engine.retry.FIRST_PAUSE", 0.0)
    monkeypatch.setattr("manager.engine.retry.LONGEST_PAUSE", 0.0)


@pytest.fixture
def told() -> list[Fact]:
    return []


@pytest.fixture
def patience(told: list[Fact]) -> Patience:
    return Patience(told.append)


class Call:
    """Each call of it comes to the next of these ends."""

    def __init__(self, *ends: EngineError | str) -> None:
        self._ends: Iterator[EngineError | str] = iter(ends)

    def __call__(self) -> str:
        end = next(self._ends)
        if isinstance(end, EngineError):
            raise end
        return end


def test_a_call_is_made_again_until_it_is_answered_and_each_silence_is_told(
    patience: Patience, told: list[Fact]
) -> None:
    assert patience.again(Call(AWAY, AWAY, "done")) == "done"
    assert told == [EngineChanged(False, "nobody there")] * 2


def test_a_refusal_is_an_answer(patience: Patience, told: list[Fact]) -> None:
    with pytest.raises(EngineError, match="no space left"):
        patience.again(Call(EngineError("no space left"), "done"))
    assert told == []


def test_what_must_be_done_is_asked_for_again_when_the_engine_refuses(patience: Patience) -> None:
    assert patience.surely(Call(EngineError("no space left"), AWAY, "done")) == "done"


def test_nothing_is_done_to_a_container_that_is_gone(patience: Patience) -> None:
    with pytest.raises(ContainerGone):
        patience.surely(Call(ContainerGone("no such container"), "done"))


def test_no_call_is_made_again_once_the_manager_stops(patience: Patience) -> None:
    patience.end()
    assert patience.over
    assert patience.again(Call("done")) == "done"
    with pytest.raises(Stopped):
        patience.again(Call(AWAY, "done"))
