"""`manager.log`: rotated, and the same lines on standard output."""

import logging
import logging.handlers
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from air_executor.daemon import LOG

LOG_BYTES = 10 << 20
LOG_FILES = 5
FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(message)s"


@contextmanager
def logging_to(home: Path) -> Iterator[None]:
    """Log to `manager.log`, rotated, and to standard output; times are UTC."""
    formatter = logging.Formatter(FORMAT, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    logging.raiseExceptions = False  # a log that can't be written is no reason for a traceback
    # Not in the format, and so not to be found out for each line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    file = _LogFile(home / LOG, maxBytes=LOG_BYTES, backupCount=LOG_FILES - 1)
    handlers: list[logging.Handler] = [file, logging.StreamHandler(sys.stdout)]
    root = logging.getLogger()
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    logging.getLogger("manager").setLevel(logging.INFO)
    try:
        yield
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


class _LogFile(logging.handlers.RotatingFileHandler):
    """Looks at its size only: the usual one formats each line twice and asks the disk twice, to know it."""

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - its name is given
        return self.stream is not None and self.stream.seekable() and self.stream.tell() >= self.maxBytes
