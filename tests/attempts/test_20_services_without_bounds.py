"""Who: whoever makes the stack's own services write and use memory without end.

What: their logs were unbounded, and so were their memory and processes. What stops it: each service of ours
extends the confined one, and has bounds.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

COMPOSE = Path(__file__).resolve().parents[2] / "compose"


class Loader(yaml.SafeLoader):
    """Takes Compose's own tags for what stands behind them."""


Loader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node, deep=True))


def read(name: str) -> dict[str, Any]:
    services: dict[str, Any] = yaml.load((COMPOSE / name).read_text(), Loader)["services"]
    return services


SERVICES = read("home.yaml") | read("airflow.yaml") | read("engine-proxy.yaml") | read("manager.yaml")


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_bounded_and_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["extends"] == {"file": "compose/common.yaml", "service": "confined"}
    assert service["mem_limit"] and service["pids_limit"]
    assert not service.keys() & {"privileged", "pid", "ipc", "userns_mode", "devices", "logging", "cap_drop"}


def test_the_confined_service_has_bounded_logs_and_no_way_to_privileges() -> None:
    confined = read("common.yaml")["confined"]
    assert confined["logging"]["options"].keys() == {"max-size", "max-file"}
    assert confined["cap_drop"] == ["ALL"] and confined["read_only"] and confined["cgroup"] == "private"
    assert confined["security_opt"] == ["no-new-privileges=true"]


def test_airflow_writes_to_jobs_and_its_secrets_alone_and_sees_neither_journals_nor_gates_nor_accounts() -> (
    None
):
    mounts = [each for each in SERVICES["airflow"]["volumes"] if isinstance(each, dict)]
    of_the_home = {
        each["target"].removeprefix("/var/lib/air-executor"): each
        for each in mounts
        if each["target"].startswith("/var/lib/air-executor")
    }
    assert of_the_home[""]["read_only"] is True
    writable = {name for name, each in of_the_home.items() if each["type"] == "bind" and name}
    assert writable == {"/jobs", "/airflow"}
    assert {name for name, each in of_the_home.items() if each["type"] == "tmpfs"} == {
        "/journal",
        "/gates",
        "/accounts",
    }


def test_one_service_has_the_engines_socket() -> None:
    with_it = {name for name, service in SERVICES.items() if "docker.sock" in str(service.get("volumes"))}
    assert with_it == {"manager", "engine-proxy"}
    assert "docker.sock" not in str(read("engine-proxy.yaml")["manager"]["volumes"])
