"""Tells in `policy.json` what the operator allows, so that jobs can be checked where they are made."""

import logging
from contextlib import suppress
from pathlib import Path

from air_executor.daemon import POLICY
from air_executor.files import Readers, write_whole
from air_executor.policy import Policy
from air_executor.policy.published import published_text

log = logging.getLogger(__name__)


def publish(home: Path, settings: Policy, readers: Readers) -> None:
    """Have the rules of today there, and not those of an earlier manager."""
    file, aside = home / POLICY, home / f".{POLICY}"
    try:
        write_whole(file, published_text(settings), readers)
        aside.unlink(missing_ok=True)
    except OSError as error:
        log.error("%s can't be written: %s; jobs are checked when they are taken", file, error)
        with suppress(OSError):  # not deleted: on a full disk that would be room for a stranger
            file.rename(aside)
