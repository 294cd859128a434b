"""Decides what the engine is asked in the place of what the manager has said."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine_proxy.calls import About, Call, recognised
from engine_proxy.container_form import Volume, understood
from engine_proxy.engine import Engine
from engine_proxy.home import Home
from engine_proxy.mounts import Mounts
from engine_proxy.refusal import Refused
from manager.model.container_spec import HOME_ID, ROLE

MANAGER = "manager"
"""The role that Compose gives to the manager's own container: it looks there for its own mounts."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request that may be put to the engine."""

    method: str
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Guard:
    """Knows the containers of the home by their ids: labels never change, and no id is given twice."""

    def __init__(
        self,
        home: Home,
        engine: Engine,
        networks: Collection[str],
        runtimes: Collection[str] = (),
        gpus: Collection[str] = (),
        mounts: Mounts | None = None,
    ) -> None:
        """What the engine has, and containers may: join `networks`, be run by `runtimes`, have `gpus`.

        `mounts` are what they may have beside the home's folders.
        """
        self._runtimes = {None, *runtimes}
        self._gpus = set(gpus)
        self._mounts = mounts or Mounts({})
        self._home = home
        self._engine = engine
        self._networks = {"none", "bridge", "host", *networks}
        self._ours: set[str] = set()

    async def question(self, method: str, path: str, parameters: Mapping[str, str], body: bytes) -> Question:
        """What the engine is asked. Raises Refused, httpx.HTTPError."""
        call = recognised(method, path, parameters)
        match call.about:
            case About.ENGINE | About.IMAGE:
                return _asked(call, call.name)
            case About.LIST:
                ours = {"label": [f"{HOME_ID}={self._home.id}"]}
                return _asked(call, filters=ours)
            case About.EVENTS:
                return _asked(call, filters={"type": ["daemon"]})
            case About.CREATE:
                return replace(_asked(call), body=await self._allowed(body))
            case About.LOOK:
                return _asked(call, await self._seen(call.name))
            case About.VOLUME:
                self._mounts.check_volume(call.name, read_only=True)
                return _asked(call, call.name)
            case About.CONTAINER:
                container = await self._our(call.name)
                if call.after == "/start":
                    await self._check_mounts(container)
                return _asked(call, container)
            case About.REMOVE:
                container = await self._our(call.name)
                self._ours.discard(container)
                return _asked(call, container)

    async def _allowed(self, body: bytes) -> bytes:
        """A container of this home, as the manager asks for it."""
        form = understood(body)
        if form.labels.get(HOME_ID) != self._home.id:
            raise Refused(f"a container must bear the label {HOME_ID}={self._home.id}")
        if form.role not in ("task", "warm", "network", "probe"):
            raise Refused(f"a container must bear the label {ROLE}, and {form.role!r} is no role")
        for mount in form.sources:
            declared = isinstance(mount, Volume) or mount.bind_options is not None
            self._check_mount(mount.type, mount.source, read_only=mount.read_only, declared=declared)
        kind, _, holder = form.host_config.network_mode.partition(":")
        if kind == "container" and holder:
            await self._our(holder)
        elif form.host_config.network_mode not in self._networks:
            raise Refused(f"the network {kind!r} is not among AIR_EXECUTOR_NETWORKS")
        if form.host_config.runtime not in self._runtimes:
            raise Refused(f"the runtime {form.host_config.runtime!r} is not among AIR_EXECUTOR_RUNTIMES")
        if not self._gpus.issuperset(form.gpus):
            raise Refused(f"the GPUs {', '.join(form.gpus)} are not among AIR_EXECUTOR_GPUS")
        return form.body()

    async def _check_mounts(self, container: str) -> None:
        """Once more, since the engine looks for what it mounts when a container starts."""
        found = await self._look(container)
        for mount in found["HostConfig"].get("Mounts") or ():
            if mount["Type"] in ("bind", "volume"):
                declared = mount["Type"] == "volume" or bool(mount.get("BindOptions"))
                read_only = bool(mount.get("ReadOnly"))
                self._check_mount(mount["Type"], mount["Source"], read_only=read_only, declared=declared)

    def _check_mount(self, kind: str, source: str, *, read_only: bool, declared: bool) -> None:
        """Raises Refused where it is neither of the home nor declared by the operator."""
        if kind == "volume":
            self._mounts.check_volume(source, read_only=read_only)
        elif declared:
            self._mounts.check_path(source, read_only=read_only)
        else:
            self._home.check(source)

    async def _our(self, name: str) -> str:
        """The id of this home's container with that name or id. Raises Refused."""
        if name in self._ours:
            return name
        return self._owned(await self._look(name))

    async def _seen(self, name: str) -> str:
        """As `_our`; of the manager's own container, too."""
        if name in self._ours:
            return name
        found = await self._look(name)
        if _labels(found).get(ROLE) == MANAGER:
            return str(found["Id"])
        return self._owned(found)

    def _owned(self, found: dict[str, Any]) -> str:
        if _labels(found).get(HOME_ID) != self._home.id:
            raise Refused(f"the container {found['Name'].lstrip('/')} is not of this home")
        container = str(found["Id"])
        self._ours.add(container)
        return container

    async def _look(self, name: str) -> dict[str, Any]:
        found = await self._engine.look(name)
        if found is None:
            raise Missing(name)
        return found


class Missing(Exception):
    """There is no such container; the engine would have said so."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No such container: {name}")


def _labels(found: dict[str, Any]) -> dict[str, str]:
    return found["Config"]["Labels"] or {}


def _asked(call: Call, name: str = "", filters: object = None) -> Question:
    parameters = dict(call.parameters)
    if filters is not None:
        parameters["filters"] = json.dumps(filters)
    return Question(call.method, call.path(name), parameters)
