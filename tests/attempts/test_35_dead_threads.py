"""Operator: `engine_timeout=1e300`, which killed the engine's monitor, and the manager seemed to run on.

The setting has a bound. And whatever kills a thread of the manager, ends it, so that it is started again.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from manager.daemon.crash import EXIT_CODE
from manager.settings import Settings
from tests.real_manager import ROOT

THREADS = {
    "supervisor": "manager.runtime.timers:Timers.run_due",
    "watcher": "manager.folder.watcher:log",  # what it meets it survives; not that this can't be told
    "publisher": "manager.folder.publisher:Publisher._next",
    "heartbeat": "manager.daemon.heartbeat:Heartbeat._write",
    "monitor": "manager.runtime.engine_monitor:EngineMonitor._look",
    "end listener": "manager.gates.end_listener:EndListener._hear",
    "workers": "manager.engine.retry:Retry.stopping",
}

PROGRAM = """
import sys, threading
from importlib import import_module
from manager import app
from tests.fakes.engine import FakeEngine

module, _, path = sys.argv[1].partition(":")
*owners, name = path.split(".")
owner = import_module(module)
for each in owners:
    owner = getattr(owner, each)

def die(*arguments, **fields):
    raise KeyError("of all things")

if name == "log":
    from manager.folder.watcher import Watcher
    Watcher._listen, owner.log = die, None
elif name == "_hear":
    from manager.gates.end_listener import EndListener
    EndListener._run = die
else:
    setattr(owner, name, property(die) if name == "stopping" else die)
app.connect = lambda *_: FakeEngine()
sys.exit(app.main())
"""


@pytest.mark.parametrize("thread", THREADS)
def test_a_dead_thread_ends_the_process_and_the_log_says_why(thread: str, tmp_path: Path) -> None:
    environment = os.environ | {"AIR_EXECUTOR_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, THREADS[thread]],
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
    assert "of all things" in log


def test_a_timeout_beyond_all_numbers_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="engine_timeout"):
        Settings(home=tmp_path, engine_timeout=1e300)
