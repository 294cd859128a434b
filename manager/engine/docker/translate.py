"""PURE. From the manager's words to the Docker API's, and back."""

import io
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from air_executor.errors import quoted
from air_executor.format import secrets
from manager.engine.contract import Observation, Status
from manager.engine.docker import declared, devices, names, volumes
from manager.engine.docker.accounts import Accounts
from manager.engine.docker.names import NameFiles
from manager.model import missing_command
from manager.model.container_spec import ACCOUNTS, DIGEST, GATED, SHM_MB, ContainerSpec, Mount, Network

NEVER = "0001-01-01T00:00:00Z"
"""What the API says for a time that has not come (Docker Engine API, container inspect)."""

NOT_OF_COMPOSE = {"com.docker.compose.project": "", "com.docker.compose.service": ""}
"""Compose labels the images that it builds, and containers inherit that: it would take a task's container for
one of its own, and remove it as an orphan."""


PAGE = 4096
"""What a file takes of a file system in memory, at least, unless it is empty."""
OOM_SCORE = 1000
"""The most there is: when the host runs out of memory, tasks go before anything that is not one."""

KERNELS = ("/proc", "/sys")
COUNTED = 64 << 20
"""Bytes of output that the engine keeps at least: of so much it is known how much we leave out."""
A_RECORD = 40
"""Bytes at most that the `local` driver writes beside a line (source: `logdriver/entry.proto`, 26.1)."""
SURELY_KEPT = 1 << 20
"""Of any container of ours, also one that an older manager has made."""

ARGUMENT_BYTES = 128 * 1024 - 1
"""Linux takes no longer argument or variable, its name and `=` included (execve(2), MAX_ARG_STRLEN)."""
ALL_BYTES = (2 << 20) - (64 << 10)
"""Of all arguments and variables: a quarter of the usual stack, less what the image and the init add."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is the same for every container of an image that is made for the same user."""

    volumes: Sequence[str] = ()
    """Which the image declares."""
    seccomp: str | None = None
    """The profile; None: the engine's own."""
    open_files: int = 16_384
    tmp_exec: bool = True
    """Whether what is in /tmp may be executed."""
    accounts: Accounts | None = None
    """By which its user has a name."""
    heeds_variables: bool = False
    """Whether a variable could get it GPUs that it was not given."""
    names: NameFiles | None = None
    """By which it knows what its spec says of hosts."""

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """Beside those that a spec asks for."""
        of_names = () if self.names is None else self.names.mounts
        return of_names if self.accounts is None else (*self.accounts.mounts, *of_names)

    @property
    def labels(self) -> dict[str, str]:
        """Beside those that a spec asks for."""
        of_names = {} if self.names is None else self.names.labels
        if self.accounts is None or not self.accounts.mounts:
            return of_names
        return {ACCOUNTS: self.accounts.folder} | of_names

    @property
    def env(self) -> dict[str, str]:
        """What every login sets; the task may say otherwise."""
        return {} if self.accounts is None else dict.fromkeys(("USER", "LOGNAME"), self.accounts.user)


class PathTable:
    """Where the manager's folders are on the engine's host.

    Bind sources are resolved where the engine runs. A manager in a container sees a folder of the host at
    another path: its own mounts tell which.
    """

    def __init__(self, mounts: Iterable[tuple[str, str]] = ()) -> None:
        """`mounts` are pairs (path in the manager's container, path on the host)."""
        self._mounts = sorted(mounts, key=lambda mount: len(mount[0]), reverse=True)

    def host_path(self, path: str) -> str:
        """`path` as the engine knows it; as it stands when no mount covers it."""
        for inside, outside in self._mounts:
            if PurePosixPath(path).is_relative_to(inside):
                return str(PurePosixPath(outside) / PurePosixPath(path).relative_to(inside))
        return path


def container_body(
    spec: ContainerSpec, paths: PathTable, network_id: str | None, terms: Terms = Terms()
) -> dict[str, Any]:
    """The body of `POST /containers/create`: the safe defaults of every task's container are here."""
    mounts = (*spec.mounts, *terms.mounts)
    return {
        "Image": spec.image,
        **_executed(spec),
        "Env": [f"{key}={value}" for key, value in (terms.env | spec.env | _visible(spec, terms)).items()],
        "WorkingDir": spec.workdir,
        "User": spec.user,
        "Labels": NOT_OF_COMPOSE | spec.labels | terms.labels | {DIGEST: spec.digest},
        "Healthcheck": {"Test": ["NONE"]},
        "Hostname": names.own_name(spec),
        "AttachStdin": False,
        "HostConfig": {
            "AutoRemove": False,
            "Mounts": [
                {
                    "Type": "bind",
                    "Source": paths.host_path(mount.source),
                    "Target": mount.target,
                    "ReadOnly": mount.read_only,
                }
                for mount in mounts
            ]
            + declared.mounts(spec),
            "NetworkMode": _network_mode(spec.network, network_id),
            # Passes signals on and reaps orphans, as the gate does; a bare command would ignore SIGTERM.
            # Not where the first process lays its capabilities down: an init would keep them.
            "Init": GATED not in spec.labels and not spec.capabilities,
            "CapDrop": ["ALL"],
            "CapAdd": list(spec.capabilities),
            "SecurityOpt": _security(terms.seccomp),
            "CgroupnsMode": "private",
            "IpcMode": "private",
            "ReadonlyRootfs": True,
            **names.of_host(spec),
            "Tmpfs": _in_memory(spec, mounts, terms),
            "Memory": spec.memory_bytes,
            "MemorySwap": spec.memory_bytes,
            "NanoCpus": int(spec.cpus * 1_000_000_000),
            "PidsLimit": spec.pids + 1,  # the first process is ours
            "OomScoreAdj": OOM_SCORE,
            "Ulimits": _ulimits(spec, terms.open_files),
            **devices.of_host(spec),
            "LogConfig": _log_config(spec.log_bytes),
            "RestartPolicy": {"Name": "no"},
        },
    }


def _executed(spec: ContainerSpec) -> dict[str, list[str] | None]:
    """Where nothing is said, the engine takes what the image has."""
    if spec.runs_the_images:
        return {"Entrypoint": None, "Cmd": list(spec.command) or None}
    return {"Entrypoint": [spec.command[0]], "Cmd": list(spec.command[1:])}


def _visible(spec: ContainerSpec, terms: Terms) -> dict[str, str]:
    return devices.visible(spec) if terms.heeds_variables else {}


def _security(profile: str | None) -> list[str]:
    """Nothing is said of AppArmor and SELinux: where the host has them, the engine's profile is in force."""
    return ["no-new-privileges=true", *([] if profile is None else [f"seccomp={profile}"])]


def _in_memory(spec: ContainerSpec, mounts: Iterable[Mount], terms: Terms) -> dict[str, str]:
    """Places that are file systems in memory, with their options: bounded in bytes and in files.

    The engine takes `noexec` for said where neither is.
    """
    tmp = "exec" if terms.tmp_exec else "noexec"
    own = {
        "/tmp": f"rw,nosuid,nodev,{tmp},mode=1777,{_bounds(spec.tmp_bytes)}",
        "/dev/shm": f"rw,nosuid,nodev,noexec,mode=1777,{_bounds(spec.shm_bytes or SHM_MB << 20)}",
    }
    uid, _, gid = spec.user.partition(":")
    own |= {
        each.target: f"rw,nosuid,nodev,{tmp},mode=700,uid={uid},gid={gid},{_bounds(each.bytes)}"
        for each in spec.in_memory
    }
    if spec.secrets_bytes is not None and GATED in spec.labels:
        own[secrets.FOLDER] = _secrets(spec.user, spec.secrets_bytes)
    mounted = [*own, *spec.places, *(mount.target for mount in mounts)]
    return own | volumes.in_their_place(terms.volumes, mounted)


def _secrets(user: str, size: int) -> str:
    """The user's alone: its gate puts into it what comes with the command. The engine's host swaps none of it
    out, for no container of ours may use swap."""
    uid, _, gid = user.partition(":")
    return f"rw,nosuid,nodev,noexec,mode=0700,uid={uid},gid={gid},{_bounds(size)}"


def _bounds(size: int) -> str:
    return f"size={size},nr_inodes={size // PAGE}"


def _ulimits(spec: ContainerSpec, open_files: int) -> list[dict[str, Any]]:
    """The limits that each process has for itself. Who writes past `fsize` gets SIGXFSZ.

    Not nproc: the kernel counts that over all containers of a user.
    """
    usual = {"nofile": open_files, "core": 0}
    usual |= {} if spec.file_bytes is None else {"fsize": spec.file_bytes}
    return devices.ulimits(spec, usual)


def _network_mode(network: Network, network_id: str | None) -> str:
    match network.kind:
        case "job":
            return f"container:{network_id}"
        case "private":
            return "bridge"
        case "none" | "host" as kind:
            return kind
        case "named":
            return network.name


def _log_config(log_bytes: int) -> dict[str, Any]:
    """Docker's own copy of the output, bounded.

    All that we keep must fit into its first file: who follows the output loses some, and is not told, when
    the engine begins another one (Engine 26.1, `local` driver). A record costs some 30 bytes beside its
    line, so four times as much is enough for lines of 10 bytes and more.

    And what is not kept should be counted, so a small limit does not make a small copy.
    """
    size = max(4 * log_bytes, COUNTED)
    return {"Type": "local", "Config": {"max-size": str(size), "max-file": "2", "compress": "false"}}


def surely_kept(data: dict[str, Any]) -> int:
    """How large a container's output is at least, with A_RECORD for each line, when some has gone.

    The engine lets its oldest file go when it begins the third; one of full size is there ever after.
    """
    config = data["HostConfig"].get("LogConfig", {}).get("Config") or {}
    size = str(config.get("max-size", ""))
    return int(size) * 9 // 10 if size.isdecimal() else SURELY_KEPT


def observation(data: dict[str, Any], unusable_command: str | None = None) -> Observation:
    """From the answer of `GET /containers/{id}/json`."""
    state = data["State"]
    started = engine_time(state["StartedAt"])
    finished = engine_time(state["FinishedAt"])
    status = _status(state["Status"], started)
    ended = status is Status.EXITED
    return Observation(
        id=data["Id"],
        name=data["Name"].removeprefix("/"),
        labels=data["Config"]["Labels"] or {},
        status=status,
        image_id=data["Image"],
        created_at=engine_time(data["Created"]) or datetime.now(UTC),
        started_at=started,
        finished_at=finished if ended else None,
        exit_code=state["ExitCode"] if ended else None,
        oom_killed=ended and bool(state["OOMKilled"]),
        unusable_command=unusable_command,
    )


def listed(data: dict[str, Any]) -> Observation:
    """From one entry of `GET /containers/json`."""
    return Observation(
        id=data["Id"],
        name=(data["Names"] or ["/"])[0].removeprefix("/"),
        labels=data["Labels"] or {},
        status=Status.CREATED if data["State"] == "created" else _status(data["State"], None),
        image_id=data["ImageID"],
        created_at=datetime.fromtimestamp(data["Created"], UTC),
    )


def _status(word: str, started: datetime | None) -> Status:
    match word:
        case "created":
            # A start that failed leaves `created` behind; one that had begun never says so again.
            return Status.CREATED if started is None else Status.EXITED
        case "running" | "paused" | "restarting":
            return Status.RUNNING
        case _:  # exited, dead, removing
            return Status.EXITED


def engine_time(text: str) -> datetime | None:
    """A time as the engine writes it, in nanoseconds; microseconds are kept. None where it never was."""
    if not text or text == NEVER:
        return None
    stamp, _, zone = text.partition("Z") if text.endswith("Z") else (text[:-6], "", text[-6:])
    whole, _, fraction = stamp.partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}{zone or '+00:00'}").astimezone(UTC)


def unusable_command(command: str, image_path: str, workdir: str, mode_of: Any) -> str | None:
    """Why `command` could not be executed in its container, or None when it could.

    `mode_of(path)` tells a file's permission bits, or None where there is no such file.
    """
    if "/" in command:
        candidates = [str(PurePosixPath(workdir) / command)]
    else:
        candidates = [f"{folder or '.'}/{command}" for folder in image_path.split(":")]
    modes = [mode for path in candidates if (mode := mode_of(path)) is not None]
    if not modes:
        return missing_command.told(command, " in the image")
    if not any(mode & 0o111 for mode in modes):
        return f"the command {quoted(command)} is not executable"
    return None


def is_the_kernels(folder: str) -> bool:
    """Whether it is in a file system of the kernel's own, in which an engine can't make a folder."""
    return any(PurePosixPath(folder).is_relative_to(place) for place in KERNELS)


def too_long(spec: ContainerSpec) -> str | None:
    """Why no Linux executes the command with these arguments and variables, or None where it may."""
    arguments = [len(_bytes(argument)) for argument in spec.command]
    variables = {name: len(_bytes(f"{name}={value}")) for name, value in spec.env.items()}
    for number, size in enumerate(arguments):
        if size > ARGUMENT_BYTES:
            return f"argument {number} is {size:,} bytes long, and {ARGUMENT_BYTES:,} are the most"
    for name, size in variables.items():
        if size > ARGUMENT_BYTES:
            return f"the variable {name!r} is {size:,} bytes long, and {ARGUMENT_BYTES:,} are the most"
    sizes = [*arguments, *variables.values()]
    all_of_them = sum(sizes) + 9 * len(sizes)  # each ends with a NUL, and has a pointer to it
    if all_of_them > ALL_BYTES:
        return f"arguments and variables are {all_of_them:,} bytes in all, and {ALL_BYTES:,} are the most"
    return None


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def only_file(archive: bytes) -> bytes | None:
    """What is in the file of an archive with one member; None where that is something else."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        member = members.next()
        file = members.extractfile(member) if member is not None and member.isreg() else None
        return None if file is None else file.read()
