"""The manager's log: rotated by its size, and written to whatever stands in its place."""

import logging
import os
import threading
from functools import partial
from pathlib import Path

from manager.daemon.log_file import _LogFile
from manager.daemon.readers import readers_of


def write(handler: logging.Handler, *words: str) -> None:
    for word in words:
        handler.handle(logging.makeLogRecord({"msg": word, "levelno": logging.INFO}))
    handler.close()


def test_a_log_that_is_full_is_put_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    file = tmp_path / "manager.log"
    write(
        _LogFile(file, partial(readers_of, tmp_path, None), 20, 3),
        *(f"line {number:04}" for number in range(9)),
    )
    kept = [path.read_text().splitlines() for path in (file, tmp_path / "manager.log.1")]
    assert kept == [["line 0008"], ["line 0006", "line 0007"]]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "manager.log",
        "manager.log.1",
        "manager.log.2",
    ]


def test_a_log_that_leads_into_a_pipe_loses_nothing(tmp_path: Path) -> None:
    pipe = tmp_path / "manager.log"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write(_LogFile(pipe, partial(readers_of, tmp_path, None), 5, 3), "one", "two", "three")
    reader.join(5)
    assert read == ["one\ntwo\nthree\n"]
