"""PURE. The form of the containers that the manager asks for; what has another form is refused.

Each field that the manager sends stands here with what it may say. What does not stand here (`Privileged`,
`Devices`, `PidMode`, `Binds`, and whatever a later engine understands) is refused, however it is spelled.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_pascal

from engine_proxy.refusal import Refused
from manager.model.container_spec import ROLE

Role = Literal["task", "warm", "network", "probe"]
SecurityOption = Annotated[str, Field(pattern=r"^(no-new-privileges([:=]true)?|seccomp=\{.*)$")]
HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
Address = Annotated[str, Field(pattern=r"^[0-9a-f.:]{2,45}$")]
KnownHost = Annotated[str, Field(pattern=rf"^{HOST}:[0-9a-f.:]{{2,45}}$")]
"""By its address, and never as `host-gateway`."""
Domain = Annotated[str, Field(pattern=f"^{HOST}$")]
Positive = Annotated[int, Field(gt=0)]


class _Words(BaseModel):
    """In the API's spelling; nothing beside what is declared."""

    model_config = ConfigDict(
        alias_generator=to_pascal, extra="forbid", frozen=True, hide_input_in_errors=True
    )


class BindOptions(_Words):
    """What is said of a folder that the operator has declared, and of no other."""

    propagation: Literal["rprivate"]
    non_recursive: Literal[True]


class Bind(_Words):
    """A folder or file of the engine's machine; whose it is, is asked elsewhere."""

    type: Literal["bind"]
    source: str
    target: str
    read_only: bool = False
    bind_options: BindOptions | None = None


class VolumeOptions(_Words):
    no_copy: Literal[True]


class Volume(_Words):
    """One of the engine's, which the operator has declared."""

    type: Literal["volume"]
    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    target: str
    read_only: bool = False
    volume_options: VolumeOptions


class TmpfsOptions(_Words):
    size_bytes: Positive
    mode: int = 0o1777


class Tmpfs(_Words):
    """Memory of its own."""

    type: Literal["tmpfs"]
    target: str
    read_only: bool = False
    tmpfs_options: TmpfsOptions


class Ulimit(_Words):
    name: str
    soft: int
    hard: int


class DeviceRequest(_Words):
    """GPUs; which ones may be had, is asked elsewhere."""

    driver: Literal["", "cdi"]
    count: Literal[0] = 0
    device_ids: tuple[str, ...] = Field(alias="DeviceIDs", min_length=1)
    capabilities: tuple[tuple[Literal["gpu"]]] | None = None


class LogConfig(_Words):
    type: Literal["local"]
    config: dict[str, str]


class RestartPolicy(_Words):
    name: Literal["no"]


class HostConfig(_Words):
    """What binds a container to its machine."""

    auto_remove: Literal[False] = False
    mounts: tuple[Annotated[Bind | Tmpfs | Volume, Field(discriminator="type")], ...] = ()
    network_mode: str
    extra_hosts: tuple[KnownHost, ...] = ()
    dns: tuple[Address, ...] = ()
    dns_search: tuple[Domain, ...] = ()
    init: bool | None = None
    cap_drop: tuple[Literal["ALL"]]
    cap_add: tuple[Literal["NET_ADMIN", "SETGID", "SETUID"], ...] = ()
    security_opt: tuple[SecurityOption, ...]
    readonly_rootfs: Literal[True]
    tmpfs: dict[str, str] = Field(default_factory=dict)
    memory: Positive
    memory_swap: Positive
    nano_cpus: Positive
    pids_limit: Positive
    ulimits: tuple[Ulimit, ...] = ()
    runtime: str | None = None
    device_requests: tuple[DeviceRequest, ...] = ()
    cgroupns_mode: Literal["private"] = "private"
    ipc_mode: Literal["private"] = "private"
    oom_score_adj: Annotated[int, Field(ge=0)] = 0
    log_config: LogConfig
    restart_policy: RestartPolicy

    @model_validator(mode="after")
    def _no_new_privileges(self) -> Self:
        if not any(option.startswith("no-new-privileges") for option in self.security_opt):
            raise ValueError("SecurityOpt must have no-new-privileges")
        return self


class Healthcheck(_Words):
    test: tuple[Literal["NONE"]]


class ContainerForm(_Words):
    """The body of `POST /containers/create`."""

    image: str
    entrypoint: tuple[str, ...] | None
    cmd: tuple[str, ...] | None
    env: tuple[str, ...]
    working_dir: str
    user: Annotated[str, Field(pattern=r"^\d{1,10}:\d{1,10}$")]
    labels: dict[str, str]
    healthcheck: Healthcheck
    hostname: Annotated[str, Field(pattern=f"^({HOST})?$", max_length=63)] = ""
    attach_stdin: Literal[False] = False
    host_config: HostConfig

    @model_validator(mode="after")
    def _as_its_role_may(self) -> Self:
        """Who holds a network arranges it, and a probe tries that; the host's is for a probe to look at."""
        host = self.host_config
        if host.cap_add and (self.role not in ("network", "probe") or host.network_mode == "host"):
            raise ValueError("CapAdd is for the holders of networks")
        if self.role != "probe" and host.network_mode == "host":
            raise ValueError("the host's network is for probes")
        if self.role in ("task", "warm") and "0" in {str(int(part)) for part in self.user.split(":")}:
            raise ValueError("User must not be root, nor its group root's")
        return self

    @property
    def role(self) -> str:
        """What it is to the manager."""
        return self.labels.get(ROLE, "")

    @property
    def sources(self) -> tuple[Bind | Volume, ...]:
        """What of the engine and its machine is mounted in it."""
        return tuple(mount for mount in self.host_config.mounts if isinstance(mount, Bind | Volume))

    @property
    def gpus(self) -> Iterator[str]:
        """The ids of those that it is to have."""
        for request in self.host_config.device_requests:
            yield from request.device_ids

    def body(self) -> bytes:
        """What was said, and nothing else."""
        return self.model_dump_json(by_alias=True, exclude_unset=True).encode()


def understood(body: bytes) -> ContainerForm:
    """The container that is asked for. Raises Refused."""
    try:
        return ContainerForm.model_validate_json(body)
    except ValidationError as error:
        first: Any = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Refused(f"a container of another form than the manager's: {field}: {first['msg']}") from None
