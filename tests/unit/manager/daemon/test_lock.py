"""One manager for one folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from manager.daemon.lock import AlreadyManaged, hold

HOLDER = (
    "import sys, time, pathlib\n"
    "from manager.daemon.lock import hold\n"
    "with hold(pathlib.Path(sys.argv[1])):\n"
    "    print('held', flush=True)\n"
    "    time.sleep(60)\n"
)


def holder(home: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(home)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_manager_is_refused_at_once_and_told_by_whom(tmp_path: Path) -> None:
    process = holder(tmp_path)
    try:
        complaint = rf"{tmp_path} is already managed by process {process.pid} on "
        with pytest.raises(AlreadyManaged, match=complaint), hold(tmp_path):
            pass
    finally:
        process.kill()
        process.wait()


def test_a_manager_that_was_killed_leaves_no_lock_behind(tmp_path: Path) -> None:
    process = holder(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with hold(tmp_path):
        assert (tmp_path / "manager.lock").read_text().startswith(f"process {os.getpid()} on ")


def test_the_lock_can_be_had_again(tmp_path: Path) -> None:
    for _ in range(2):
        with hold(tmp_path):
            pass


def test_two_folders_may_have_two_managers(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    with hold(tmp_path / "a"), hold(tmp_path / "b"):
        pass
