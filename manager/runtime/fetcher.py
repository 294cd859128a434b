"""Fetches images, each in a thread of its own: a registry may say nothing for ever."""

import logging
from collections.abc import Callable
from functools import partial

from air_executor.clock import utc_now
from air_executor.format.attempts import Cause, Failure
from manager.engine.contract import Engine, EngineError
from manager.engine.retry import Retry, Stopped
from manager.model.facts import Fact, ImageFetched
from manager.model.values import ImageOrder

log = logging.getLogger(__name__)


class Fetcher:
    """Threads are made by `run_alone`; every outcome goes to `emit`."""

    def __init__(
        self,
        engine: Engine,
        retry: Retry,
        run_alone: Callable[[str, Callable[[], None]], None],
        emit: Callable[[Fact], None],
    ) -> None:
        self._engine = engine
        self._retry = retry
        self._run_alone = run_alone
        self._emit = emit

    def fetch(self, order: ImageOrder) -> None:
        """Have the image here. Its ImageFetched comes in any case, unless it is given up."""
        try:
            self._run_alone(f"fetch {order.image}", partial(self._fetch, order))
        except RuntimeError as error:  # the machine gives no further thread
            self._tell(order, Failure(cause=Cause.ENGINE, message=f"it can't be fetched now: {error}"))

    def give_up(self, order: ImageOrder) -> None:
        """Nobody wants the image any more."""
        self._engine.stop_fetching(order.image)

    def _fetch(self, order: ImageOrder) -> None:
        ask = self._engine.renew if order.renew else self._engine.fetch
        self._tell(order, self._problem(order.image, ask))

    def _tell(self, order: ImageOrder, problem: Failure | None) -> None:
        self._emit(ImageFetched(image=order.image, order=order, problem=problem, at=utc_now()))

    def _problem(self, image: str, ask: Callable[[str], None]) -> Failure | None:
        """Why it is not here."""
        try:
            self._retry.until_answered(lambda: ask(image))
        except EngineError as error:
            return Failure(cause=error.cause, message=str(error))
        except Stopped:
            raise
        except Exception as error:
            log.exception("image=%s can't be fetched", image)
            return Failure(cause=Cause.ENGINE, message=f"{type(error).__name__}: {error}")
        return None
