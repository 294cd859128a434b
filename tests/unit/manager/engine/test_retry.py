"""An engine that does not answer is asked again."""

from collections.abc import Iterator

import pytest

from manager.engine.contract import ContainerGone, EngineError, EngineUnavailable
from manager.engine.retry import Retry, Stopped
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
def retry(told: list[Fact]) -> Retry:
    return Retry(told.append)


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
    retry: Retry, told: list[Fact]
) -> None:
    assert retry.until_answered(Call(AWAY, AWAY, "done")) == "done"
    assert told == [EngineChanged(answers=False, description="nobody there")] * 2


def test_a_refusal_is_an_answer(retry: Retry, told: list[Fact]) -> None:
    with pytest.raises(EngineError, match="no space left"):
        retry.until_answered(Call(EngineError("no space left"), "done"))
    assert told == []


def test_what_must_be_done_is_asked_for_again_when_the_engine_refuses(retry: Retry) -> None:
    assert retry.until_done(Call(EngineError("no space left"), AWAY, "done")) == "done"


def test_nothing_is_done_to_a_container_that_is_gone(retry: Retry) -> None:
    with pytest.raises(ContainerGone):
        retry.until_done(Call(ContainerGone("no such container"), "done"))


def test_no_call_is_made_again_once_the_manager_stops(retry: Retry) -> None:
    retry.stop()
    assert retry.stopping
    assert retry.until_answered(Call("done")) == "done"
    with pytest.raises(Stopped):
        retry.until_answered(Call(AWAY, "done"))
