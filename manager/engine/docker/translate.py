"""PURE. From the manager's words to the Docker API's, and back."""

import io
import tarfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from manager.engine.contract import Observation, Status
from manager.model.container_spec import DIGEST, GATED, ContainerSpec, Network

NEVER = "0001-01-01T00:00:00Z"
"""What the API says for a time that has not come (Docker Engine API, container inspect)."""

NOT_OF_COMPOSE = {"com.docker.compose.project": "", "com.docker.compose.service": ""}
"""Compose labels the images that it builds, and containers inherit that: it would take a task's container for
one of its own, and remove it as an orphan."""


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


def container_body(spec: ContainerSpec, paths: PathTable, network_id: str | None) -> dict[str, Any]:
    """The body of `POST /containers/create`: the safe defaults of every task's container are here."""
    return {
        "Image": spec.image,
        "Entrypoint": [spec.command[0]],
        "Cmd": list(spec.command[1:]),
        "Env": [f"{key}={value}" for key, value in spec.env.items()],
        "WorkingDir": spec.workdir,
        "User": spec.user,
        "Labels": NOT_OF_COMPOSE | spec.labels | {DIGEST: spec.digest},
        "Healthcheck": {"Test": ["NONE"]},
        "NetworkDisabled": spec.network.kind == "none",
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
                for mount in spec.mounts
            ],
            "NetworkMode": _network_mode(spec.network, network_id),
            # Passes signals on and reaps orphans, as the gate does; a bare command would ignore SIGTERM.
            "Init": GATED not in spec.labels,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "ReadonlyRootfs": True,
            "Tmpfs": {"/tmp": f"rw,nosuid,nodev,mode=1777,size={spec.tmp_bytes}"},
            "Memory": spec.memory_bytes,
            "MemorySwap": spec.memory_bytes,
            "NanoCpus": int(spec.cpus * 1_000_000_000),
            "PidsLimit": spec.pids,
            "Ulimits": _ulimits(spec),
            "LogConfig": _log_config(spec.log_bytes),
            "RestartPolicy": {"Name": "no"},
        },
    }


def _ulimits(spec: ContainerSpec) -> list[dict[str, Any]]:
    """The limits that each process has for itself. Who writes past `fsize` gets SIGXFSZ."""
    if spec.file_bytes is None:
        return []
    return [{"Name": "fsize", "Soft": spec.file_bytes, "Hard": spec.file_bytes}]


def _network_mode(network: Network, network_id: str | None) -> str:
    match network.kind:
        case "job":
            return f"container:{network_id}"
        case "private":
            return "bridge"
        case "none":
            return "none"
        case "named":
            return network.name


def _log_config(log_bytes: int) -> dict[str, Any]:
    """Docker's own copy of the output, bounded.

    All that we keep must fit into its first file: who follows the output loses some, and is not told, when
    the engine begins another one (Engine 26.1, `local` driver). A record costs some 30 bytes beside its
    line, so four times as much is enough for lines of 10 bytes and more.
    """
    return {"Type": "local", "Config": {"max-size": str(4 * log_bytes), "max-file": "2", "compress": "false"}}


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
        return f"there is no command {command!r} in the image"
    if not any(mode & 0o111 for mode in modes):
        return f"the command {command!r} is not executable"
    return None


def only_file(archive: bytes) -> bytes | None:
    """What is in the file of an archive with one member; None where that is something else."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        member = members.next()
        file = members.extractfile(member) if member is not None else None
        return None if file is None else file.read()
