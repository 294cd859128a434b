"""What the manager tells about itself in `manager.json`, and what it allows; whether it is there at all."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from air_executor.clock import utc_now
from air_executor.format.fields import Time
from air_executor.logs import tail
from air_executor.policy import Policy
from air_executor.policy.published import read_published
from air_executor.untrusted import NotRegular, TooLarge, opened_file, whole

LOCK = "manager.lock"
STATUS = "manager.json"
POLICY = "policy.json"
LOG = "manager.log"
MOST_RULES = 16 << 20
"""Bytes of the rules that are read."""
SILENCE = 20.0
"""Seconds after which a manager that has said nothing is taken for gone: it speaks every five."""


class ManagerStatus(BaseModel):
    """The manager's own words, written whenever they change and at every poll."""

    model_config = ConfigDict(frozen=True)

    pid: int
    host: str
    started_at: Time
    updated_at: Time
    runners: int
    """Containers in use."""
    max_runners: int
    engine: str
    """`Docker 26.1.5`, or why the engine can't be used."""
    problem: str | None = None
    """Why work stands still, where it does: a full disk, for example."""
    pulling: tuple[str, ...] = ()
    """Images that are being fetched, and how far each is."""
    process: str | None = None
    """What tells its process from any other one; see `process_of`."""
    stopped: bool = False
    """Whether these are its last words."""

    @model_serializer(mode="wrap")
    def _without_what_is_usual(self, usual: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what is nearly always the same: that nothing is pulled, and that it goes on."""
        fields: dict[str, Any] = usual(self)
        for name in ("pulling", "process", "stopped"):
            if not fields[name]:
                del fields[name]
        return fields

    def is_running(self) -> bool:
        """Whether the manager is there now. Where its process can't be seen, one that spoke just now is."""
        if self.stopped:
            return False
        seen = self._is_seen()
        return self.silent_for(utc_now()) < SILENCE if seen is None else seen

    def _is_seen(self) -> bool | None:
        """Whether its process is there; None where that can't be told from here."""
        here = _processes()
        if self.process is None or here is None or self.process.partition(" ")[0] != here:
            return None
        return process_of(self.pid) == self.process

    def silent_for(self, now: datetime) -> float:
        """Seconds since it said this."""
        return (now - self.updated_at).total_seconds()


def process_of(pid: int) -> str | None:
    """What tells this process from any other one: among which it is, and when it began. None where it is not.

    A container has other processes than the machine that it runs on; numbers are used again.
    """
    try:
        words = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return f"{_processes()} {words[19]}"
    except (OSError, IndexError):
        return None


def _processes() -> str | None:
    """Among which processes this one is."""
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return None


def running(home: Path) -> bool:
    """Whether a manager runs for this home folder, by its own words; False where they can't be read."""
    with suppress(PermissionError):
        status = read_status(home)
        return status is not None and status.is_running()
    return False


def read_status(home: Path) -> ManagerStatus | None:
    """The manager's latest words, or None when it has never run here.

    Raises PermissionError where they are not this user's to read.
    """
    try:
        return ManagerStatus.model_validate_json((home / STATUS).read_bytes())
    except PermissionError:
        raise
    except (OSError, ValidationError):
        return None


def read_policy(home: Path) -> Policy | None:
    """What the operator allows, by the manager that is running; None where there is none, or none is seen.

    Those of a manager that has ended say nothing of the next one's.
    """
    if not running(home):
        return None
    with suppress(OSError, NotRegular, TooLarge), opened_file(home / POLICY) as file:
        return read_published(whole(file, MOST_RULES))
    return None


def diagnosis(home: Path) -> str:
    """What to check when a job does not come on."""
    log = home / LOG
    end = ""
    with suppress(OSError, NotRegular), opened_file(log) as file:  # must not become an error of its own
        end = tail(file, 5)
    try:
        status = read_status(home)
    except PermissionError:
        return f"{home / STATUS}, the manager's own words, are not yours to read (setting readers_group)."
    if status is None or not status.is_running():
        advice = (
            f"No manager is running for {home}: start it with `make up`, `docker compose up -d manager` "
            "or `python run_manager.py`."
        )
    else:
        advice = "The manager is running"
        advice += f" ({status.runners} of {status.max_runners} runners in use, engine: {status.engine})"
        if status.problem:
            advice += f"; {status.problem}"
        if status.pulling:
            advice += f"; it is pulling {', '.join(status.pulling)}"
        advice += "; it may be busy with other jobs, or the engine may be slow: see `./status.sh`."
    return advice + (f"\nThe end of {log}:\n{end}" if end else f"\n{log} is not there yet, or can't be read.")
