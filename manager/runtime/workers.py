"""The threads that the manager's calls to the engine are made in.

Whoever hands in a call sees to its outcome, whatever it meets. Should a call raise nevertheless, its thread
dies, and with it the manager: the next one finds out by the journal what has no outcome.
"""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress

from manager.engine.retry import Retry, Stopped

POOL = 32


class Workers:
    """A pool of threads. They are daemons: a call that hangs does not keep the manager from ending."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def start(self) -> None:
        """Begin to work."""
        for number in range(POOL):
            threading.Thread(target=self._work, name=f"engine {number}", daemon=True).start()

    def stop(self) -> None:
        """Begin nothing new; what runs in containers goes on without us."""
        self._retry.stop()

    def submit(self, call: Callable[[], None]) -> None:
        """Have the call made as soon as a thread is free."""
        self._calls.put(call)

    def run_alone(self, name: str, call: Callable[[], None]) -> None:
        """Have the call made now, in a thread of its own: it may take as long as a container runs."""
        threading.Thread(target=_call, args=(call,), name=name, daemon=True).start()

    def _work(self) -> None:
        while not self._retry.stopping:
            _call(self._calls.get())


def _call(call: Callable[[], None]) -> None:
    with suppress(Stopped):
        call()
