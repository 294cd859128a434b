"""What an image has where something is to be mounted."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from docker.errors import NotFound

from manager.engine.docker import places
from manager.engine.docker.places import FOLDER, ImagePlaces, workdir_problem
from manager.model import containers
from manager.model.container_spec import ContainerSpec, InMemory, Mount
from tests.fakes.engine import FakeEngine
from tests.unit.manager.builders import HOME, container, key, task

IMAGE = {
    "/etc": {"linkTarget": "", "mode": FOLDER | 0o755},
    "/etc/motd": {"linkTarget": "", "mode": 0o644},
    "/evil": {"linkTarget": "/work", "mode": 0o777},
    "/data": {"linkTarget": "", "mode": FOLDER | 0o755},
    "/data/down": {"linkTarget": "/", "mode": 0o777},
}
SPEC = container(task("a"), key("a"))


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    made = FakeEngine(images={"sha256:image"})
    yield made
    made.check()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []

    def status(_api: Any, _container: str, path: str) -> dict[str, Any]:
        found.append(path)
        if path not in IMAGE:
            raise NotFound("nothing is there")
        return IMAGE[path]

    monkeypatch.setattr(places, "status", status)
    return found


def at(*paths: str) -> ContainerSpec:
    return replace(SPEC, in_memory=tuple(InMemory(path, 1 << 20) for path in paths))


def problem(engine: FakeEngine, spec: ContainerSpec) -> str | None:
    return ImagePlaces(engine, lambda: None).problem(spec, "sha256:image")  # type: ignore[arg-type, return-value]


def test_what_every_container_has_is_not_looked_for(engine: FakeEngine, asked: list[str]) -> None:
    assert problem(engine, containers.gated(SPEC, HOME)) is None
    assert (asked, engine.calls) == ([], [])


@pytest.mark.parametrize("place", ["/data", "/data/new", "/new/and/deep", "/etc/app"])
def test_folders_and_what_is_not_there_are_fine(engine: FakeEngine, asked: list[str], place: str) -> None:
    assert problem(engine, at(place)) is None
    assert asked
    assert [verb for verb, _ in engine.calls] == ["create", "remove"]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("/evil", "has a link, /evil, to '/work'"),
        ("/evil/x/y", "has a link, /evil, to '/work'"),
        ("/data/down/etc", "has a link, /data/down, to '/'"),
        ("/etc/motd", "/etc/motd is no folder"),
        ("/etc/motd/x", "/etc/motd is no folder"),
    ],
)
def test_a_place_that_is_not_what_it_looks_like_is_told(
    engine: FakeEngine, asked: list[str], place: str, words: str
) -> None:
    found = problem(engine, at("/data", place))
    assert found is not None
    assert words in found


def test_an_image_is_looked_at_once(engine: FakeEngine, asked: list[str]) -> None:
    looking = ImagePlaces(engine, lambda: None)  # type: ignore[arg-type, return-value]
    for _ in range(3):
        assert looking.problem(at("/data", "/evil"), "sha256:image") is not None
    assert asked == ["/data", "/evil"]


def test_without_a_gate_nobody_begins_below_what_is_mounted() -> None:
    inside = replace(at("/s"), workdir="/s/x")
    assert "/s/x" in (workdir_problem(inside) or "")
    assert workdir_problem(replace(inside, workdir="/s")) is None
    assert workdir_problem(containers.gated(inside, HOME)) is None
    assert workdir_problem(replace(SPEC, workdir="/work/x")) is None
    assert (
        workdir_problem(replace(SPEC, mounts=(*SPEC.mounts, Mount("/h", "/c")), workdir="/c/x")) is not None
    )
