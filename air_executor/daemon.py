"""What the manager tells about itself in `manager.json`, and whether it is there at all."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from air_executor.format.fields import Time
from air_executor.logs import tail

LOCK = "manager.lock"
STATUS = "manager.json"
LOG = "manager.log"


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

    @model_serializer(mode="wrap")
    def _without_empty_pulling(self, usual: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `pulling` out where nothing is pulled, which is nearly always."""
        fields: dict[str, Any] = usual(self)
        if not self.pulling:
            del fields["pulling"]
        return fields


def running(home: Path) -> bool:
    """Whether a manager holds the lock of this home folder."""
    try:
        handle = os.open(home / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def read_status(home: Path) -> ManagerStatus | None:
    """The manager's latest words, or None when it has never run here."""
    with suppress(OSError, ValidationError):
        return ManagerStatus.model_validate_json((home / STATUS).read_bytes())
    return None


def diagnosis(home: Path) -> str:
    """What to check when a job does not come on."""
    log = home / LOG
    end = ""
    with suppress(OSError):  # this explains another error and must not become one
        end = tail(log, 5)
    if not running(home):
        advice = (
            f"No manager is running for {home}: start it with `make up`, `docker compose up -d manager` "
            "or `python run_manager.py`."
        )
    else:
        status = read_status(home)
        advice = "The manager is running"
        if status:
            advice += f" ({status.runners} of {status.max_runners} runners in use, engine: {status.engine})"
        if status and status.problem:
            advice += f"; {status.problem}"
        if status and status.pulling:
            advice += f"; it is pulling {', '.join(status.pulling)}"
        advice += "; it may be busy with other jobs, or the engine may be slow: see `./status.sh`."
    return advice + (f"\nThe end of {log}:\n{end}" if end else f"\n{log} is not there yet, or can't be read.")
