"""What an operator has declared to be mounted is there as declared; or that is told, and nothing is made."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound

from air_executor.format.attempts import Cause
from manager.engine.connect import connect
from manager.engine.contract import EngineError, Impossible
from manager.engine.docker import own_container
from manager.model.container_spec import Declared, InMemory
from tests.contract.bench import TASK_UID, Bench, sh
from tests.guarded_engine import guarded_engine

READ_AND_WRITE = sh("cat /data/file; echo x > /data/new; ls /data/below; echo x > /data/below/new; ls /data")


@pytest.fixture
def srv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not in the home, of which nothing is ever handed out."""
    return tmp_path_factory.mktemp("srv")


@pytest.fixture
def data(srv: Path) -> Path:
    made = srv / "data"
    (made / "below").mkdir(parents=True)
    (made / "file").write_text("rows\n")
    made.chmod(0o777)
    return made


@contextmanager
def something_mounted_at(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", folder], check=True)
    try:
        (folder / "secret").touch()
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def path(folder: Path, **said: Any) -> dict[str, Any]:
    return {"declared": (Declared("data", "path", str(folder), "/data", said.get("read_only", True)),)}


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_folder_is_read_and_not_written_nor_what_is_mounted_below_it(
    docker_bench: Bench, data: Path
) -> None:
    with something_mounted_at(data / "below"):
        ended = docker_bench.ended(READ_AND_WRITE, **path(data))
        assert [each.name for each in (data / "below").iterdir()] == ["secret"]
    output = docker_bench.output(ended.id).decode()
    assert output.count("Read-only file system") == 2
    assert "rows" in output
    assert "secret" not in output
    assert sorted(each.name for each in data.iterdir()) == ["below", "file"]


def test_a_folder_that_may_be_written_is(docker_bench: Bench, data: Path) -> None:
    docker_bench.ended(sh("echo x > /data/new"), **path(data, read_only=False))
    assert (data / "new").read_text() == "x\n"


def test_a_folder_that_is_missing_is_named_and_not_made(bench: Bench, srv: Path) -> None:
    with pytest.raises(Impossible, match="the mount 'data' can't be had") as caught:
        bench.create(**path(srv / "gone"))
    assert caught.value.cause is Cause.BAD_INPUT
    assert not (srv / "gone").exists()
    assert bench.engine.containers(bench.home.id) == []


@pytest.mark.parametrize("target", ["elsewhere", "home"])
def test_a_folder_that_has_become_a_link_is_named_and_nothing_is_made(
    docker_bench: Bench, data: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.setattr(own_container, "own_container_ids", list)
    (data / "elsewhere").mkdir()
    place = {"elsewhere": data / "elsewhere", "home": docker_bench.work}[target]
    (data / "below").rmdir()
    (data / "below").symlink_to(place)
    with pytest.raises(
        Impossible, match=r"the mount 'data' can't be handed out: .*mounts\.data\.path"
    ) as caught:
        docker_bench.create(**path(data / "below"))
    assert caught.value.cause is Cause.BAD_INPUT
    assert docker_bench.engine.containers(docker_bench.home.id) == []


def test_what_else_is_wrong_is_not_said_of_the_mount(docker_bench: Bench, data: Path) -> None:
    docker_bench.work.rmdir()
    with pytest.raises(EngineError, match="work") as caught:
        docker_bench.create(**path(data))
    assert "the mount" not in str(caught.value)


def test_what_was_withdrawn_is_never_made(bench: Bench) -> None:
    with pytest.raises(Impossible, match="the mount 'data'"):
        bench.create(declared=(Declared("data", "withdrawn", "", "/data", read_only=True),))


def test_a_volume_that_is_missing_is_named_and_not_made(bench: Bench, docker_client: Any) -> None:
    name = f"airx-test-{bench.home.id}"
    with pytest.raises(Impossible, match="the mount 'vol' can't be had"):
        bench.create(declared=(Declared("vol", "volume", name, "/vol", read_only=True),))
    with pytest.raises(NotFound):
        docker_client.volumes.get(name)


def test_a_volume_is_mounted_as_it_is_and_not_removed_with_the_container(
    docker_bench: Bench, docker_client: Any
) -> None:
    volume = docker_client.volumes.create(f"airx-test-{docker_bench.home.id}")
    try:
        declared = (Declared("vol", "volume", volume.name, "/etc/skel", read_only=True),)
        ended = docker_bench.ended(sh("ls -A /etc/skel; echo x > /etc/skel/x"), declared=declared)
        said = docker_bench.output(ended.id).decode()
        assert ".bashrc" not in said, "nothing of the image was copied into it"
        assert "Read-only file system" in said
        docker_bench.engine.remove(ended.id, docker_bench.home.id)
        docker_client.volumes.get(volume.name)
    finally:
        volume.remove(force=True)


def test_scratch_in_memory_is_the_tasks_own_and_full_when_it_is(docker_bench: Bench) -> None:
    fill = sh("stat -c %u:%a /s; head -c 2000000 /dev/zero > /s/x")
    spec = {"in_memory": (InMemory("/s", 1 << 20),), "shm_bytes": 1 << 20}
    ended = docker_bench.ended(fill, **spec)
    said = docker_bench.output(ended.id).decode()
    assert "No space left on device" in said
    assert f"{os.geteuid() or TASK_UID}:700" in said.splitlines()


def test_the_engine_proxy_lets_through_what_is_declared_to_it_and_nothing_else(
    docker_bench: Bench, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (docker_bench.home.path / "home-id").write_text(f"{docker_bench.home.id}\n")
    declared = json.dumps({"data": {"path": str(data)}, "vol": {"volume": "of-nobody"}})
    with guarded_engine(docker_bench.home.path, tmp_path, mounts=declared) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        docker_bench.engine = connect(docker_bench.settings)
        ended = docker_bench.ended(sh("cat /data/file"), **path(data))
        assert docker_bench.output(ended.id) == b"rows\n"
        with pytest.raises(EngineError, match="declared to be read"):
            docker_bench.create(**path(data, read_only=False))
        with pytest.raises(EngineError, match="not among AIR_EXECUTOR_MOUNTS"):
            docker_bench.create(**path(data / "below"))
        with pytest.raises(Impossible, match="no volume 'of-nobody'"):
            docker_bench.create(declared=(Declared("vol", "volume", "of-nobody", "/v", read_only=True),))
