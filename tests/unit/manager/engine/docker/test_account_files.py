"""What is read of images to give users names, and what is kept of it."""

import io
import stat
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from docker.errors import APIError, NotFound

from manager.engine.contract import EngineError, EngineUnavailable, ImageUnusable
from manager.engine.docker import account_files as module
from manager.engine.docker.account_files import AccountFiles
from manager.engine.docker.accounts import MOST_BYTES
from manager.model.container_spec import HOME_ID, HOME_PATH, ROLE, ContainerSpec
from tests.unit.manager.builders import container, key, task

IMAGE = "sha256:1"
ROOT = b"root:x:0:0::/root:/bin/sh\n"


class OneImage:
    """Engine and API in one: its containers have these files, and links."""

    def __init__(self) -> None:
        self.files = {"/etc/passwd": ROOT, "/etc/group": b"root:x:0:\n"}
        self.links: dict[str, str] = {}
        self.mode = 0o644
        self.problem: Exception | None = None
        self.made: list[ContainerSpec] = []
        self.there: set[str] = set()

    def create(self, spec: ContainerSpec, network: ContainerSpec | None) -> str:
        assert network is None
        if self.problem is not None:
            raise self.problem
        self.made.append(spec)
        self.there.add(spec.name)
        return spec.name

    def remove(self, container: str, home_id: str) -> None:
        self.there.discard(container)

    def get_archive(self, container: str, path: str) -> tuple[Iterator[bytes], dict[str, Any]]:
        if path in self.links:
            return iter(()), {"linkTarget": self.links[path], "mode": 0o777}
        if path not in self.files or container not in self.there:
            raise NotFound("no such file")
        told = {"linkTarget": "", "mode": self.mode}
        return _parts(archive(self.files[path])), told

    def inspect_container(self, container: str) -> dict[str, Any]:
        if container not in self.there:
            raise NotFound("no such container")
        return {}


def archive(content: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as members:
        member = tarfile.TarInfo("passwd")
        member.size = len(content)
        members.addfile(member, io.BytesIO(content))
    return target.getvalue()


def _parts(content: bytes) -> Iterator[bytes]:
    return (content[at : at + 4096] for at in range(0, len(content), 4096))


@pytest.fixture
def image() -> OneImage:
    return OneImage()


@pytest.fixture
def files(image: OneImage) -> AccountFiles:
    engine: Any = image
    return AccountFiles(engine, lambda: image)


@pytest.fixture
def spec(tmp_path: Path) -> ContainerSpec:
    made = container(task("a"), key("a"), tmp_path / "work")
    labels = made.labels | {HOME_ID: "home", HOME_PATH: str(tmp_path)}
    return replace(made, labels=labels, user="1000:1000")


def folders(spec: ContainerSpec) -> list[str]:
    place = Path(spec.labels[HOME_PATH]) / "accounts"
    return [each.name for each in place.iterdir()] if place.exists() else []


def test_files_for_the_user_are_written_for_everybody_to_read_in_a_folder_of_the_managers(
    files: AccountFiles, spec: ContainerSpec
) -> None:
    found = files.of(spec, IMAGE)
    assert found is not None
    assert (found.user, [found.folder]) == ("task", folders(spec))
    assert [mount.target for mount in found.mounts] == ["/etc/passwd", "/etc/group"]
    for mount in found.mounts:
        file = Path(mount.source)
        assert mount.read_only
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert Path(found.mounts[0].source).read_bytes().startswith(ROOT)


def test_an_image_is_read_once_by_a_container_that_is_labelled_as_ours_and_gone_after(
    files: AccountFiles, image: OneImage, spec: ContainerSpec
) -> None:
    files.of(spec, IMAGE)
    files.of(replace(spec, user="1001:1001"), IMAGE)
    (reader,) = image.made
    assert (reader.image, reader.mounts, reader.pull) == (IMAGE, (), False)
    assert (reader.labels[HOME_ID], reader.labels[ROLE]) == ("home", "probe")
    assert image.there == set()
    files.of(spec, "sha256:2")
    assert len(image.made) == 2


def test_many_that_ask_at_once_have_it_read_once(
    files: AccountFiles, image: OneImage, spec: ContainerSpec
) -> None:
    together = threading.Barrier(8)

    def ask(_: int) -> object:
        together.wait()
        return files.of(spec, IMAGE)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(map(str, pool.map(ask, range(8))))) == 1
    assert len(image.made) == 1


def test_no_more_images_are_remembered_than_there_is_room_for(
    files: AccountFiles, image: OneImage, spec: ContainerSpec
) -> None:
    for number in range(module.IMAGES + 1):
        files.of(spec, f"sha256:{number}")
    files.of(spec, f"sha256:{module.IMAGES}")
    assert len(image.made) == module.IMAGES + 1
    files.of(spec, "sha256:0")
    assert len(image.made) == module.IMAGES + 2


def test_links_are_followed_and_what_is_there_is_replaced_where_it_is(
    files: AccountFiles, image: OneImage, spec: ContainerSpec
) -> None:
    image.links["/etc/passwd"] = "/usr/lib/passwd"
    image.files["/usr/lib/passwd"] = ROOT
    found = files.of(spec, IMAGE)
    assert found is not None
    assert found.mounts[0].target == "/usr/lib/passwd"


def test_what_the_image_does_not_have_is_empty(
    files: AccountFiles, image: OneImage, spec: ContainerSpec
) -> None:
    image.files.clear()
    found = files.of(spec, IMAGE)
    assert found is not None
    assert Path(found.mounts[0].source).read_bytes().count(b"\n") == 1


@pytest.mark.parametrize(
    "problem", [EngineError("refused"), EngineError("no space left")], ids=["one", "another"]
)
def test_where_they_can_not_be_read_there_is_no_name_and_that_is_said_once(
    files: AccountFiles,
    image: OneImage,
    spec: ContainerSpec,
    caplog: pytest.LogCaptureFixture,
    problem: EngineError,
) -> None:
    image.problem = problem
    assert [files.of(spec, IMAGE) for _ in range(3)] == [None] * 3
    (told,) = caplog.messages
    assert str(problem) in told


def test_what_is_refused_once_is_asked_for_again(
    files: AccountFiles, image: OneImage, spec: ContainerSpec
) -> None:
    image.problem = EngineError("no space left")
    assert files.of(spec, IMAGE) is None
    image.problem = None
    assert files.of(spec, IMAGE) is not None


def test_an_archive_that_breaks_off_is_no_reason_to_make_no_container(
    files: AccountFiles, image: OneImage, spec: ContainerSpec
) -> None:
    image.get_archive = lambda *_: (iter([b"x" * 100]), {"linkTarget": "", "mode": 0o644})  # type: ignore[method-assign,assignment]
    assert files.of(spec, IMAGE) is None


def test_an_engine_that_was_away_is_asked_again(
    files: AccountFiles, image: OneImage, spec: ContainerSpec, caplog: pytest.LogCaptureFixture
) -> None:
    image.problem = EngineUnavailable("away")
    assert files.of(spec, IMAGE) is None
    image.problem = None
    assert files.of(spec, IMAGE) is not None
    assert caplog.messages == []


def test_a_reader_that_somebody_removes_is_not_an_image_without_accounts(
    files: AccountFiles, image: OneImage, spec: ContainerSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "there", frozenset())
    monkeypatch.setattr(image, "create", lambda *_: "gone")
    monkeypatch.setattr(image, "remove", lambda *_: None)
    assert files.of(spec, IMAGE) is None


@pytest.mark.parametrize("size", [MOST_BYTES + 1, MOST_BYTES * 4])
def test_what_is_too_large_is_not_read_to_its_end(
    files: AccountFiles, image: OneImage, spec: ContainerSpec, size: int
) -> None:
    image.files["/etc/passwd"] = b"x" * size
    taken = []
    parts = image.get_archive

    def counted(container: str, path: str) -> tuple[Iterator[bytes], dict[str, Any]]:
        chunks, told = parts(container, path)
        return (taken.append(len(chunk)) or chunk for chunk in chunks), told  # type: ignore[func-returns-value]

    image.get_archive = counted  # type: ignore[method-assign]
    assert files.of(spec, IMAGE) is None
    assert sum(taken) <= MOST_BYTES + (1 << 18)


@pytest.mark.parametrize("bit", [31, 27, 26, 25, 24, 21, 19])
def test_what_is_no_file_is_the_images_fault(
    files: AccountFiles, image: OneImage, spec: ContainerSpec, bit: int
) -> None:
    image.mode = 0o644 | 1 << bit
    with pytest.raises(ImageUnusable, match="its /etc/passwd is no regular file"):
        files.of(spec, IMAGE)
    assert image.there == set()


def test_a_file_with_bits_that_say_nothing_of_its_kind_is_one(
    files: AccountFiles, image: OneImage, spec: ContainerSpec
) -> None:
    image.mode = 0o644 | 1 << 23 | 1 << 22 | 1 << 20
    assert files.of(spec, IMAGE) is not None


def test_the_engines_refusal_of_an_archive_is_no_reason_to_make_no_container(
    files: AccountFiles, image: OneImage, spec: ContainerSpec
) -> None:
    def refuse(*_: str) -> Any:
        answer = requests.Response()
        answer.status_code = 403
        raise APIError("refused", response=answer)

    image.get_archive = refuse  # type: ignore[method-assign]
    assert files.of(spec, IMAGE) is None
    assert image.there == set()


def test_without_room_on_the_disk_there_is_no_name_until_there_is_room(
    files: AccountFiles, spec: ContainerSpec, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "accounts").write_text("in the way")
    assert [files.of(spec, IMAGE) for _ in range(2)] == [None, None]
    assert len(caplog.messages) == 1
    (tmp_path / "accounts").unlink()
    assert files.of(spec, IMAGE) is not None


def test_half_a_file_of_a_manager_that_was_killed_is_written_anew(
    image: OneImage, spec: ContainerSpec
) -> None:
    engine: Any = image
    first = AccountFiles(engine, lambda: image).of(spec, IMAGE)
    assert first is not None
    file = Path(first.mounts[0].source)
    whole = file.read_bytes()
    file.write_bytes(b"")
    assert AccountFiles(engine, lambda: image).of(spec, IMAGE) == first
    assert file.read_bytes() == whole


def test_a_folder_that_an_operator_has_deleted_is_made_again(
    files: AccountFiles, spec: ContainerSpec, tmp_path: Path
) -> None:
    found = files.of(spec, IMAGE)
    (tmp_path / "accounts").rename(tmp_path / "away")
    assert files.of(spec, IMAGE) == found
    assert len(folders(spec)) == 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_what_no_container_has_any_more_goes_after_a_while(
    clock: list[float], image: OneImage, spec: ContainerSpec
) -> None:
    engine: Any = image
    files = AccountFiles(engine, lambda: image)
    used, unused = (files.of(replace(spec, user=user), IMAGE) for user in ("1000:1000", "1001:1001"))
    assert used is not None
    assert unused is not None
    files.keep({used.folder})
    assert len(folders(spec)) == 2
    clock[0] += module.UNUSED_FOR
    files.keep({used.folder})
    assert folders(spec) == [used.folder]
    assert files.of(replace(spec, user="1001:1001"), IMAGE) == unused
    clock[0] += module.UNUSED_FOR / 2
    files.keep(set())
    assert len(folders(spec)) == 2, "it may be that a container is being made with it"


def test_there_is_nothing_to_look_through_where_somebody_has_deleted_all(
    clock: list[float], image: OneImage, spec: ContainerSpec, tmp_path: Path
) -> None:
    engine: Any = image
    files = AccountFiles(engine, lambda: image)
    files.of(spec, IMAGE)
    (tmp_path / "accounts").rename(tmp_path / "away")
    clock[0] += module.UNUSED_FOR
    files.keep(set())
    assert files.of(spec, IMAGE) is not None


def test_what_an_older_manager_has_left_goes_too(
    clock: list[float], image: OneImage, spec: ContainerSpec, tmp_path: Path
) -> None:
    for name in ("old", ".half"):
        (tmp_path / "accounts" / name).mkdir(parents=True)
    engine: Any = image
    files = AccountFiles(engine, lambda: image)
    clock[0] += module.UNUSED_FOR
    found = files.of(spec, IMAGE)
    files.keep(set())
    assert found is not None
    assert folders(spec) == [found.folder]
