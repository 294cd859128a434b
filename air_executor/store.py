"""The jobs folder: create a job whole, read it, ask something of it.

Layout: see "The folder" in ARCHITECTURE.md. Whoever reads here may be ahead of or behind the manager,
but never sees half a file.
"""

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from air_executor.errors import BadInput, JobExists, JobNotFound, quoted
from air_executor.files import (
    FOLDER_MODE,
    Readers,
    Version,
    folder_of,
    open_to,
    sync_folder,
    touch,
    version_of,
    write_durably,
)
from air_executor.format import layout, names
from air_executor.format.documents import parse_json, validate
from air_executor.format.graph import check_edges
from air_executor.format.limits import OWN, Bounds
from air_executor.format.models import Job, JobState, JobView, Task
from air_executor.format.text import job_text, task_text, tasks_text
from air_executor.format.users import Owner
from air_executor.inputs import InputFiles
from air_executor.untrusted import (
    NotItsOwn,
    NotRegular,
    TooLarge,
    is_folder,
    is_regular,
    opened,
    opened_own,
    whole,
)

HOME_VARIABLE = "AIR_EXECUTOR_HOME"
DEFAULT_HOME = ".air-executor"
WAKE = ".wake-"
"""How the name of a wake file begins; the rest is the name of an ended job that the manager is to look at."""
FOLDERS_AT_HAND = 200
"""Job folders that are kept, so that their paths are not put together again each time."""
_LEFTOVER = re.compile(rf"\.({re.escape(layout.STATE)}|{re.escape(layout.TASKS)})\.[0-9a-f]{{12}}")


def home_folder(home: str | os.PathLike[str] | None = None) -> Path:
    """`home`, or what AIR_EXECUTOR_HOME says, or `./.air-executor`; absolute."""
    return Path(home or os.environ.get(HOME_VARIABLE) or DEFAULT_HOME).absolute()


NOT_ITS_OWN = "is a link, or somebody else's file; what is in a job's folder must be its own regular files"


class JobFolder:
    """One job's folder and the names of what is in it.

    Whoever may write there may put anything there, at any moment: so all is read and written through a handle
    of the folder, and no link is followed, that in the folder's own place included. The paths are for people.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name

    @property
    def state_file(self) -> Path:
        """The job, as its readers see it."""
        return self.path / layout.STATE

    @property
    def tasks_file(self) -> Path:
        """Its tasks."""
        return self.path / layout.TASKS

    @property
    def logs(self) -> Path:
        """The output of its tasks."""
        return self.path / layout.LOGS

    @property
    def work(self) -> Path:
        """What its containers see as `/work`."""
        return self.path / layout.WORK

    @property
    def inbox(self) -> Path:
        """What its containers see as `/inbox`."""
        return self.path / layout.INBOX

    @property
    def inbox_new(self) -> Path:
        """Requests that are complete."""
        return self.inbox / layout.NEW

    @property
    def inbox_tmp(self) -> Path:
        """Requests that are being written."""
        return self.inbox / layout.TMP

    @property
    def cancel_marker(self) -> Path:
        """Asks that the job is stopped."""
        return self.path / layout.CANCEL

    @property
    def retry_marker(self) -> Path:
        """Asks that what failed in it runs again."""
        return self.path / layout.RETRY

    @property
    def reset_marker(self) -> Path:
        """Asks that it starts over."""
        return self.path / layout.RESET

    def log_file(self, task: str) -> Path:
        """Standard output and error of the task's last attempt."""
        return self.logs / layout.log_name(task)

    def opened(self, *below: str) -> AbstractContextManager[int]:
        """A handle of the folder, or of one `below` it. Raises OSError, as where it is a link."""
        return opened(self.path, *below)

    @property
    def owner(self) -> int:
        """The user that it belongs to: whoever made the job. Raises OSError."""
        with self.opened() as folder:
            return os.fstat(folder).st_uid

    @contextmanager
    def opened_log(self, task: str) -> Iterator[int]:
        """A handle of the log of the task's last attempt.

        Raises FileNotFoundError where there is none, BadInput where something else stands in its place.
        """
        try:
            with self.opened(layout.LOGS) as logs, opened_own(layout.log_name(task), logs) as log:
                yield log
        except NotItsOwn:
            raise BadInput(NOT_ITS_OWN, where=self.log_file(task)) from None
        except NotRegular:
            raise BadInput("is not a regular file", where=self.log_file(task)) from None
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            raise BadInput("is not a folder of the job's own", where=self.logs) from None

    def has_log(self, task: str) -> bool:
        """Whether there is something in the place of the task's log."""
        try:
            with self.opened(layout.LOGS) as logs:
                os.stat(layout.log_name(task), dir_fd=logs, follow_symlinks=False)
        except OSError:
            return False
        return True

    def read_job(self, bounds: Bounds = OWN) -> Job:
        """What `state.json` says.

        Raises FileNotFoundError when it is not there (yet), BadInput when it breaks a rule.
        """
        with self.opened() as folder:
            return self._job(folder, bounds)

    def read_tasks(self, bounds: Bounds = OWN) -> tuple[Task, ...]:
        """What `tasks.json` says.

        Raises FileNotFoundError when it is not there (yet), BadInput when it breaks a rule.
        """
        with self.opened() as folder:
            return self._tasks(folder, bounds)

    def read(self) -> JobView:
        """The job with its tasks. The state is read first: tasks are never older than it.

        A job that failed for bad input is shown without tasks when its tasks can't be read.
        """
        with self.opened() as folder:
            job = self._job(folder, OWN)
            try:
                tasks = self._tasks(folder, OWN)
            except (BadInput, FileNotFoundError):
                if not job.state.ended:
                    raise
                tasks = ()
        return JobView(job=job, tasks=tasks)

    def _job(self, folder: int, bounds: Bounds) -> Job:
        try:
            job = validate(Job, parse_json(_content(folder, self.state_file, bounds), bounds))
            if job.name != self.name:
                raise BadInput(
                    f"is {quoted(job.name)}, but the folder is {self.name!r}; they must agree", field="name"
                )
        except BadInput as error:
            raise error.at(self.state_file) from None
        return job

    def _tasks(self, folder: int, bounds: Bounds) -> tuple[Task, ...]:
        try:
            value = parse_json(_content(folder, self.tasks_file, bounds), bounds)
            if not isinstance(value, list):
                raise BadInput('must be a list of tasks, such as [{"id": "greet", "command": "echo"}]')
            if len(value) > bounds.tasks:
                raise BadInput(f"the job has {len(value)} tasks, the limit is max_tasks = {bounds.tasks}")
            check_edges(_dependencies(entry) for entry in value)
            return tuple(validate(Task, entry, f"tasks[{index}]") for index, entry in enumerate(value))
        except BadInput as error:
            raise error.at(self.tasks_file) from None

    def look(self) -> JobView | BadInput | None:
        """The job; or, where it can't be read, the complaint; or None where it is not (yet) a job."""
        try:
            return self.read()
        except BadInput as error:
            return error
        except FileNotFoundError:
            return None
        except OSError as error:
            return BadInput(f"can't be read: {error.strerror}", where=error.filename or self.path)

    @property
    def size(self) -> int:
        """Bytes of the job's two files, as far as they are there."""
        return sum(version.size for version in self.stamp() if version is not None)

    def stamp(self) -> tuple[Version | None, Version | None]:
        """Changes whenever one of the job's two files is replaced; costs a few microseconds."""
        try:
            with self.opened() as folder:
                return version_of(layout.STATE, folder), version_of(layout.TASKS, folder)
        except OSError:
            return None, None

    def request_cancel(self) -> None:
        """Ask the manager to stop this job. Asking twice is asking once."""
        self.mark(layout.CANCEL)

    def mark(self, marker: str) -> None:
        """Put a marker into the folder. Raises FileExistsError where what is there is no regular file."""
        with self.opened() as folder:
            touch(marker, folder)

    def is_marked(self, marker: str) -> bool:
        """Whether that marker is there, as a regular file; False where the folder is closed to us."""
        try:
            with self.opened() as folder:
                return is_regular(marker, folder)
        except OSError:
            return False

    def marked_at(self, marker: str) -> int | None:
        """When that marker was made or asked for again, in nanoseconds; None where it is not there."""
        try:
            with self.opened() as folder:
                if is_regular(marker, folder):
                    return os.stat(marker, dir_fd=folder, follow_symlinks=False).st_mtime_ns
        except OSError:
            pass
        return None

    def discard_leftovers(self) -> None:
        """Remove temporary files that a killed writer of the two files left. Only for whoever writes them."""
        with contextlib.suppress(OSError), self.opened() as folder:
            with os.scandir(folder) as entries:
                leftovers = [entry.name for entry in entries if _LEFTOVER.fullmatch(entry.name)]
            for name in leftovers:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=folder)

    @property
    def submitted(self) -> str | None:
        """Which `state.json` this is: another one in its place has another text; None where there is none.

        The manager keeps it in its journal, so its form stays.
        """
        try:
            with self.opened() as folder:
                status = os.stat(layout.STATE, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return None
        return f"{status.st_ino} {status.st_ctime_ns}"

    def is_fresh(self, bounds: Bounds) -> bool:
        """Whether this is a job that no manager has taken yet."""
        try:
            job = self.read_job(bounds)
        except (OSError, BadInput):
            return False
        return job.uid is None and job.state is JobState.WAITING

    @property
    def awaits_manager(self) -> bool:
        """Whether somebody asks that the ended job runs again, and no manager has taken that up yet."""
        return self.is_marked(layout.RETRY) or self.is_marked(layout.RESET)


def _content(folder: int, path: Path, bounds: Bounds) -> bytes:
    """What is in the file of that name in the folder; the path is for messages. Raises BadInput, OSError."""
    try:
        with opened_own(path.name, folder) as file:
            return whole(file, bounds.bytes)
    except NotItsOwn:
        raise BadInput(NOT_ITS_OWN) from None
    except NotRegular:
        if is_folder(path.name, folder):  # no view could take its place: this is no job yet, not a bad one
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path) from None
        raise BadInput("is not a regular file") from None
    except TooLarge:
        raise BadInput(f"is larger than {bounds.bytes} bytes") from None
    except OSError as error:
        error.filename = path
        raise


def _dependencies(entry: Any) -> int:
    """How many there are in what may be a task."""
    found = entry.get("dependencies") if isinstance(entry, dict) else None
    return len(found) if isinstance(found, list) else 0


class Store:
    """All jobs below one home folder."""

    def __init__(self, home: str | os.PathLike[str] | None = None) -> None:
        self.home = home_folder(home)
        self.jobs = self.home / "jobs"

    def folder(self, name: str) -> JobFolder:
        """The folder of the job `name`, whether it exists or not. Raises BadInput for what is no name."""
        return _job_folder(self.jobs, name)

    def existing(self, name: str) -> JobFolder:
        """The folder of a job that is there. Raises JobNotFound."""
        folder = self.folder(name)
        try:
            with folder.opened() as handle:
                if not is_folder(layout.STATE, handle):
                    return folder
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
        raise JobNotFound(name, self.jobs)

    def wake_file(self, name: str) -> Path:
        """The wake file of the ended job `name`: the manager looks at the job at once, and removes this."""
        return self.jobs / f"{WAKE}{name}"

    def ask_again(self, job: str, marker: str) -> None:
        """Put `marker` into an ended job's folder, and a wake file beside it.

        Without a wake file the manager finds the marker as well, only later: so it may fail to be made.
        """
        self.folder(job).mark(marker)
        with contextlib.suppress(OSError), folder_of(self.jobs) as jobs:
            touch(f"{WAKE}{job}", jobs)

    def folders(self) -> Iterator[JobFolder]:
        """Every folder that may be a job."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self.jobs) as entries:
            for entry in entries:
                if names.is_name(entry.name) and entry.is_dir(follow_symlinks=False):
                    yield JobFolder(Path(entry.path))

    def owner_of_new(self) -> Owner:
        """Whose the folder of a job is that this process makes."""
        with contextlib.suppress(OSError):
            jobs = self.jobs.stat()
            if jobs.st_mode & stat.S_ISGID:
                return Owner(os.geteuid(), jobs.st_gid)
        return Owner(os.geteuid(), os.getegid())

    def create(self, job: Job, tasks: Sequence[Task], files: InputFiles | None = None) -> JobFolder:
        """Write a new job, with the `files` that it brings, so that nobody ever sees half of it.

        Raises JobExists when the name is taken; BadInput and OSError of the files.
        """
        make_jobs(self.jobs)
        folder = self.folder(job.name)
        hidden = JobFolder(self.jobs / f".new-{secrets.token_hex(8)}")
        hidden.path.mkdir(0o700)
        try:
            with hidden.opened() as handle:
                open_to(handle, Readers.of(handle))
                if files:
                    files.put(handle)
                write_durably(layout.TASKS, tasks_text(task_text(task) for task in tasks), handle)
                write_durably(layout.STATE, job_text(job), handle)
            if folder.path.exists():  # an empty folder would be replaced by the rename
                raise FileExistsError
            hidden.path.rename(folder.path)
        except BaseException as error:  # Ctrl-C as well: nobody else would ever clear up the hidden folder
            _discard(hidden)
            if isinstance(error, OSError) and folder.path.exists():
                raise JobExists(job.name, self.jobs) from None
            raise
        sync_folder(self.jobs)
        return folder


def make_jobs(jobs: Path) -> None:
    """Make the folder of all jobs, and that it is in, where they are missing."""
    jobs.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        jobs.mkdir(FOLDER_MODE)
        jobs.chmod(FOLDER_MODE)


@lru_cache(FOLDERS_AT_HAND)
def _job_folder(jobs: Path, name: str) -> JobFolder:
    return JobFolder(jobs / names.check_name(name, "job name"))


def _discard(hidden: JobFolder) -> None:
    shutil.rmtree(hidden.path, ignore_errors=True)
