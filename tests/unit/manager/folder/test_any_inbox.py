"""Whatever a task puts into its inbox: each thing is told once, and in the end nothing of it is there."""

import json
import os
import tempfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from manager.folder.inbox import Inbox
from manager.model.facts import RequestRefused
from tests.examples import fewer
from tests.unit.manager.builders import T0, UID

NAMES = st.binary(min_size=1, max_size=255).filter(
    lambda name: not {b"/", b"\0"} & {name[i : i + 1] for i in range(len(name))} and name not in (b".", b"..")
) | st.sampled_from([b"r1.json", b"-rf", b"..x", "ü".encode(), b"a\nb", b"n" * 200])
KINDS = st.sampled_from(["file", "folder", "full", "link", "pipe", "hard"])
CONTENTS = st.binary(max_size=200) | st.sampled_from(
    [json.dumps({"id": "b", "command": "x"}).encode(), b"[" * 3000, b" " * 20_000, b"{}"]
)


def put(path: Path, kind: str, content: bytes) -> None:
    match kind:
        case "file":
            path.write_bytes(content)
        case "folder":
            path.mkdir()
        case "full":
            (path / "full").mkdir(parents=True)
        case "link":
            path.symlink_to("/etc/hostname")
        case "pipe":
            os.mkfifo(path)
        case "hard":
            other = path.parent.parent / "other"
            other.write_bytes(content)
            path.hardlink_to(other)


@fewer(30)
@given(st.dictionaries(NAMES, st.tuples(KINDS, CONTENTS), max_size=6))
@example({b"a b": ("full", b""), b"r1": ("full", b"")})
def test_each_is_told_once_and_nothing_stays(entries: dict[bytes, tuple[str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as job:
        new = Path(job, "inbox", "new")
        new.mkdir(parents=True)
        for name, (kind, content) in entries.items():
            put(new / os.fsdecode(name), kind, content)
        inbox = Inbox.of_job(Path(job))
        facts = inbox.drain(UID, T0)
        assert len(facts) == len(entries)
        for fact in facts:
            assert fact.request.isascii()
            assert fact.request.isprintable()
            if isinstance(fact, RequestRefused):
                assert len(fact.reason) < 1000
                assert fact.reason.isprintable()
        inbox.forget([fact.request for fact in facts])
        assert inbox.drain(UID, T0) == []
        assert list(new.iterdir()) == []
