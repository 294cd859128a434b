"""What an image says of itself, and an engine that does not tell."""

from manager.engine.contract import EngineError, EngineUnavailable
from manager.engine.of_image import of_image
from manager.engine.retry import Retry
from manager.model.facts import Fact
from manager.model.image_facts import ImageFacts
from tests.fakes.engine import FakeEngine

IMAGE = "sha256:air-executor-runner:latest"


def test_an_engine_that_does_not_answer_is_asked_again() -> None:
    engine, told = FakeEngine(), list[Fact]()
    engine.facts_of[IMAGE] = ImageFacts(stop_signal="SIGINT")
    engine.refuse("image_facts", EngineUnavailable("away"))
    assert of_image(engine, Retry(told.append), IMAGE) == engine.facts_of[IMAGE]
    assert len(told) == 1


def test_one_that_refuses_leaves_it_unknown() -> None:
    engine = FakeEngine()
    engine.refuse("image_facts", EngineError("its store is damaged"))
    assert of_image(engine, Retry(lambda fact: None), IMAGE) is None
