"""What containers know of hosts in the network of another one."""

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manager.engine.contract import EngineError
from manager.engine.docker import name_files
from manager.model.container_spec import HOME_PATH, NAMES
from manager.model.host_names import HOSTS, RESOLVER, HostNames
from tests.unit.manager.builders import spec

SPEC = replace(spec(), names=HostNames(hosts=(("db", "10.0.0.5"),), dns=("10.0.0.53",)))


class Holder:
    """An engine with one container, which has these files."""

    def __init__(self, **files: bytes) -> None:
        self.files = {HOSTS: b"127.0.0.1\tlocalhost\n", RESOLVER: b"nameserver 1.2.3.4\n"}
        self.asked: list[tuple[str, str]] = []

    def read_file(self, container: str, path: str) -> bytes | None:
        self.asked.append((container, path))
        return self.files.get(path)


class Folders:
    """Keeps what it is given below a folder."""

    def __init__(self, place: Path, error: OSError | None = None) -> None:
        self.place, self.error = place, error
        self.contents: dict[str, bytes] = {}

    def folder_with(self, contents: dict[str, bytes], home: Any) -> Path:
        if self.error is not None:
            raise self.error
        self.contents = contents
        return self.place


def test_what_the_other_one_s_files_say_stays(tmp_path: Path) -> None:
    holder, folders = Holder(), Folders(tmp_path / "abc")
    found = name_files.of(SPEC, "holder", holder, folders)  # type: ignore[arg-type]
    assert found is not None
    assert folders.contents == {
        "hosts": b"127.0.0.1\tlocalhost\n10.0.0.5\tdb\n",
        "resolv.conf": b"nameserver 10.0.0.53\n",
    }
    assert [(each.source, each.target, each.read_only) for each in found.mounts] == [
        (f"{tmp_path}/abc/hosts", HOSTS, True),
        (f"{tmp_path}/abc/resolv.conf", RESOLVER, True),
    ]
    assert found.labels == {NAMES: "abc"}
    assert HOME_PATH in SPEC.labels


@pytest.mark.parametrize(
    ("names", "holder"),
    [(None, "holder"), (HostNames(hostname="me"), "holder"), (SPEC.names, None)],
    ids=str,
)
def test_nothing_is_asked_and_made_for_who_needs_none(names: HostNames | None, holder: str | None) -> None:
    engine = Holder()
    assert name_files.of(replace(SPEC, names=names), holder, engine, Folders(Path("/"))) is None  # type: ignore[arg-type]
    assert engine.asked == []


def test_a_disk_that_is_full_is_told_of() -> None:
    full = Folders(Path("/"), OSError(errno.ENOSPC, "no space"))
    with pytest.raises(EngineError, match=r"/etc/hosts and /etc/resolv\.conf can't be written down"):
        name_files.of(SPEC, "holder", Holder(), full)  # type: ignore[arg-type]
