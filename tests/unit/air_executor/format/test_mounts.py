"""Mounts, as a task asks for them and as an operator declares them."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from air_executor.errors import BadInput
from air_executor.format.documents import validate
from air_executor.format.models import Task, TaskSpec
from air_executor.format.mounts import (
    MAX_MOUNTS,
    OF_DOCKER,
    OF_THE_HOST,
    AskedMount,
    DeclaredMount,
    check_source,
)
from tests.unit.manager.builders import T0


def asked(mounts: Any) -> TaskSpec:
    return validate(TaskSpec, {"id": "a", "command": "true", "mounts": mounts})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["d"], {"d": AskedMount()}),
        ({"d": "/data"}, {"d": AskedMount(path="/data")}),
        ({"d": {}}, {"d": AskedMount()}),
        ({"d": {"path": "/data", "read_only": True}}, {"d": AskedMount(path="/data", read_only=True)}),
        ({"d": {"_why": "x", "read_only": False}}, {"d": AskedMount(read_only=False)}),
        ([], {}),
    ],
    ids=str,
)
def test_each_way_to_ask_is_read(written: Any, read: dict[str, AskedMount]) -> None:
    assert asked(written).mounts == read


@pytest.mark.parametrize(
    "written",
    [
        ["d", "e"],
        {"d": "/data"},
        {"d": {}, "e": {"read_only": True}},
        {"d": {"path": "/x", "read_only": True}},
    ],
)
def test_what_is_written_down_is_read_again_as_the_same(written: Any) -> None:
    spec = asked(written)
    made = Task.of(spec, "job", T0)
    assert made.mounts == spec.mounts
    assert Task.model_validate_json(made.model_dump_json(exclude_defaults=True)).mounts == spec.mounts
    assert asked(spec.model_dump(mode="json")["mounts"]).mounts == spec.mounts


def test_who_asks_for_none_has_none_written_down() -> None:
    assert "mounts" not in asked([]).model_dump(exclude_defaults=True)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("d", "mounts: 'd' must be a list of names"),
        (7, "mounts: must be a list of names"),
        (None, "mounts: must be a list of names"),
        ([7], "mounts: must be names"),
        (["d", "d"], "mounts: has 'd' twice"),
        (["/srv/data:/data:ro"], f"mounts: '/srv/data:/data:ro' {OF_THE_HOST}"),
        ("/srv/data", f"mounts: '/srv/data' {OF_THE_HOST}"),
        ({"/srv/data": "/data"}, f"mounts: '/srv/data' {OF_THE_HOST}"),
        ({"Type": "bind", "Source": "/srv/data", "Target": "/data"}, f"mounts: '/srv/data' {OF_THE_HOST}"),
        ([{"Source": "data", "Target": "/data"}], f"mounts: 'data' {OF_DOCKER}"),
        ([{"type": "bind", "source": "/srv", "target": "/data"}], f"mounts: '/srv' {OF_THE_HOST}"),
        ([{"x": "/srv"}], "mounts: must be names"),
        (["../x"], f"mounts: '../x' {OF_THE_HOST}"),
        (["~ann"], f"mounts: '~ann' {OF_THE_HOST}"),
        (["a\x1b"], "mounts.*must be 1 to 200"),
        (["datasets:/data"], "mounts: 'datasets:/data' is no mount by its name"),
        ([{"type": "volume", "source": "db", "target": "/x"}], "mounts: 'db' is no mount by its name"),
        ({"": "/data"}, "mounts.*must be 1 to 200"),
        ({"d": "data"}, "mounts.d.path: 'data' must be an absolute path"),
        ({"d": "/work"}, "mounts.d.path: '/work' is taken"),
        ({"d": 7}, "mounts.d: "),
        ({"d": {"read_only": "no"}}, "mounts.d.read_only: "),
        ({"d": {"source": "/etc"}}, "mounts.d.source: is not a known field"),
        ([f"d{n}" for n in range(10_000)], f"mounts: has 10000 mounts; at most {MAX_MOUNTS}"),
        ({f"d{n}": "/x" for n in range(10_000)}, f"mounts: has 10000 mounts; at most {MAX_MOUNTS}"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_way_to_ask_is_refused_with_its_place(written: Any, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        asked(written)
    assert re.match(words, str(refused.value)) or str(refused.value) == words


@pytest.mark.parametrize(
    "path", ["/srv/data", "/srv/data/", "/etc/ssl/certs", "/home/ann", "/var/log", "/mnt/a:b"]
)
def test_folders_that_may_be_declared(path: str) -> None:
    assert check_source(path) == path.rstrip("/")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "srv",
        "~/data",
        "/srv/../etc",
        "/srv//x",
        "/srv/x\n",
        "/proc",
        "/proc/1/root",
        "/sys/fs",
        "/dev",
        "/run/docker.sock",
        "/var/run/docker.sock",
        "/run/user/1000",
        "/var",
        "/var/lib",
        "/var/lib/docker/volumes",
        "/etc",
        "/root",
        "/boot",
        "/srv/engine.sock",
    ],
)
def test_folders_that_are_too_dangerous_to_hand_out(path: str) -> None:
    with pytest.raises(ValueError, match=r"can't be handed out|must be"):
        check_source(path)


@pytest.mark.parametrize(
    "declared",
    [
        {},
        {"path": "/srv/x", "volume": "v"},
        {"path": "/srv/x", "cache": True},
        {"cache": False},
        {"cache": True, "read_only": True},
        {"path": "/srv/x", "size_mb": 7},
        {"path": "/srv/x", "users": ["root"]},
        {"path": "/srv/x", "users": ["0"]},
        {"path": "/srv/x", "at": "/work"},
        {"path": "/srv/x", "readonly": False},
        {"path": "/srv/x", "read_only": "no"},
        {"cache": "yes"},
        {"volume": "/srv/x"},
        {"volume": "../x"},
    ],
    ids=str,
)
def test_declarations_that_contradict_themselves_are_refused(declared: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DeclaredMount.model_validate(declared)


def test_nobody_writes_unless_the_operator_says_so() -> None:
    assert not DeclaredMount(path="/srv/x").writable
    assert not DeclaredMount(volume="v", read_only=True).writable
    assert DeclaredMount(volume="v", read_only=False).writable
    assert DeclaredMount(cache=True).writable


def test_everybody_is_served_unless_the_operator_names_some() -> None:
    assert DeclaredMount(cache=True).serves(4711, 4711)
    named = DeclaredMount(cache=True, users=("1000", "20000-29999"))
    assert named.serves(1000, 1000)
    assert named.serves(20_001, 20_001)
    assert not named.serves(4711, 4711)
    assert named.serves(1000, 100), "whatever group it has, where none is named"
    assert not DeclaredMount(cache=True, users=("1000:7",)).serves(1000, 100)
