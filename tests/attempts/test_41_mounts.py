"""41: a job writer wants what of the host no operator has declared, or to write where it may only read.

A task can say nothing but a name: what it stands for is the operator's to say, is checked when the manager
starts, and is written into the grant at the claim.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.attempts import Cause
from manager.daemon import declared_mounts
from tests.real_manager import ROOT, RealManager, real_manager
from tests.unit.manager.builders import settings

PATIENCE = 60


@pytest.fixture(scope="module")
def srv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("srv")
    for name in ("data", "out"):
        (made / name).mkdir()
        (made / name).chmod(0o777)
    (made / "data" / "rows").write_text("rows\n")
    (made / "data" / "shadow").symlink_to("/etc/shadow")
    return made


@pytest.fixture(scope="module")
def manager(srv: Path) -> Iterator[RealManager]:
    config = f"""
    max_scratch_mb = 100
    [mounts.data]
    path = "{srv}/data"
    [mounts.out]
    path = "{srv}/out"
    read_only = false
    [mounts.others]
    path = "{srv}/data"
    users = ["4711"]
    [mounts.cache]
    cache = true
    """
    with real_manager(config=config) as made:
        yield made


def by_hand(manager: RealManager, name: str, **fields: Any) -> str:
    """As somebody writes it who does not use our client; what the manager answers."""
    folder = manager.home / "jobs" / name
    folder.mkdir()
    task = {"id": "a", "command": "true", "retries": 0} | fields
    (folder / "tasks.json").write_text(json.dumps([task]))
    (folder / "state.json").write_text(json.dumps({"id": name, "name": name}))
    failure = manager.client.wait(name, timeout=PATIENCE).job.failure
    assert failure is not None
    assert failure.cause is Cause.BAD_INPUT
    return failure.message


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("host-path", {"mounts": ["/etc"]}, "mounts"),
        ("up", {"mounts": ["../data"]}, "mounts"),
        ("docker-like", {"mounts": {"data": {"source": "/etc"}}}, "source"),
        ("unknown", {"mounts": ["dataa"]}, "did you mean `data`"),
        ("of-others", {"mounts": ["others"]}, "mounts.others.users"),
        ("to-write", {"mounts": {"data": {"read_only": False}}}, "mounts.data.read_only"),
        ("over-work", {"mounts": {"data": "/work"}}, "/work"),
        ("in-work", {"mounts": {"data": "/work/x"}}, "/work"),
        ("over-the-gate", {"scratch": {"/.air-executor/control": 1}}, "/.air-executor"),
        ("over-accounts", {"mounts": {"out": "/etc"}}, "/etc/passwd"),
        ("detour", {"mounts": {"out": "/x/../work"}}, "absolute"),
        ("kernel", {"scratch": {"/proc/sys": 1}}, "/proc"),
        ("nested", {"mounts": {"data": "/d", "out": "/d/e"}}, "lies in"),
        ("ten-thousand", {"mounts": [f"m{n}" for n in range(10_000)]}, "at most 32"),
        ("ten-thousand-places", {"scratch": {f"/s{n}": 1 for n in range(10_000)}}, "at most 16"),
        ("much-scratch", {"scratch": {"/s": {"size_mb": 101, "on": "disk"}}}, "max_scratch_mb"),
        ("more-than-memory", {"scratch": {"/s": 99}, "resources": {"memory_mb": 32}}, "memory_mb"),
        ("large-tmp", {"resources": {"tmp_mb": 1 << 20}}, "resources.tmp_mb"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_nobody_may_ask_for_is_refused(
    manager: RealManager, name: str, fields: dict[str, Any], words: str
) -> None:
    assert words in by_hand(manager, name, **fields)


def test_a_task_reads_what_its_user_may_and_a_link_leads_into_its_own_container(manager: RealManager) -> None:
    script = "cat /d/rows; cat /d/shadow; echo x > /d/rows; mount -o remount,rw /d; echo $?"
    manager.client.create_job(
        "reads", [{"id": "a", "command": "sh", "args": ["-c", script], "mounts": {"data": "/d"}}]
    )
    assert manager.client.wait("reads", timeout=PATIENCE).state == "completed"
    said = manager.client.log_file("reads", "a").read_text()
    assert said.startswith("rows\n")
    assert "/d/shadow: Permission denied" in said
    assert "Read-only file system" in said
    assert not said.endswith("\n0\n")


def test_a_task_that_only_reads_queues_none_that_writes(manager: RealManager) -> None:
    ask = {"id": "b", "command": "true", "mounts": {"out": {"read_only": False}}}
    script = 'echo "$0" > /inbox/tmp/r && mv /inbox/tmp/r /inbox/new/r.json'
    manager.client.create_job(
        "queues",
        [
            {
                "id": "a",
                "command": "sh",
                "args": ["-c", script, json.dumps(ask)],
                "mounts": {"out": {"read_only": True}},
            }
        ],
    )
    view = manager.client.wait("queues", timeout=PATIENCE)
    (decision,) = view.job.requests
    assert not decision.accepted
    assert "can only read it" in (decision.reason or "")


def test_scratch_on_the_disk_goes_with_its_container_and_is_not_anothers(manager: RealManager) -> None:
    space = {"scratch": {"/s": {"size_mb": 5, "on": "disk"}}}
    manager.client.create_job(
        "disk",
        [
            {"id": "a", "command": "sh", "args": ["-c", "echo x > /s/x"], **space},
            {"id": "b", "command": "sh", "args": ["-c", "ls -A /s"], "dependencies": ["a"], **space},
        ],
    )
    assert manager.client.wait("disk", timeout=PATIENCE).state == "completed"
    assert manager.client.log_file("disk", "b").read_text() == ""
    assert [name for name in manager.gates() if name.startswith("airx-disk")] == []


@pytest.mark.parametrize("target", ["/etc", "/var/run/docker.sock", "/"])
def test_a_declared_folder_that_is_a_link_to_what_nobody_may_have_keeps_a_manager_from_starting(
    tmp_path: Path, target: str
) -> None:
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "home").mkdir()
    rules = settings(tmp_path / "home", mounts={"data": {"path": f"{tmp_path}/link"}})
    with pytest.raises(BadInput, match=r"mounts.data.path: .*can't be handed out"):
        declared_mounts.check(rules.mounts, rules.home)


def started_with(home: Path, config: str) -> subprocess.CompletedProcess[str]:
    """A manager that is to end at once."""
    (home / "config.toml").write_text(config)
    return subprocess.run(
        [sys.executable, "run_manager.py"],
        cwd=ROOT,
        env={"AIR_EXECUTOR_HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_a_manager_says_so_and_ends(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    ended = started_with(tmp_path, f'[mounts.all]\npath = "{tmp_path}/jobs"\n')
    assert ended.returncode == 1
    assert "mounts.all.path: " in ended.stderr
    assert "the manager's own home" in ended.stderr


def test_a_folder_whose_place_tasks_could_take_with_a_link_keeps_a_manager_from_starting(
    tmp_path: Path,
) -> None:
    """A task that has `reports`: `rmdir inner; ln -s HOME/work/OTHER inner`."""
    (tmp_path / "home").mkdir()
    (tmp_path / "reports" / "inner").mkdir(parents=True)
    config = f"""
    [mounts.reports]
    path = "{tmp_path}/reports"
    read_only = false
    [mounts.inner]
    path = "{tmp_path}/reports/inner"
    """
    ended = started_with(tmp_path / "home", config)
    assert ended.returncode == 1
    assert "mounts.inner.path: " in ended.stderr
    assert "mounts.reports.read_only = true" in ended.stderr


def test_a_folder_whose_place_others_could_take_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(declared_mounts, "IN_A_CONTAINER", tmp_path / "nowhere")
    (tmp_path / "open" / "data").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    rules = settings(tmp_path / "home", mounts={"data": {"path": f"{tmp_path}/open/data"}})
    with pytest.raises(BadInput, match=r"mounts.data.path: .*chmod go-w"):
        declared_mounts.check(rules.mounts, rules.home)
