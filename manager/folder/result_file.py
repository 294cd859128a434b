"""Results in containers' inboxes: those that commands have written, and those that they are given to read.

What a command has written is hostile: no link is followed, only a regular file is read, nothing blocks, and
no more is read than a result may have.
"""

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from air_executor.errors import BadInput
from air_executor.format.layout import RESULT, RESULT_FILE, RESULTS
from air_executor.format.results import Result, read_result
from air_executor.untrusted import NotRegular, TooLarge, opened, opened_file, whole
from manager.folder.trouble import TRANSIENT

A_FILE = "write one JSON value to a regular file of that name, or make none at all"


def read(inbox: Path, most: int) -> Result | None:
    """The result that was written, in `most` bytes; None where none was.

    Raises BadInput; OSError for a TRANSIENT error.
    """
    try:
        with opened(inbox, RESULT) as folder, opened_file(RESULT_FILE, folder) as file:
            return read_result(whole(file, most), most)
    except FileNotFoundError:
        return None
    except NotRegular:
        problem = BadInput(f"is a folder, a pipe or the like: {A_FILE}")
    except TooLarge:
        problem = BadInput(f"is larger than {most} bytes (setting `result_kb`); put it into a file in /work")
    except OSError as error:
        if error.errno in TRANSIENT:
            raise
        is_link = error.errno in (errno.ELOOP, errno.ENOTDIR)
        problem = BadInput(f"{'is a link' if is_link else error.strerror}: {A_FILE}")
    except BadInput as error:
        problem = error
    raise problem.at(f"/inbox/{RESULT}/{RESULT_FILE}")


def give(inbox: Path, results: Mapping[str, Result]) -> None:
    """Have the results of these tasks there to be read. Only while no command runs that has the inbox.

    Raises OSError.
    """
    with opened(inbox, RESULTS) as folder:
        for task, result in results.items():
            _write(f"{task}.json", result.text, folder)


def _write(name: str, text: str, folder: int) -> None:
    """Anew, where a manager was ended in the middle of it."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o644, dir_fd=folder), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text)
