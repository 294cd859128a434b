"""Thousands of jobs that have ended, in seconds: copies of one that really ran."""

import uuid
import zlib
from pathlib import Path

from bench.failed import BenchFailed
from bench.own_manager import manager_in, seconds_for

TEMPLATE = "ended-job-that-is-copied"


def fill(folder: Path, count: int) -> None:
    """Let a manager in `folder` run one job to its end, and copy that until there are `count` more.

    Each has its two files, and its line among the journals of ended jobs; names and uids are its own.
    """
    with manager_in(folder) as client:
        seconds_for(client, TEMPLATE, [{"id": "only", "command": "true"}])
        uid = client.status(TEMPLATE).job.uid
    if uid is None:
        raise BenchFailed("a job has completed without a uid")
    home = folder / "home"
    template = home / "jobs" / TEMPLATE
    files = {name: (template / name).read_text() for name in ("state.json", "tasks.json")}
    journals = home / "journal" / "ended"
    journal = _journal_text(journals, uid)
    for number in range(count):
        name, own_uid = f"ended-{number}", uuid.uuid4().hex
        job = home / "jobs" / name
        job.mkdir()
        for file, text in files.items():
            (job / file).write_text(text.replace(TEMPLATE, name).replace(uid, own_uid))
        line = _journal_line(journal.replace(TEMPLATE, name).replace(uid, own_uid))
        (journals / f"{name}~{own_uid[:12]}.journal").write_bytes(line)


def _journal_text(journals: Path, uid: str) -> str:
    """What the template's line says, without its length and checksum."""
    found = list(journals.glob(f"{TEMPLATE}~{uid[:12]}.journal"))
    if not found:
        raise BenchFailed("an ended job has left no line in the journal")
    return found[0].read_text().rstrip("\n").split(" ", 2)[2]


def _journal_line(text: str) -> bytes:
    """As `manager/folder/journal.py` has it."""
    body = text.encode()
    return b"%d %08x %s\n" % (len(body), zlib.crc32(body), body)
