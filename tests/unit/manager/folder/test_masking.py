"""What a log does not show, in whatever pieces the output comes."""

import re
from base64 import b64encode
from itertools import pairwise
from random import Random
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.folder.masking import MASK, MOST_LINES, Masked, parts

OUTPUT = st.text("abc*", max_size=60).map(str.encode)
SECRETS = st.lists(st.text("ab*", min_size=4, max_size=12).map(str.encode), min_size=1, max_size=4)


def masked(secrets: list[bytes], *chunks: bytes) -> bytes:
    written: list[bytes] = []
    stream = Masked(secrets, written.append)
    for chunk in chunks:
        stream.write(chunk)
    stream.end()
    return b"".join(written)


@given(secrets=SECRETS, output=OUTPUT, cuts=st.lists(st.integers(0, 60)))
def test_the_same_is_masked_in_whatever_pieces_it_comes(
    secrets: list[bytes], output: bytes, cuts: list[int]
) -> None:
    """Else a log could not be gone on with by a manager that comes back."""
    longest_first = sorted(set(secrets), key=len, reverse=True)
    whole = re.sub(b"|".join(map(re.escape, longest_first)), lambda _: MASK, output)
    edges = [0, *sorted(min(cut, len(output)) for cut in cuts), len(output)]
    pieces = [output[begin:end] for begin, end in pairwise(edges)]
    assert masked(secrets, *pieces) == whole


def test_a_long_one_is_found_byte_by_byte() -> None:
    secret = bytes(range(1, 10)) * 500 + b"!"
    output = secret[:-1] + b"?" + secret + secret[:40]
    pieces = [output[at : at + 1] for at in range(len(output))]
    assert masked([secret], *pieces) == secret[:-1] + b"?" + MASK + secret[:40]


def test_a_secret_of_many_lines_costs_little_more_where_it_is_found() -> None:
    """In the thread's own time: an expression of all lines takes twenty times as long, and no other thread
    runs meanwhile."""
    chance = Random(1)
    secrets = [b"\n".join(b64encode(chance.randbytes(45)) for _ in range(200)) for _ in range(4)]
    line = secrets[0].split(b"\n")[0]
    output = b64encode(chance.randbytes(48_000))
    assert masked(secrets, output + line) == output + MASK
    assert seconds(secrets, output + line) < 6 * seconds(secrets, output)


def seconds(secrets: list[bytes], output: bytes) -> float:
    """What it takes at least."""
    found = []
    for _ in range(5):
        stream, began = Masked(secrets, lambda _: None), thread_time()
        stream.write(output)
        found.append(thread_time() - began)
    return min(found)


def test_secrets_that_are_found_in_each_other_everywhere_cost_no_more_than_their_masks() -> None:
    secrets = [b"a" * count for count in range(4, 204)]
    began = thread_time()
    assert masked(secrets, b"a" * 65_536) == MASK * (65_536 // 203 + 1)
    assert thread_time() - began < 5


def test_what_is_no_beginning_of_one_is_handed_on_at_once() -> None:
    written: list[bytes] = []
    stream = Masked([b"s3cret"], written.append)
    stream.write(b"a line\nand s3c")
    assert written == [b"a line\nand "]
    stream.write(b"ond")
    assert written == [b"a line\nand ", b"s3cond"]


@pytest.mark.parametrize(
    ("secret", "looked_for"),
    [
        (b"pass\n", [b"pass"]),
        (b"abc\n", []),
        (b"one line\r\n", [b"one line"]),
        (b"a long line\nshort\n\nanother long line\n", [b"a long line", b"another long line"]),
        (b"\n\n", []),
        (b"", []),
        (b"\0\xff\0\xff", [b"\0\xff\0\xff"]),
    ],
)
def test_a_value_is_looked_for_whole_or_line_by_line(secret: bytes, looked_for: list[bytes]) -> None:
    assert parts(secret) == looked_for


def test_of_very_many_lines_the_first_are_looked_for() -> None:
    assert len(parts(b"\n".join(b"line %05d" % number for number in range(5000)))) == MOST_LINES


def test_where_nothing_is_to_be_masked_output_is_handed_on_as_it_comes() -> None:
    assert masked([b"abc"], b"a", b"abc") == b"aabc"
