"""A thread that dies ends the process; outside of a manager, nothing of that is left."""

import subprocess
import sys
import threading

from manager.daemon import crash

PROGRAM = """
import logging, sys, threading, time
from manager.daemon import crash

logging.basicConfig(stream=sys.stdout)
def die():
    raise RecursionError("of all things")
with crash.vital_threads():
    threading.Thread(target=die, name="watcher").start()
    time.sleep(20)
"""


def test_a_thread_that_dies_ends_the_process_and_is_named() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=15, check=False
    )
    assert ended.returncode == crash.EXIT_CODE != 0
    assert "the thread 'watcher' has died" in ended.stdout
    assert "RecursionError: of all things" in ended.stdout


def test_when_the_manager_has_ended_threads_die_as_usual() -> None:
    before = threading.excepthook
    with crash.vital_threads():
        assert threading.excepthook is not before
    assert threading.excepthook is before
