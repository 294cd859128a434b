"""What an operator has declared, in the words of the Docker API."""

from dataclasses import replace
from typing import Any

import pytest

from manager.engine.docker import declared
from manager.engine.docker.translate import PathTable, container_body
from manager.model.container_spec import Declared
from tests.unit.manager.builders import container, key, task

DATA = Declared("data", "path", "/srv/data", "/data", read_only=True)
VOLUME = Declared("vol", "volume", "v", "/vol", read_only=False)
SPEC = replace(container(task("a"), key("a")), declared=(DATA, VOLUME))


def mounts(body: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body["HostConfig"]["Mounts"]
    return found


def test_a_folder_comes_without_what_is_mounted_below_it_and_a_volume_as_it_is() -> None:
    body = container_body(SPEC, PathTable([("/srv", "/elsewhere")]), "pause")
    assert mounts(body)[len(SPEC.mounts) :] == [
        {
            "Type": "bind",
            "Source": "/srv/data",
            "Target": "/data",
            "ReadOnly": True,
            "BindOptions": {"Propagation": "rprivate", "NonRecursive": True},
        },
        {
            "Type": "volume",
            "Source": "v",
            "Target": "/vol",
            "ReadOnly": False,
            "VolumeOptions": {"NoCopy": True},
        },
    ], "a declared path is the host's already"


def test_the_same_container_can_be_tried_without_them_or_with_one() -> None:
    body = container_body(SPEC, PathTable(), "pause")
    assert mounts(declared.without(body, SPEC)) == mounts(body)[: len(SPEC.mounts)]
    alone = mounts(declared.without(body, SPEC, but=VOLUME))
    assert [mount["Target"] for mount in alone[len(SPEC.mounts) :]] == ["/vol"]


@pytest.mark.parametrize("source", ["/srv/home", "/srv/home/work/x", "/srv"])
def test_the_managers_own_home_is_never_handed_out(source: str) -> None:
    found = declared.problem(replace(SPEC, declared=(replace(DATA, source=source),)), "/srv/home", str)
    assert found is not None
    assert "the manager's own home" in found


def test_what_is_not_allowed_any_more_is_named_with_its_setting() -> None:
    found = declared.problem(replace(SPEC, declared=(replace(DATA, kind="withdrawn"),)), "/srv/home", str)
    assert found is not None
    assert "setting `mounts.data`" in found


def test_what_is_allowed_is_no_problem() -> None:
    assert declared.problem(SPEC, "/srv/home", str) is None


def test_what_leads_elsewhere_than_when_the_manager_began_is_not_mounted() -> None:
    found = declared.problem(
        SPEC, "/srv/home", {"/srv/data": "/srv/x\n", "/srv/home": "/srv/home"}.__getitem__
    )
    assert found is not None
    assert "leads to '/srv/x\\n' now" in found
    assert "setting `mounts.data.path`" in found


@pytest.mark.parametrize("reached", ["/real/home/work/x", "/real", "/srv/home"])
def test_what_leads_into_the_home_is_not_mounted(reached: str) -> None:
    table = {"/srv/data": reached, "/srv/home": "/real/home"}
    found = declared.problem(SPEC, "/srv/home", table.__getitem__)
    assert found is not None
    assert "the manager's own home" in found
