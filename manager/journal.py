"""The append-only record of each job: the truth that a restart reads.

One file for each job in `journal/`. A line is `<length> <crc32> <json>`, one batch of decisions, so that no
half of a decision is ever read. The JSON is a list of objects with one key: `job`, `owner`, `task` or
`request`, each the whole of the thing after a change, so that the last one wins. Lines are synced before the
acts that they permit. A torn last line is what a crash leaves: it is cut off.
A job that has ended moves to `journal/ended/`.
"""

import json
import logging
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from air_executor.models import Decision, Job, Task
from air_executor.store import sync_folder
from manager.facts import Owner
from manager.live_job import LiveJob

log = logging.getLogger(__name__)

SUFFIX = ".journal"


class JournalDamaged(Exception):
    """A journal has a line, not its last, that is not what was written."""


@dataclass(frozen=True)
class Remembered:
    """A job as its journal tells it."""

    job: Job
    tasks: tuple[Task, ...]
    owner: Owner


class Journal:
    """All journals of one home folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ended = folder / "ended"
        self._ended.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # commands and environments are nobody else's business
        self._open: dict[str, BinaryIO] = {}

    def record(self, job: LiveJob) -> None:
        """Write down and sync what has changed in `job` since the last time.

        Raises OSError when the disk does not take it; the journal is then as it was before.
        """
        entries: list[str] = []
        fresh = job.uid not in self._open
        file = self._file(job)
        if fresh and file.tell() == 0:
            entries.append(_entry("owner", json.dumps(list(job.owner))))
            job.job_changed = True
        if job.job_changed:
            entries.append(_entry("job", job.job.model_dump_json(by_alias=True, exclude_none=True)))
        for task_id in job.changed_tasks:
            task = job.tasks[task_id]
            entries.append(_entry("task", task.model_dump_json(exclude_none=True, exclude_defaults=True)))
        entries += [
            _entry("request", decision.model_dump_json(exclude_none=True))
            for decision in job.changed_requests
        ]
        if entries:
            _append(file, _line(entries))
        if fresh:
            sync_folder(self._folder)

    def end(self, job: LiveJob) -> None:
        """The job has ended, its views are published and its containers gone."""
        self._file(job).close()
        del self._open[job.uid]
        path = self._path(job.name, job.uid)
        path.rename(self._ended / path.name)

    def remembered(self) -> Iterator[Remembered]:
        """Every job that had not ended. A damaged journal is set aside and named; the other jobs go on."""
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            try:
                job, good = _replay(path)
                if good < path.stat().st_size:
                    os.truncate(path, good)
            except JournalDamaged as error:
                aside = path.rename(path.with_name(f"{path.name}.damaged"))
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

    def _file(self, job: LiveJob) -> BinaryIO:
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
        while data:
            data = data[file.write(data) :]
        os.fsync(file.fileno())
    except OSError:
        os.ftruncate(file.fileno(), before)  # else the next line would follow half a line
        raise


def _entry(kind: str, body: str) -> str:
    return f'{{"{kind}":{body}}}'


def _line(entries: list[str]) -> bytes:
    text = f"[{','.join(entries)}]".encode()
    return b"%d %08x %s\n" % (len(text), zlib.crc32(text), text)


def _replay(path: Path) -> tuple[Remembered | None, int]:
    """What the journal tells, and how many of its bytes are whole lines. Raises JournalDamaged."""
    job: Job | None = None
    owner = Owner(0, 0)
    tasks: dict[str, Task] = {}
    requests: dict[str, Decision] = {}
    data = path.read_bytes()
    good = _whole(path, data)
    for kind, value in _entries(data[:good]):
        match kind:
            case "job":
                job = Job.model_validate(value)
            case "owner":
                owner = Owner(*value)
            case "task":
                task = Task.model_validate(value)
                tasks[task.id] = task
            case "request":
                decision = Decision.model_validate(value)
                requests[decision.request] = decision
    if job is None:
        return None, good
    job = job.model_copy(update={"requests": tuple(requests.values())})
    return Remembered(job, tuple(tasks.values()), owner), good


def _whole(path: Path, data: bytes) -> int:
    """How many bytes of `data` are whole lines. Raises JournalDamaged where more than its last is not."""
    good = 0
    for line in data.splitlines(keepends=True):
        if _checked(line) is None:
            break
        good += len(line)
    if b"\n" in data[good:].rstrip(b"\n"):
        raise JournalDamaged(f"{path}: the line at byte {good} is not what was written")
    return good


def _entries(lines: bytes) -> Iterator[tuple[str, Any]]:
    for line in lines.splitlines(keepends=True):
        for entry in json.loads(_checked(line) or b"[]"):
            yield next(iter(entry.items()))


def _checked(line: bytes) -> bytes | None:
    parts = line.rstrip(b"\n").split(b" ", 2)
    if len(parts) != 3 or not line.endswith(b"\n"):
        return None
    length, checksum, text = parts
    if length != b"%d" % len(text) or checksum != b"%08x" % zlib.crc32(text):
        return None
    return text
