"""Output is the same however an engine, and what is between, cuts it into frames, chunks and reads."""

import io
import struct
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from manager.engine.docker.log_stream import Frames, pieces, split_chunks

END = b"0\r\n\r\n"


def frame(data: bytes, stream: int = 1) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Reads:
    """A connection that gives so many bytes at a time."""

    def __init__(self, body: bytes, size: int) -> None:
        self._body, self._size = io.BytesIO(body), size

    def read1(self, most: int) -> bytes:
        return self._body.read(min(most, self._size))


def response(body: bytes, size: int = 1 << 20, *, chunked: bool = True) -> Any:
    reads = Reads(body, size)
    source = SimpleNamespace(fp=reads, chunked=chunked, read1=reads.read1)
    return SimpleNamespace(raw=SimpleNamespace(_fp=source))


@given(
    st.lists(st.binary(max_size=40), max_size=20),
    st.integers(1, 60),
    st.integers(1, 100),
)
def test_output_is_whole_and_in_order_and_its_records_are_counted(
    records: list[bytes], chunk_size: int, read_size: int
) -> None:
    framed = b"".join(frame(record, 1 + number % 2) for number, record in enumerate(records))
    cut = [framed[at : at + chunk_size] for at in range(0, len(framed), chunk_size)]
    body = b"".join(map(chunk, cut)) + END
    for found in (
        list(pieces(response(body, read_size))),
        list(pieces(response(framed, read_size, chunked=False))),
    ):
        assert b"".join(piece.data for piece in found) == b"".join(records)
        assert sum(piece.records for piece in found) == sum(map(bool, records))


def test_what_comes_with_one_read_comes_as_one_piece() -> None:
    body = b"".join(chunk(frame(b"y\n")) for _ in range(1000)) + END
    assert list(pieces(response(body))) == [(b"y\n" * 1000, 1000)]


@pytest.mark.parametrize("left", [0, 1, len(END) - 1])
def test_a_connection_that_breaks_is_not_the_end_of_the_output(left: int) -> None:
    body = chunk(frame(b"a")) + END[:left]
    with pytest.raises(urllib3.exceptions.ProtocolError):
        list(pieces(response(body)))


def test_extensions_of_chunks_are_passed_over() -> None:
    assert split_chunks(b"1;name=value\r\na\r\n0\r\n\r\nrest") == ([b"a"], b"rest", True)


def test_a_frame_waits_for_its_rest() -> None:
    frames, whole = Frames(), frame(b"output")
    assert frames.add([whole[:5]]) == (b"", 0)
    assert frames.add([whole[5:]]) == (b"output", 1)
