"""A task leaves folders with mode 0 to a manager that is not root: it allows itself to empty them first."""

import os
from pathlib import Path

from manager.folder import workspace
from tests.attempts.other_user import USER, does, needs_root


@needs_root
def test_a_manager_that_is_not_root_deletes_them(open_home: Path) -> None:
    os.chown(open_home, USER, USER)
    work, gate = open_home / "work", open_home / "gate"

    def deletes() -> None:
        for top in (work, gate):
            (top / "a" / "b" / "c").mkdir(parents=True)
            (top / "a" / "b" / "file").touch()
            for folder in (top / "a" / "b" / "c", top / "a" / "b", top / "a", top):
                folder.chmod(0)
        works = open_home / "works"
        works.mkdir()
        workspace.clear(open_home, works)
        for folder in (*works.iterdir(), works, gate):
            workspace.delete(folder)

    does(deletes)
    assert list(open_home.iterdir()) == []
