"""Fetches images: once however many ask for one at the same time, bounded in time, and told of as it goes on.

Knows in which words Docker tells of a pull, and nothing else of it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from air_executor.errors import quoted
from manager.engine.contract import EngineUnavailable, ImageMissing, Pull

A_PULL = 1800.0
"""Seconds that fetching an image may take."""
A_SILENCE = 600.0
"""Seconds for which the engine may say nothing of a pull: other pulls may have its places for downloads."""
TELL_EVERY = 1.0
"""Seconds between two words about the same pull."""
DONE = ("Pull complete", "Already exists")

Entry = dict[str, Any]
"""What the engine says about a pull is a stream of these."""


class Refused(Exception):
    """The engine, or the registry that it asks, does not give the image; the message is theirs."""


class NotHad(Exception):
    """A pull has ended without the image; the message says why."""


def with_remark(entries: Iterator[Entry], remark: str) -> Iterator[Entry]:
    """What the engine says, and this beside every complaint."""
    for entry in entries:
        yield entry | {"error": f"{str(entry['error']).strip()}; {remark}"} if "error" in entry else entry


class Images:
    """Safe to use from several threads."""

    def __init__(
        self,
        allowed: bool,
        find: Callable[[str], str | None],
        pull: Callable[[str], Iterator[Entry]],
        on_pull: Callable[[Pull], None],
    ) -> None:
        """`find` gives an image's id. `pull` has the engine fetch it; raises Refused, EngineUnavailable."""
        self._allowed = allowed
        self._find = find
        self._pull = pull
        self._on_pull = on_pull
        self._lock = threading.Lock()
        self._under_way: dict[str, _Fetch] = {}

    def fetch(self, image: str) -> None:
        """Return when it is here, whoever asked for it first. Raises ImageMissing, EngineUnavailable."""
        if not self._allowed:
            raise ImageMissing(
                f"there is no image {quoted(image)} here, and pulling is switched off; `docker pull` it"
            )
        try:
            self._fetch(image)
        except NotHad as error:
            why = f"there is no image {quoted(image)} here, and it can't be pulled: {error}"
            raise ImageMissing(why) from None
        self._check_here(image)

    def renew(self, image: str) -> None:
        """Return when it is here as its registry has it now. Raises ImageMissing, EngineUnavailable."""
        if not self._allowed:
            raise ImageMissing(
                f"the image {quoted(image)} is to be asked of its registry, as its task wants (`pull` is "
                '"always"), and pulling is switched off here'
            )
        try:
            self._fetch(image)
        except NotHad as error:
            raise ImageMissing(
                f"the image {quoted(image)} can't be asked of its registry, as its task wants (`pull` is "
                f'"always"): {error}'
            ) from None
        self._check_here(image)

    def _check_here(self, image: str) -> None:
        if self._find(image) is None:
            raise ImageMissing(f"there is no image {quoted(image)} here, and its registry did not give it")

    def give_up(self, image: str) -> None:
        """Nobody wants it any more: whoever waits for it gets ImageMissing, and the next pull is another."""
        with self._lock:
            fetch = self._under_way.pop(image, None)
        if fetch is not None:
            fetch.give_up()

    def _fetch(self, image: str) -> None:
        with self._lock:
            fetch = self._under_way.get(image)
            if fetch is None:
                fetch = self._under_way[image] = _Fetch(image, A_PULL, self._pull, self._on_pull)
        try:
            fetch.join()
        except EngineUnavailable:
            raise
        except Exception as error:
            raise NotHad(str(error)) from None
        finally:
            with self._lock:
                if self._under_way.get(image) is fetch:
                    del self._under_way[image]


class _Fetch:
    """One pull. It has a thread of its own, because a registry may say nothing for ever."""

    def __init__(
        self,
        image: str,
        seconds: float,
        pull: Callable[[str], Iterator[Entry]],
        on_pull: Callable[[Pull], None],
    ) -> None:
        self._pull = pull
        self._on_pull = on_pull
        self._seconds = seconds
        self._began = time.monotonic()
        self._told = self._began
        self._progress = Progress(image)
        self._problem: Exception | None = None
        self._answered = threading.Event()
        self._telling = threading.Lock()
        self._over = False
        on_pull(self._progress.pull(0.0))
        threading.Thread(target=self._run, name=f"pull {image}", daemon=True).start()

    def join(self) -> None:
        """Return when the image was fetched. Raises what went wrong."""
        self._answered.wait(self._began + self._seconds - time.monotonic())
        self._end()
        if self._problem is not None:
            raise self._problem

    def give_up(self) -> None:
        """End it, however far it is."""
        with self._telling:
            if not self._answered.is_set():
                self._problem = Refused("nobody wants it any more")
                self._answered.set()

    def _run(self) -> None:
        problem: Exception | None = None
        try:
            for entry in self._pull(self._progress.image):
                self._progress.take(entry)
                self._tell()
                if self._over or self._answered.is_set():  # the engine ends a pull that nobody listens to
                    return
        except Exception as error:
            problem = error
        with self._telling:
            if not self._over and not self._answered.is_set():
                self._problem = problem
                self._answered.set()

    def _tell(self) -> None:
        with self._telling:
            now = time.monotonic()
            if now - self._told >= TELL_EVERY and not self._over:
                self._told = now
                self._on_pull(self._progress.pull(now - self._began))

    def _end(self) -> None:
        """Of those who wait, the first one tells that it is over; nothing is told after that."""
        with self._telling:
            if self._over:
                return
            self._over = True
            if not self._answered.is_set():
                self._problem = TimeoutError(f"its registry did not give it within {self._seconds:g} s")
            self._on_pull(self._progress.end(time.monotonic() - self._began, self._problem))


class Progress:
    """How far a pull is, by what the engine has said about it so far."""

    def __init__(self, image: str) -> None:
        self.image = image
        self._layers: dict[str, _Layer] = {}

    def take(self, entry: Entry) -> None:
        """The next thing that the engine says. Raises Refused."""
        if "error" in entry:
            raise Refused(str(entry["error"]).strip())
        if "progressDetail" not in entry or "id" not in entry:  # about the image, not about a layer of it
            return
        layer = self._layers.setdefault(entry["id"], _Layer())
        layer.take(entry.get("status"), entry["progressDetail"] or {})

    def pull(self, seconds: float) -> Pull:
        """So far, `seconds` after it began."""
        layers = list(self._layers.values())  # another thread may add one
        return Pull(
            image=self.image,
            seconds=seconds,
            layers=len(layers),
            layers_done=sum(layer.done for layer in layers),
            bytes=sum(layer.bytes for layer in layers),
            bytes_done=sum(layer.bytes_done for layer in layers),
        )

    def end(self, seconds: float, problem: Exception | None) -> Pull:
        """All of it, after `seconds`; `problem` is why the image is not here."""
        return replace(self.pull(seconds), ended=True, problem=str(problem) if problem else None)


class _Layer:
    """One layer of a pull. It has no bytes where it was here before, and none yet before its turn."""

    def __init__(self) -> None:
        self.done = False
        self.bytes = 0
        self.bytes_done = 0

    def take(self, status: object, detail: Entry) -> None:
        """The next that the engine says about it. What it says of unpacking counts the same bytes again."""
        if status == "Downloading":
            self.bytes_done = max(0, detail.get("current", 0))
            self.bytes = max(self.bytes_done, detail.get("total", 0))
        elif status in ("Download complete", *DONE):
            self.bytes_done = self.bytes
        self.done = status in DONE
