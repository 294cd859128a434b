"""Operator: `engine_timeout=1e300`, which killed the engine's monitor, and the manager seemed to run on.

Whatever kills a thread of the manager, ends it, so that it is started again.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from manager.daemon.crash import EXIT_CODE
from tests.real_manager import ROOT

LOOPS = (
    "manager.runtime.supervisor:Supervisor._batch",
    "manager.runtime.workers:Workers._work",
    "manager.runtime.engine_monitor:EngineMonitor._run",
    "manager.runtime.engine_monitor:EngineMonitor._listen",
    "manager.folder.watcher:Watcher._run",
    "manager.folder.publisher:Publisher._run",
    "manager.gates.end_listener:EndListener._run",
    "manager.daemon.heartbeat:Heartbeat._run",
)
"""What goes on in each thread."""

PROGRAM = """
import sys
from importlib import import_module
from manager import app
from tests.fakes.engine import FakeEngine

def die(*arguments):
    raise OverflowError("of all things")

module, _, path = sys.argv[1].partition(":")
owner, _, name = path.partition(".")
setattr(getattr(import_module(module), owner), name, die)
app.connect = lambda *_: FakeEngine()
sys.exit(app.main())
"""


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.partition(":")[2])
def test_a_dead_thread_ends_the_process_and_the_log_says_why(loop: str, tmp_path: Path) -> None:
    environment = os.environ | {"AIR_EXECUTOR_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, loop],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == EXIT_CODE, ended.stderr
    log = (tmp_path / "manager.log").read_text()
    assert "CRITICAL" in log and "Traceback" in log
    assert "OverflowError: of all things" in log
