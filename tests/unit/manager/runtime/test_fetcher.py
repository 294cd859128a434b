"""Images are fetched beside all else, and each fetch has an outcome."""

from collections.abc import Callable

import pytest

from air_executor.format.attempts import Cause
from manager.engine.contract import EngineError, EngineUnavailable, ImageMissing
from manager.engine.retry import Retry
from manager.model.facts import Fact, ImageFetched
from manager.model.values import ImageOrder
from manager.runtime.fetcher import Fetcher
from tests.fakes.engine import FakeEngine

ORDER = ImageOrder("air-executor-runner:latest", 1)


def at_once(name: str, call: Callable[[], None]) -> None:
    call()


def fetched(
    engine: FakeEngine, run_alone: Callable[[str, Callable[[], None]], None] = at_once
) -> ImageFetched:
    facts: list[Fact] = []
    Fetcher(engine, Retry(lambda fact: None), run_alone, facts.append).fetch(ORDER)
    (fact,) = facts
    assert isinstance(fact, ImageFetched)
    assert (fact.image, fact.order) == (ORDER.image, ORDER)
    return fact


def test_what_is_here_has_no_problem() -> None:
    assert fetched(FakeEngine()).problem is None


@pytest.mark.parametrize(
    ("error", "cause", "words"),
    [
        (ImageMissing("there is none"), Cause.IMAGE, "there is none"),
        (EngineError("no room"), Cause.ENGINE, "no room"),
        (KeyError("of all things"), Cause.ENGINE, "KeyError: 'of all things'"),
    ],
)
def test_whatever_goes_wrong_is_its_problem(error: Exception, cause: Cause, words: str) -> None:
    engine = FakeEngine()

    def fetch(image: str) -> None:
        raise error

    engine.fetch = fetch  # type: ignore[method-assign]
    problem = fetched(engine).problem
    assert problem is not None
    assert (problem.cause, problem.message) == (cause, words)


def test_an_engine_that_is_away_is_asked_again() -> None:
    engine = FakeEngine()
    engine.refuse("fetch", EngineUnavailable("away"))
    assert fetched(engine).problem is None


def test_a_machine_that_gives_no_thread_is_a_problem_of_this_fetch() -> None:
    def none_left(name: str, call: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    problem = fetched(FakeEngine(), none_left).problem
    assert problem is not None
    assert (problem.cause, "can't start new thread" in problem.message) == (Cause.ENGINE, True)
