"""A local account holds manager.lock, so that no manager can start: nobody but the manager's user can open
it, an older manager's file included. Whoever asks whether a manager runs reads manager.json."""

import stat
from pathlib import Path

from air_executor import daemon
from manager.daemon.lock import hold
from tests.attempts.other_user import can_not_read, needs_root


def test_the_lock_is_closed_to_all_others(tmp_path: Path) -> None:
    lock = tmp_path / daemon.LOCK
    lock.touch()
    lock.chmod(0o644)
    with hold(tmp_path):
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600


@needs_root
def test_a_stranger_can_not_open_it(open_home: Path) -> None:
    with hold(open_home):
        can_not_read(open_home / daemon.LOCK)


def test_whether_a_manager_runs_is_not_asked_of_the_lock(tmp_path: Path) -> None:
    with hold(tmp_path):
        assert not daemon.running(tmp_path)
