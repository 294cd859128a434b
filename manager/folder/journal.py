"""The append-only record of each job: the truth that a restart reads.

One file for each job in `journal/`. A line is `<length> <crc32> <json>`, one batch of decisions, so that no
half of a decision is ever read. The JSON is a list of objects with one key: `job`, `owner`, `submitted`,
`task` or `request`, each the whole of the thing after a change, so that the last one wins. Lines are synced
before the acts that they permit. A torn last line is what a crash leaves: it is cut off.
The journal of a job that has ended is compacted into one line below `journal/ended/`: its folder is complete
without it, and it only serves to put damaged views right.
"""

import json
import logging
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from air_executor.failpoints import Failpoint, reach
from air_executor.files import sync_folder
from air_executor.format.attempts import Phase
from air_executor.format.fields import without_large_unknown
from air_executor.format.models import Decision, Job, Task
from air_executor.report import one_line
from manager.daemon.reserve import NO_RESERVE, Reserve
from manager.model import containers
from manager.model.changes import Changes
from manager.model.container_spec import OLD_WARM_PREFIX
from manager.model.values import Owner

log = logging.getLogger(__name__)

SUFFIX = ".journal"
JOURNALED = {phase: Failpoint(f"journaled-{phase.value}") for phase in Phase}


class JournalDamaged(Exception):
    """A journal has a line, not its last, that is not what was written."""


@dataclass(frozen=True)
class Remembered:
    """A job as its journal tells it."""

    job: Job
    tasks: tuple[Task, ...]
    owner: Owner
    submitted: str | None = None


class Journal:
    """All journals of one home folder."""

    def __init__(self, folder: Path, reserve: Reserve = NO_RESERVE) -> None:
        """The `reserve` is spent for jobs that the journal knows; one that is new waits for room."""
        self._folder = folder
        self._reserve = reserve
        self._ended = folder / "ended"
        self._ended.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # commands and environments are nobody else's business
        self._open: dict[str, BinaryIO] = {}
        self._of_ended = {_job_of(path): path for path in self._ended.glob(f"*{SUFFIX}")}
        self.damaged: dict[str, str] = {}
        """Names of jobs whose journal was damaged, and what that is called now."""

    def record(self, changes: Changes) -> None:
        """Write down and sync what is new in a job.

        Raises OSError when the disk does not take it; the journal is then as it was before.
        """
        unopened = changes.uid not in self._open
        file = self._file(changes)
        empty = os.fstat(file.fileno()).st_size == 0  # also after a first line that the disk did not take
        origin = [_owner_entry(changes), _submitted_entry(changes)] if empty else []
        line = _line([*origin, *_entries_of(changes)])
        if empty:
            _append(file, line)
        else:
            self._reserve.spend(lambda: _append(file, line))
        if unopened or empty:  # whoever made the file may have ended before its name was durable
            sync_folder(self._folder)
        _reach(changes)

    def end(self, job: Changes) -> None:
        """The job has ended, its views are published, its containers gone: keep one line, with all of it."""
        if job.uid in self._open:
            self._open.pop(job.uid).close()
        path = self._path(job.name, job.uid)
        line = _line([_owner_entry(job), *_entries_of(job)])
        try:
            if job.name in self._of_ended:
                self._of_ended[job.name].unlink(missing_ok=True)
            # Synced: it alone says which work folder is the job's when that is tried again.
            temporary = self._ended / f".{path.name}"
            with temporary.open("wb") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self._ended / path.name)
            sync_folder(self._ended)
            self._of_ended[job.name] = self._ended / path.name
            reach(Failpoint.JOURNAL_COMPACTED)
            path.unlink()
        except OSError as error:  # a full disk; as it stands it takes no more room than it has
            log.error("%s can't be compacted: %s", path, error)
            with suppress(OSError):
                self._of_ended[job.name] = path.rename(self._ended / path.name)

    def ended(self, name: str) -> Remembered | None:
        """What is remembered of the last job of that name that has ended."""
        if name in self._of_ended:
            with suppress(JournalDamaged, OSError):
                return _replay(self._of_ended[name])[0]
        return None

    def size_of_ended(self, name: str) -> int:
        """Bytes of what is remembered of the last job of that name that has ended; 0 where nothing is."""
        try:
            return self._of_ended[name].stat().st_size
        except (KeyError, OSError):
            return 0

    def forget_all_but(self, names: Iterable[str]) -> None:
        """Forget the ended jobs whose folder is gone: who removes it, removes the job."""
        for name in self._of_ended.keys() - set(names):
            self.forget(name)

    def forget(self, name: str) -> None:
        """Forget the last job of that name that has ended: its folder is gone."""
        path = self._of_ended.pop(name, None)
        if path is not None:
            with suppress(OSError):
                path.unlink()

    def remembered(self) -> Iterator[Remembered]:
        """Every job that had not ended. A damaged journal is set aside and named; the other jobs go on."""
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            try:
                job, good = _replay(path)
                if good < path.stat().st_size:
                    os.truncate(path, good)
            except JournalDamaged as error:
                aside = path.rename(path.with_name(f"{path.name}.damaged"))
                self.damaged[_job_of(path)] = aside.name
                log.error("%s; it is now %s, and its job is not taken up again", error, aside.name)
                continue
            if job is None:
                path.unlink()  # the crash came before the job was taken
            else:
                yield job

    def close(self) -> None:
        """Close every file."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def _file(self, job: Changes) -> BinaryIO:
        file = self._open.get(job.uid)
        if file is None:
            file = self._open[job.uid] = self._path(job.name, job.uid).open("ab", buffering=0)
        return file

    def _path(self, name: str, uid: str) -> Path:
        return self._folder / f"{name}~{uid[:12]}{SUFFIX}"


def peek(folder: Path) -> Iterator[Remembered]:
    """Every job in the journal `folder` that had not ended; read only, and a damaged one is left out."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with suppress(JournalDamaged, FileNotFoundError):
            job, _ = _replay(path)
            if job is not None:
                yield job


def _append(file: BinaryIO, data: bytes) -> None:
    before = os.fstat(file.fileno()).st_size
    try:
        for part in (data[: len(data) // 2], data[len(data) // 2 :]):
            while part:
                part = part[file.write(part) :]
            reach(Failpoint.JOURNAL_HALF_LINE)
        reach(Failpoint.JOURNAL_UNSYNCED)
        os.fsync(file.fileno())
    except OSError:
        os.ftruncate(file.fileno(), before)  # else the next line would follow half a line
        raise


def _entries_of(changes: Changes) -> list[str]:
    entries = [_job_entry(changes.job), *map(_task_entry, changes.tasks)]
    return [*entries, *map(_request_entry, changes.decisions)]


def _owner_entry(job: Changes) -> str:
    return _entry("owner", json.dumps(list(job.owner)))


def _submitted_entry(job: Changes) -> str:
    return _entry("submitted", json.dumps(job.submitted))


def _job_entry(job: Job) -> str:
    return _entry("job", job.model_dump_json(by_alias=True, exclude_none=True))


def _task_entry(task: Task) -> str:
    return _entry("task", task.model_dump_json(exclude_none=True, exclude_defaults=True))


def _request_entry(decision: Decision) -> str:
    return _entry("request", decision.model_dump_json(exclude_none=True))


def _entry(kind: str, body: str) -> str:
    return f'{{"{kind}":{body}}}'


def _line(entries: list[str]) -> bytes:
    text = f"[{','.join(entries)}]".encode()
    return b"%d %08x %s\n" % (len(text), zlib.crc32(text), text)


def _replay(path: Path) -> tuple[Remembered | None, int]:
    """What the journal tells, and how many of its bytes are whole lines. Raises JournalDamaged."""
    job: Job | None = None
    owner = Owner(0, 0)
    submitted: str | None = None
    tasks: dict[str, Task] = {}
    requests: dict[str, Decision] = {}
    data = path.read_bytes()
    texts, good = _whole(path, data)
    try:
        for kind, value in _entries(texts):
            match kind:
                case "job":
                    job = Job.model_validate(_job_of_today(value))
                case "owner":
                    owner = Owner(*value)
                case "submitted":
                    submitted = value
                case "task":
                    task = Task.model_validate(_task_of_today(value))
                    tasks[task.id] = task
                case "request":
                    decision = Decision.model_validate(value)
                    requests[decision.request] = decision
    except Exception as error:  # whatever it is, it must not keep the other jobs from being taken up
        raise JournalDamaged(f"{path}: {one_line(str(error))}") from None
    if job is None:
        return None, good
    job = job.model_copy(update={"requests": tuple(requests.values())})
    return Remembered(job, tuple(tasks.values()), owner, submitted), good


def _job_of(path: Path) -> str:
    """The name of the job that a journal is about: `<job>~<uid>.journal`."""
    return path.name.removesuffix(SUFFIX).rpartition("~")[0]


def _reach(changes: Changes) -> None:
    """Where a test may end this process: right after something of the job was written down."""
    for task in changes.tasks:
        if task.attempt is not None:
            reach(JOURNALED[task.attempt.phase])
    if changes.decisions:
        reach(Failpoint.REQUEST_JOURNALED)
    if changes.job.state.ended:
        reach(Failpoint.JOURNALED_JOB_ENDED)


def _whole(path: Path, data: bytes) -> tuple[list[bytes], int]:
    """What the whole lines of `data` say, and how many bytes those are.

    Raises JournalDamaged where more than the last line is not whole.
    """
    texts: list[bytes] = []
    good = 0
    for line in data.splitlines(keepends=True):
        text = _checked(line)
        if text is None:
            break
        texts.append(text)
        good += len(line)
    if b"\n" in data[good:].rstrip(b"\n"):
        raise JournalDamaged(f"{path}: the line at byte {good} is not what was written")
    return texts, good


def _entries(texts: Iterable[bytes]) -> Iterator[tuple[str, Any]]:
    for text in texts:
        for entry in json.loads(text):
            yield next(iter(entry.items()))


def _checked(line: bytes) -> bytes | None:
    parts = line.rstrip(b"\n").split(b" ", 2)
    if len(parts) != 3 or not line.endswith(b"\n"):
        return None
    length, checksum, text = parts
    if length != b"%d" % len(text) or checksum != b"%08x" % zlib.crc32(text):
        return None
    return text


def _job_of_today(value: dict[str, Any]) -> dict[str, Any]:
    """A job as a manager wrote it that called warm containers slots: its network was named after its slot.

    Nor did it bound what nobody knows.
    """
    value = without_large_unknown(Job, value)
    slot = value.pop("slot", None)
    return value if slot is None else {"network": containers.warm_network_name(_warm_name(slot))} | value


def _task_of_today(value: dict[str, Any]) -> dict[str, Any]:
    """Likewise."""
    value = without_large_unknown(Task, value)
    for attempt in value.get("attempts", ()):
        slot = attempt.pop("slot", None)
        if slot is not None:
            attempt["warm"] = _warm_name(slot)
    return value


def _warm_name(slot: str) -> str:
    return f"{OLD_WARM_PREFIX}{slot}"
