"""PURE. Devices, limits of processes and runtimes, in the Docker API's words."""

from collections.abc import Mapping
from typing import Any

from manager.engine.contract import EngineError, Impossible
from manager.model.container_spec import ContainerSpec

NVIDIA = "nvidia"
"""A runtime that gives a container whatever GPUs a variable of it names: its image's, or its task's."""
VISIBLE = "NVIDIA_VISIBLE_DEVICES"
NO_GPUS = "void"
CDI = "cdi"
"""The driver for devices that a file of the host describes (Container Device Interface)."""


def of_host(spec: ContainerSpec) -> dict[str, Any]:
    """What is added to a container's HostConfig."""
    return _runtime(spec) | _requests(spec)


def heeds_variables(info: dict[str, Any]) -> bool:
    """Whether the engine has a runtime by which a variable could get a container GPUs of others."""
    return NVIDIA in (info.get("Runtimes") or {})


def visible(spec: ContainerSpec) -> dict[str, str]:
    """The variable in the place of the one that an image or a task sets, where that is heeded."""
    return {VISIBLE: ",".join(each for each in spec.gpus if "=" not in each) or NO_GPUS}


def ulimits(spec: ContainerSpec, usual: Mapping[str, int]) -> list[dict[str, Any]]:
    """The usual ones, where its task asks for no others."""
    limits = {name: (value, value) for name, value in usual.items()}
    limits |= {name: (soft, hard) for name, soft, hard in spec.ulimits}
    return [{"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in limits.items()]


def refusal(data: dict[str, Any], message: str) -> EngineError | None:
    """Why a container with these devices was not started; None where it asks for none.

    The engine says it in the words of one driver or the other, and by no status of its own.
    """
    requests = data["HostConfig"].get("DeviceRequests")
    if not requests:
        return None
    ids = ", ".join(each for request in requests for each in request["DeviceIDs"] or ())
    return Impossible(
        f"the engine can't give it the GPUs {ids}, which the setting `gpus` declares: {message}; install the "
        "GPU's driver and the NVIDIA Container Toolkit (nvidia-container-toolkit) on the engine's host; "
        "`docker run --rm --gpus all IMAGE true` shows whether that works"
    )


def unknown_runtime(spec: ContainerSpec, info: dict[str, Any]) -> Impossible | None:
    """Where the engine has no runtime of the name that the spec asks for."""
    known = info.get("Runtimes") or {}
    if spec.runtime is None or spec.runtime in known:
        return None
    return Impossible(
        f"the engine has no runtime {spec.runtime!r}, which the setting `runtimes` allows: it knows "
        f"{', '.join(sorted(known))}; the operator adds it to the engine's daemon.json"
    )


def _runtime(spec: ContainerSpec) -> dict[str, Any]:
    return {} if spec.runtime is None else {"Runtime": spec.runtime}


def _requests(spec: ContainerSpec) -> dict[str, Any]:
    described = [each for each in spec.gpus if "=" in each]
    numbered = [each for each in spec.gpus if "=" not in each]
    requests = [_request(CDI, described)] if described else []
    requests += [_request("", numbered) | {"Capabilities": [["gpu"]]}] if numbered else []
    return {"DeviceRequests": requests} if requests else {}


def _request(driver: str, ids: list[str]) -> dict[str, Any]:
    return {"Driver": driver, "Count": 0, "DeviceIDs": ids}
