"""What is left of output when a terminal has shown all of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from air_executor.terminal import as_shown, open_escape, without_escapes

ESCAPES = (
    "\x1b[31m",
    "\x1b[1;38;2;0;9;255m",
    "\x1b[m",
    "\x9b31m",
    "\x1b[2J",
    "\x1b[?25l",
    "\x1b[10;20H",
    "\x1b[ q",
    "\x1b(B",
    "\x1bc",
    "\x1b7",
    "\x1b]0;a title\x07",
    "\x1b]8;;https://example.org/\x1b\\",
    "\x1bPq#0~~@@\x1b\\",
    "\x1b_x\x1b\\",
)


@pytest.mark.parametrize("escape", ESCAPES)
def test_escapes_are_gone_and_what_is_around_them_stays(escape: str) -> None:
    assert as_shown(f"a{escape}b\n{escape}c") == "ab\nc"
    assert without_escapes(f"a{escape}b") == "ab"


@pytest.mark.parametrize(
    "text", ["\x1b[", "\x1b]0;no end", "\x1b", "\x1b[3\n1m", "\x1b]0;\nERROR\x07", "\x9d"]
)
def test_what_is_no_whole_escape_hides_nothing(text: str) -> None:
    assert as_shown(f"{text}\nERROR").endswith("\nERROR")
    assert as_shown(text) == text


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("10%\r20%\r100%\n", "100%\n"),
        ("a long progress bar\rdone", "done"),
        ("50%\r", "50%"),
        ("50%\r\n60%\r\r\n", "50%\n60%\n"),
        ("50%\r\x1b[K", ""),
        ("50%\r\x1b[0Kdone", "done"),
        ("50%\x1b[2K\rdone", "done"),
        ("\x1b[01m\x1b[Kerror:\x1b[m\x1b[K no", "error: no"),
        ("50%\b\b\b51%", "51%"),
        ("N\bNA\bAM\bME\bE", "NAME"),
        ("-\b\\\b|\b", "|"),
        ("\b\b\bx", "x"),
        ("漢字\r字", "字"),
        ("a\tb", "a\tb"),
        ("", ""),
    ],
)
def test_what_was_written_over_is_gone(written: str, shown: str) -> None:
    assert as_shown(written) == shown


@given(st.text(st.characters(exclude_characters="\x1b\x9b\x9d\x90\x98\x9e\x9f\r\b")))
def test_text_without_any_of_it_is_left_alone(text: str) -> None:
    assert as_shown(text) == text
    assert without_escapes(text) == text
    assert open_escape(text) == len(text)


@given(st.lists(st.sampled_from([*ESCAPES, "\x1b", "[", "]", "\r", "\b", "\n", "\x1b[K", "x", "\x07"])))
def test_no_line_comes_or_goes_and_nothing_is_made_up(pieces: list[str]) -> None:
    text = "".join(pieces)
    lines = text.replace("\r\n", "\n").split("\n")
    shown = as_shown(text).split("\n")
    assert len(shown) == len(lines)
    for before, after in zip(lines, shown, strict=True):
        assert not set(after) - set(before)


@pytest.mark.parametrize("escape", ESCAPES)
def test_a_sequence_that_breaks_off_is_seen(escape: str) -> None:
    for cut in range(1, len(escape)):
        assert open_escape("text" + escape[:cut]) == len("text"), escape[:cut]
    assert open_escape(escape + "text") == len(escape + "text")


@pytest.mark.parametrize(
    "hostile", ["\x9d", "\x1b]", "\x1b[", "\x1b[0", "a\x1b[m", "a\b", "a\r", "\x1b[K", "\x1bP"]
)
def test_a_megabyte_of_anything_is_quick(hostile: str) -> None:
    text = hostile * ((1 << 20) // len(hostile))
    as_shown(text)
    without_escapes(text)
    open_escape(text)
