"""What an image says of itself, as far as the engine tells."""

from manager.engine.contract import Engine, EngineError
from manager.engine.retry import Retry
from manager.model.image_facts import ImageFacts


def of_image(engine: Engine, retry: Retry, image_id: str) -> ImageFacts | None:
    """None where the engine refuses to tell, or has it no more: that alone is no reason to fail."""
    try:
        return retry.until_answered(lambda: engine.image_facts(image_id))
    except EngineError:
        return None
