"""The output of a container as an engine sends it: in records, each in a frame, each in a chunk of HTTP.

A task that writes short lines makes millions of them. Taken one by one through three libraries each costs
some ten microseconds; here whole reads are taken apart at once.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import urllib3

READ = 1 << 18
"""Bytes that are read at once, where so many are there."""
HEADER = 8
"""Of a frame: the stream's number, three zeros, and the length of what follows, the highest byte first."""


class Piece(NamedTuple):
    """Some output, in how many records it came."""

    data: bytes
    records: int


def pieces(response: Any) -> Iterator[Piece]:
    """What the engine sends, as it comes. `response`: of docker-py, nothing of it was read yet.

    Raises urllib3's ProtocolError where the connection breaks before the end, OSError.
    """
    source = response.raw._fp  # http.client's, which knows how the body is sent
    body = _chunks(source.fp) if source.chunked else _whole(source)
    frames = Frames()
    for chunks in body:
        piece = frames.add(chunks)
        if piece.records:
            yield piece


def _whole(source: Any) -> Iterator[list[bytes]]:
    """A body without chunks ends with its connection."""
    while data := source.read1(READ):
        yield [data]


def _chunks(file: Any) -> Iterator[list[bytes]]:
    """The contents of all chunks that came with one read."""
    rest = b""
    while True:
        data = file.read1(READ)
        if not data:
            raise urllib3.exceptions.ProtocolError(
                "the connection ended in the middle of a container's output"
            )
        found, rest, ended = split_chunks(rest + data)
        if found:
            yield found
        if ended:
            return


def split_chunks(data: bytes) -> tuple[list[bytes], bytes, bool]:
    """The chunks of HTTP that are whole in `data`, what is left, and whether the last one was among them."""
    found: list[bytes] = []
    at = 0
    while (line_end := data.find(b"\r\n", at)) >= 0:
        length = int(data[at:line_end].partition(b";")[0], 16)
        begin = line_end + 2
        end = begin + length
        if len(data) < end + 2:
            break
        if length == 0:
            return found, data[end + 2 :], True
        found.append(data[begin:end])
        at = end + 2
    return found, data[at:], False


class Frames:
    """Takes frames apart, wherever the chunks that they come in begin and end."""

    def __init__(self) -> None:
        self._rest = b""

    def add(self, chunks: list[bytes]) -> Piece:
        """The output in all frames that are whole by now."""
        outputs: list[bytes] = []
        for chunk in chunks:
            if not self._rest and len(chunk) == HEADER + int.from_bytes(chunk[4:HEADER]):
                outputs.append(chunk[HEADER:])  # nearly always: one frame in a chunk
            else:
                self._take(self._rest + chunk, outputs)
        outputs = [output for output in outputs if output]
        return Piece(b"".join(outputs), len(outputs))

    def _take(self, data: bytes, outputs: list[bytes]) -> None:
        at = 0
        while len(data) - at >= HEADER:
            end = at + HEADER + int.from_bytes(data[at + 4 : at + HEADER])
            if len(data) < end:
                break
            outputs.append(data[at + HEADER : end])
            at = end
        self._rest = data[at:]
