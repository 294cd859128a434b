"""A manager of which one part is dead does not go on: its process ends, and who started it starts another.

To end anywhere is safe, because the journal is written first. The reason is in the log.
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

EXIT_CODE = os.EX_SOFTWARE
"""By which whoever started it sees that it has not ended because somebody asked it to."""


@contextmanager
def vital_threads() -> Iterator[None]:
    """Until this is left, every thread is vital: an exception that nobody in it catches ends the process."""
    before = threading.excepthook
    threading.excepthook = _end
    try:
        yield
    finally:
        threading.excepthook = before


def _end(args: threading.ExceptHookArgs) -> None:
    """At once, by no ordinary way: what would be waited for may be what has died."""
    try:
        name = args.thread.name if args.thread is not None else "?"
        log.critical("the thread %r has died, and the manager ends with it", name, exc_info=args.exc_value)
        logging.shutdown()
    finally:
        os._exit(EXIT_CODE)
