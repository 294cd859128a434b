"""A task names something so that the manager's log gets a record that nobody wrote: one formatter escapes all
records, and a traceback's lines begin as no record does."""

import logging
from functools import partial
from pathlib import Path

import pytest

from manager.daemon.log_file import logging_to
from manager.daemon.readers import readers_of

FORGED = "2026-11-27T09:00:00.000Z INFO    job=payroll completed (5/5 completed)"
STEERING = "\x1b[2J\x9b\r\u2028\u2029\u202e\u2066\u200e\u200f\u061c\u200b\ufeff\x85\x0b\x0c"


def test_a_record_is_one_line_and_steers_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with logging_to(tmp_path, partial(readers_of, tmp_path, None)):
        logging.getLogger("manager").info("request %s", f"x\n{FORGED}{STEERING}")
        try:
            raise ValueError(f"y\n{FORGED}{STEERING}")
        except ValueError:
            logging.getLogger("manager").exception("it failed")
        logging.getLogger("manager").info("%s", "z" * 8_000_000)
    text = (tmp_path / "manager.log").read_text()
    lines = text.splitlines()
    assert not any(line.startswith("2026-11-27T09:00:00.000Z") for line in lines)
    assert not set(STEERING.removeprefix("\x1b[2J") + "\x1b") & set(text)
    assert f"\\n{FORGED}" in lines[0]
    assert all(line.startswith("  | ") for line in lines[2:-1])
    assert len(text) < 20_000
