"""Whatever is in a journal's file: its job is taken up, or it is set aside, and the other jobs go on."""

import json
import tempfile
import zlib
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from manager.folder.journal import Journal
from tests.examples import fewer
from tests.unit.air_executor.format.test_any_document import NEARLY, RECORDS, VALUES

ENTRIES = st.lists(
    st.dictionaries(
        st.sampled_from(["job", "task", "request", "owner", "submitted", "theirs"]),
        VALUES | RECORDS | NEARLY,
        max_size=1,
    )
    | VALUES,
    max_size=4,
)


def line(entries: Any) -> bytes:
    text = json.dumps(entries).encode()
    return b"%d %08x %s\n" % (len(text), zlib.crc32(text), text)


@fewer(50)
@given(
    st.binary(max_size=200) | st.lists(ENTRIES.map(line) | st.binary(max_size=50), max_size=3).map(b"".join)
)
def test_any_bytes_are_a_job_or_set_aside(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as home:
        journal = Journal(Path(home))
        (Path(home) / "job~0123456789ab.journal").write_bytes(data)
        taken_up = len(list(journal.remembered()))
        assert taken_up + len(journal.damaged) <= 1
