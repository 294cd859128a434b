"""A job writer swaps the job's `work` for a link to what is the host's, between check and mount.

What stops it, by construction: containers mount folders of the manager's own (`work/`, `gates/`), where no
writer of jobs can rename or link anything. What the job's folder shows as `work` leads people there; nothing
of ours goes by it.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.real_manager import RealManager

CANARY = "a secret of this machine"
LOOK = {"command": "sh", "args": ["-c", "cat /work/canary; echo mine > /work/mine; ls /work"]}


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """What the attacker would like to see mounted."""
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "canary").write_text(CANARY)
    folder.chmod(0o777)
    return folder


@contextmanager
def swapping(job: Path, target: Path) -> Iterator[None]:
    """As fast as it can, `work` and `inbox` in the job's folder are links to `target`, and are not."""
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            for name in ("work", "inbox"):
                with suppress(OSError):
                    (job / name).rename(job / f".{name}-before")
                with suppress(OSError):
                    (job / name).symlink_to(target)
                with suppress(OSError):
                    (job / name).unlink()
                with suppress(OSError):
                    (job / f".{name}-before").rename(job / name)

    attacker = threading.Thread(target=swap)
    attacker.start()
    try:
        yield
    finally:
        over.set()
        attacker.join()


@pytest.mark.parametrize("kind", [{"resources": {"pids": 60}}, {}], ids=["cold", "as it comes"])
def test_no_container_sees_what_the_link_leads_to(
    served: RealManager, precious: Path, kind: dict[str, object]
) -> None:
    name = f"swapped-{len(kind)}"
    tasks = [{"id": "a", "retries": 0} | LOOK | kind, {"id": "b", "dependencies": ["a"]} | LOOK | kind]
    served.client.create_job(name, tasks)
    folder = served.home / "jobs" / name
    with swapping(folder, precious):
        view = served.client.wait(name, timeout=60)
    for task in view.tasks:  # whatever became of them
        log = folder / "logs" / f"{task.id}.log"
        assert not log.exists() or CANARY not in log.read_text()
    assert [file.name for file in precious.iterdir()] == ["canary"]
    assert (precious / "canary").stat().st_uid == os.geteuid()


def test_what_is_mounted_is_the_managers_own(served: RealManager) -> None:
    served.client.create_job("seen", [{"id": "a"} | LOOK])
    served.client.wait("seen", timeout=60)
    work = (served.home / "jobs" / "seen" / "work").resolve()
    assert work.parent == served.home / "work"
    assert (work / "mine").read_text() == "mine\n"
