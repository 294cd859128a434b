"""Somebody else on this machine: a process of another user, for tests that run as root."""

import os
import traceback
from collections.abc import Callable

import pytest

USER = 12345

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def does(act: Callable[[], object], user: int = USER) -> None:
    """Have that user do it, in a process of his own; fails where he fails."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            act()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "what the other user did has failed, see standard error"


def can_not_read(*paths: object) -> None:
    """That user can't open any of these."""

    def tries() -> None:
        for path in paths:
            with pytest.raises(PermissionError):
                os.close(os.open(str(path), os.O_RDONLY))

    does(tries)
