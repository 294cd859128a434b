"""The users for whom warm containers are kept: a small file, read when a manager starts.

It is the manager's own, and only spares the next manager the time to learn them anew: where it is missing or
damaged, that begins with the users of the home.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress

from air_executor.files import Readers, write_whole
from air_executor.format.users import parse_user
from manager.core import policy
from manager.folder.workspace import owner_of
from manager.model.home import Home
from manager.model.values import BY_ROOT, Owner, Sharing
from manager.settings import Settings

log = logging.getLogger(__name__)


def regulars(home: Home, settings: Settings, able: Sharing = BY_ROOT) -> tuple[Owner, ...]:
    """Those whose jobs came last, whoever was last first; then those whose jobs are likely to come.

    None whose tasks could not write in a work folder: their jobs are refused.
    """
    known = dict.fromkeys((*_remembered(home), *_expected(home, settings)))
    return tuple(user for user in known if able.serves(user.uid))


def remember(home: Home, users: Iterable[Owner]) -> None:
    """Write them down. What can't be written is learnt anew."""
    try:
        owner = owner_of(home.journal)
        write_whole(home.regulars, "".join(f"{user}\n" for user in users), Readers(owner.uid, owner.gid))
    except OSError as error:
        log.info("%s can't be written: %s", home.regulars, error.strerror)


def _remembered(home: Home) -> Iterator[Owner]:
    with suppress(OSError):
        for line in home.regulars.read_text(errors="replace").splitlines():
            with suppress(ValueError):
                yield Owner(*parse_user(line))


def _expected(home: Home, settings: Settings) -> Iterator[Owner]:
    """Airflow's user in the stack, whoever makes jobs beside the manager, and who has the home."""
    for folder in (home.airflow, home.jobs, home.path):
        with suppress(OSError):
            yield policy.usual_user(owner_of(folder), settings)
