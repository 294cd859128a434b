"""The manager's containers are understood as they are; others are refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine_proxy.container_form import understood
from engine_proxy.refusal import Refused
from manager.engine.docker.translate import PathTable, container_body
from manager.model import containers
from manager.model.container_spec import ROLE, ContainerSpec, Declared, InMemory, Network
from manager.model.home import Home
from manager.model.host_names import HostNames
from manager.settings import Settings
from tests.unit.manager.builders import container, key, task

HOME = Home("home", Path("/home"))
SETTINGS = Settings()
TASK = container(task("a", command="echo", args=["hi"]), key("a"), Path("/home/jobs/a:b+c"))
DECLARED = (
    Declared("d", "path", "/srv/d", "/data", read_only=True),
    Declared("v", "volume", "vol", "/vol", read_only=False),
)
FORMS = {
    "with mounts": replace(TASK, declared=DECLARED, in_memory=(InMemory("/s", 1 << 20),)),
    "task": TASK,
    "an image that says what is run": container(
        task("a", command=None, image="debian:12"), key("a"), Path("/home/jobs/a:b+c")
    ),
    "gated": containers.gated(TASK, HOME),
    "network": containers.network_container("n", "job", "uid", HOME, SETTINGS),
    "with all that a task may ask for": replace(
        TASK,
        network=Network("none"),
        gpus=("0", "nvidia.com/gpu=1"),
        ulimits=(("nofile", 10, 20),),
        names=HostNames((("db.internal", "fd00::5"),), ("10.0.0.53",), ("corp.example",), "me"),
        runtime="runsc",
    ),
    "probe": containers.probe_container(Path("/home/probe"), "nonce", HOME, SETTINGS),
    "gate probe": containers.gate_probe_container(Path("/home/probe"), "name", HOME, SETTINGS),
}


def body(spec: ContainerSpec = TASK) -> dict[str, Any]:
    return container_body(spec, PathTable(), "pause")


@pytest.mark.parametrize("spec", FORMS.values(), ids=FORMS)
def test_whatever_the_manager_asks_for_is_handed_on_as_it_is(spec: ContainerSpec) -> None:
    said = body(spec)
    assert json.loads(understood(json.dumps(said).encode()).body()) == json.loads(json.dumps(said))


def host(**said: Any) -> Callable[[dict[str, Any]], None]:
    return lambda body: body["HostConfig"].update(said)


ALTERED = {
    "privileged": host(Privileged=True),
    "in another spelling": host(privileged=True),
    "devices": host(Devices=[{"PathOnHost": "/dev/sda"}]),
    "cgroup rules": host(DeviceCgroupRules=["a *:* rwm"]),
    "binds": host(Binds=["/:/host"]),
    "volumes": host(Mounts=[{"Type": "volume", "Source": "v", "Target": "/work"}]),
    "propagation": host(
        Mounts=[
            {"Type": "bind", "Source": "/home/x", "Target": "/w", "BindOptions": {"Propagation": "shared"}}
        ]
    ),
    "volumes of others": host(VolumesFrom=["other"]),
    "processes of the host": host(PidMode="host"),
    "memory of the host": host(IpcMode="host"),
    "names of the host": host(UTSMode="host"),
    "users of the host": host(UsernsMode="host"),
    "cgroups of the host": host(CgroupnsMode="host"),
    "cgroup parent": host(CgroupParent="/"),
    "the host's network": host(NetworkMode="host"),
    "capabilities": host(CapAdd=["NET_ADMIN"]),
    "all capabilities": host(CapDrop=[]),
    "new privileges": host(SecurityOpt=[]),
    "no seccomp": host(SecurityOpt=["no-new-privileges:true", "seccomp=unconfined"]),
    "no AppArmor": host(SecurityOpt=["no-new-privileges:true", "apparmor=unconfined"]),
    "a root to write to": host(ReadonlyRootfs=False),
    "paths unmasked": host(MaskedPaths=[]),
    "memory without end": host(Memory=0),
    "processes without end": host(PidsLimit=-1),
    "sysctls": host(Sysctls={"net.ipv4.ip_forward": "1"}),
    "devices by a driver of its choice": host(DeviceRequests=[{"Driver": "amd", "DeviceIDs": ["0"]}]),
    "all devices": host(DeviceRequests=[{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}]),
    "devices that are no GPUs": host(
        DeviceRequests=[{"Driver": "", "DeviceIDs": ["0"], "Capabilities": [["nic"]]}]
    ),
    "ports": host(PortBindings={"80/tcp": [{"HostPort": "80"}]}),
    "always": host(RestartPolicy={"Name": "always"}),
    "another log": host(LogConfig={"Type": "syslog", "Config": {}}),
    "names of others": host(ExtraHosts=["example.org:host-gateway"]),
    "a name that is none": lambda body: body.update(Hostname="d b"),
    "options of a resolver": host(DnsOptions=["ndots:1"]),
    "root": lambda body: body.update(User="0:1000"),
    "root's group": lambda body: body.update(User="1000:0"),
    "root in long": lambda body: body.update(User="00:1000"),
    "root by name": lambda body: body.update(User="root"),
    "no user": lambda body: body.pop("User"),
    "volumes of its own": lambda body: body.update(Volumes={"/data": {}}),
    "a health check": lambda body: body.update(Healthcheck={"Test": ["CMD", "true"]}),
    "networks": lambda body: body.update(NetworkingConfig={"EndpointsConfig": {}}),
}


@pytest.mark.parametrize("alter", ALTERED.values(), ids=ALTERED)
def test_a_container_of_another_form_is_refused(alter: Callable[[dict[str, Any]], None]) -> None:
    said = body()
    alter(said)
    with pytest.raises(Refused, match="a container of another form than the manager's"):
        understood(json.dumps(said).encode())


def test_a_field_that_is_said_twice_is_handed_on_once() -> None:
    said = json.dumps(body())[:-1] + ', "Image": "one", "Image": "two"}'
    assert understood(said.encode()).body().count(b'"Image"') == 1


def test_the_holder_of_a_network_may_see_to_it_and_a_probe_may_look_at_the_hosts() -> None:
    holder, probe = body(FORMS["network"]), body(FORMS["probe"])
    holder["HostConfig"]["CapAdd"] = ["NET_ADMIN"]
    probe["HostConfig"]["NetworkMode"] = "host"
    for said in (holder, probe):
        understood(json.dumps(said).encode())
    probe["HostConfig"]["CapAdd"] = ["NET_ADMIN"]
    with pytest.raises(Refused):
        understood(json.dumps(probe).encode())
    del probe["HostConfig"]["CapAdd"]
    probe["Labels"][ROLE] = "task"
    with pytest.raises(Refused):
        understood(json.dumps(probe).encode())


def test_no_json_is_no_container() -> None:
    with pytest.raises(Refused):
        understood(b"{")
