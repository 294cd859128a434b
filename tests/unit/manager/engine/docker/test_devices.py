"""Devices, limits of processes and runtimes, in the Docker API's words."""

from dataclasses import replace
from typing import Any

import pytest

from manager.engine.contract import Impossible
from manager.engine.docker import devices
from manager.engine.docker.translate import PathTable, Terms, container_body
from tests.unit.manager.builders import spec

SPEC = spec()


def test_who_asks_for_nothing_adds_nothing() -> None:
    assert devices.of_host(SPEC) == {}


def test_gpus_are_asked_for_by_id_and_never_all() -> None:
    host = devices.of_host(replace(SPEC, gpus=("0", "GPU-1", "nvidia.com/gpu=2")))
    assert host == {
        "DeviceRequests": [
            {"Driver": "cdi", "Count": 0, "DeviceIDs": ["nvidia.com/gpu=2"]},
            {"Driver": "", "Count": 0, "DeviceIDs": ["0", "GPU-1"], "Capabilities": [["gpu"]]},
        ]
    }


def test_a_runtime_is_named() -> None:
    assert devices.of_host(replace(SPEC, runtime="runsc")) == {"Runtime": "runsc"}


@pytest.mark.parametrize(
    ("gpus", "expected"), [((), "void"), (("0", "GPU-1"), "0,GPU-1"), (("nvidia.com/gpu=0",), "void")]
)
def test_no_variable_of_an_image_or_a_task_gets_it_gpus_that_it_was_not_given(
    gpus: tuple[str, ...], expected: str
) -> None:
    asks = replace(SPEC, gpus=gpus, env={"NVIDIA_VISIBLE_DEVICES": "all"})
    terms = Terms(heeds_variables=devices.heeds_variables({"Runtimes": {"runc": {}, "nvidia": {}}}))
    assert container_body(asks, PathTable(), "n", terms)["Env"] == [f"NVIDIA_VISIBLE_DEVICES={expected}"]


def test_where_no_runtime_heeds_it_a_task_may_set_it() -> None:
    assert not devices.heeds_variables({"Runtimes": {"runc": {}}})
    asks = replace(SPEC, env={"NVIDIA_VISIBLE_DEVICES": "all"})
    assert container_body(asks, PathTable(), "n")["Env"] == ["NVIDIA_VISIBLE_DEVICES=all"]


def test_a_tasks_limits_take_the_place_of_the_usual_ones() -> None:
    found = devices.ulimits(
        replace(SPEC, ulimits=(("cpu", 5, 6), ("nofile", 10, 20))), {"nofile": 100, "core": 0}
    )
    assert {each["Name"]: (each["Soft"], each["Hard"]) for each in found} == {
        "nofile": (10, 20),
        "core": (0, 0),
        "cpu": (5, 6),
    }


def started(requests: Any) -> dict[str, Any]:
    return {"HostConfig": {"DeviceRequests": requests}}


def test_a_start_that_failed_for_want_of_a_driver_says_what_to_install() -> None:
    found = devices.refusal(started([{"DeviceIDs": ["0", "1"]}, {"DeviceIDs": None}]), "no driver")
    assert isinstance(found, Impossible)
    assert (
        "GPUs 0, 1" in str(found) and "no driver" in str(found) and "NVIDIA Container Toolkit" in str(found)
    )


def test_a_start_that_failed_without_devices_has_another_reason() -> None:
    assert devices.refusal(started(None), "x") is None
    assert devices.refusal({"HostConfig": {}}, "x") is None


def test_a_runtime_that_the_engine_does_not_know_is_told_of_and_no_other() -> None:
    info = {"Runtimes": {"runc": {}, "runsc": {}}}
    found = devices.unknown_runtime(replace(SPEC, runtime="kata"), info)
    assert found is not None and "knows runc, runsc" in str(found) and "`runtimes`" in str(found)
    assert devices.unknown_runtime(replace(SPEC, runtime="runsc"), info) is None
    assert devices.unknown_runtime(SPEC, {}) is None
