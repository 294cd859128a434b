"""`manager.log`: rotated, and the same lines on standard output.

What tasks and writers name stands in many records, so every record is escaped here, whoever made it: it is
one line, and no part of it can pass for another record or steer a terminal.
"""

import logging
import logging.handlers
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from air_executor.daemon import LOG
from air_executor.files import FILE_MODE, Readers, open_to
from air_executor.logs import escaped

LOG_BYTES = 10 << 20
LOG_FILES = 5
LONGEST = 4_000
"""Characters of a message that are kept; the files have the rest."""
REGROUPED = 30.0
"""Seconds after which it is seen to again who may read the log: set-up may choose the group meanwhile."""
FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(message)s"


ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


@contextmanager
def logging_to(home: Path, readers: Callable[[], Readers]) -> Iterator[None]:
    """Log to `manager.log`, rotated, and to standard output; times are UTC."""
    formatter = OneLine(FORMAT, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    logging.raiseExceptions = False  # a log that can't be written is no reason for a traceback
    # Not in the format, and so not to be found out for each line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    file = _LogFile(home / LOG, readers, LOG_BYTES, LOG_FILES)
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


class OneLine(logging.Formatter):
    """A record is one line; the lines of a traceback that follows begin with a bar, which no record does."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with what could end it or steer a terminal escaped; and the traceback, if any."""
        message = record.getMessage()
        if len(message) > LONGEST:
            message = message[:LONGEST] + "…"
        # Nothing of the record but this: another handler may have put its own text of the traceback there.
        plain = {"exc_info": None, "exc_text": None, "stack_info": None, "args": None}
        message = escaped(message).replace("\n", "\\n")
        line = super().format(logging.makeLogRecord(record.__dict__ | plain | {"msg": message}))
        if not record.exc_info or record.exc_info[0] is None:
            return line
        return line + "".join(f"\n  | {row}" for row in self._rows(record.exc_info))

    def _rows(self, trouble: ExcInfo) -> list[str]:
        """The traceback's rows; what it quotes may be a stranger's words."""
        return escaped(self.formatException(trouble)).split("\n")


class _LogFile(logging.handlers.RotatingFileHandler):
    """Looks at its size only: the usual one formats each line twice and asks the disk twice, to know it."""

    def __init__(self, file: Path, readers: Callable[[], Readers], size: int, count: int) -> None:
        """At most `count` files of that `size`, for those `readers`."""
        self._readers = readers
        self._regroup_at = 0.0
        super().__init__(file, maxBytes=size, backupCount=count - 1)
        for earlier in file.parent.glob(f"{file.name}.*"):  # an older manager let everybody read them
            with suppress(OSError):
                earlier.chmod(FILE_MODE)

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - its name is given
        if self.stream is None:
            return False
        if time.monotonic() >= self._regroup_at:
            self._regroup()
        return self.stream.seekable() and self.stream.tell() >= self.maxBytes

    def doRollover(self) -> None:  # noqa: N802 - its name is given
        super().doRollover()
        self._regroup()

    def _regroup(self) -> None:
        self._regroup_at = time.monotonic() + REGROUPED
        if self.stream is not None:
            with suppress(OSError):
                open_to(self.stream.fileno(), self._readers())
