import threading
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from air_executor.logs import LOOKED_AT, MOST_SHOWN, escaped, follow, harmless, letter_at, readable, tail
from air_executor.untrusted import opened_file


def tail_of(file: Path, lines: int) -> str:
    with opened_file(file) as log:
        return tail(log, lines)


@pytest.mark.parametrize(
    "character",
    "\x1b\x07\x08\0\r\x7f\x9b\x0c\u202e\u2066\u2028\ud800\u200e\u200f\u061c\u200b\u200d\ufeff",
)
def test_what_could_steer_a_terminal_is_replaced(character: str) -> None:
    assert harmless(f"a{character}b") == "a\N{REPLACEMENT CHARACTER}b"


def test_what_is_escaped_is_right_in_json_too() -> None:
    text = "a\x9b\u202e\ufeff\tb\nü"
    assert escaped(text) == "a\\u009b\\u202e\\ufeff\tb\nü"


def test_lines_tabs_and_all_other_letters_stay() -> None:
    assert harmless("a\tb\nü 漢 😀\r\nend") == "a\tb\nü 漢 😀\nend"


def test_the_tail_is_the_last_lines(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("".join(f"{number}\n" for number in range(100)))
    assert tail_of(file, 3) == "97\n98\n99"


def test_the_tail_of_a_shorter_log_is_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("only\nno end")
    assert tail_of(file, 20) == "only\nno end"


def test_the_tail_is_bounded_harmless_and_survives_broken_letters(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"x" * 1_000_000 + "ü".encode()[1:] + b"\x1b[2J\n")
    end = tail_of(file, 5)
    assert len(end) <= MOST_SHOWN
    assert "\x1b" not in end
    assert end.endswith("xxx\N{REPLACEMENT CHARACTER}")


def test_the_tail_begins_with_a_letter_and_looks_past_a_long_progress_bar(tmp_path: Path) -> None:
    file = tmp_path / "log"
    bar = b"".join(b"\r%6d of 50000" % number for number in range(50_001))
    file.write_bytes("ü".encode() * LOOKED_AT + b"\nFATAL: no disk\n" + bar)
    assert tail_of(file, 2) == "FATAL: no disk\n 50000 of 50000"
    file.write_bytes("ü".encode() * LOOKED_AT + b"\n")
    assert set(tail_of(file, 1)) == {"ü"}


@given(st.text(st.characters(codec="utf-8"), max_size=50), st.integers(0, 40))
def test_from_where_a_letter_begins_the_rest_can_be_read(text: str, begin: int) -> None:
    data = text.encode()
    data[letter_at(data, min(begin, len(data))) :].decode()


def test_a_log_in_a_summary_is_what_a_terminal_shows() -> None:
    assert (
        readable("\x1b[1;31mError\x1b[0m: \x1b\x1b[0m[2J\r\n10%\r20%\u202e") == "Error: \ufffd[2J\n20%\ufffd"
    )


def test_following_an_ended_log_gives_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(bytes(range(256)) * 1000)
    assert b"".join(follow(partial(opened_file, file), lambda: True)) == file.read_bytes()


def test_following_a_log_that_never_came_ends_with_its_task(tmp_path: Path) -> None:
    assert list(follow(partial(opened_file, tmp_path / "log"), lambda: True)) == []


def test_following_gives_what_is_added_and_ends_with_the_task(tmp_path: Path) -> None:
    file, ended = tmp_path / "log", threading.Event()

    def write() -> None:
        time.sleep(0.05)  # the log comes later than whoever reads it
        with file.open("wb", buffering=0) as log:
            for number in range(5):
                log.write(b"%d\n" % number)
                time.sleep(0.02)
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert b"".join(follow(partial(opened_file, file), ended.is_set, interval=0.01)) == b"0\n1\n2\n3\n4\n"
    writer.join()


def test_nothing_that_was_written_just_before_the_end_is_missed(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"first\n")

    def ended() -> bool:
        with file.open("ab") as log:
            log.write(b"last\n")
        return True

    assert b"".join(follow(partial(opened_file, file), ended)) == b"first\nlast\n"


def test_the_log_of_a_further_attempt_is_read_from_its_beginning(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"first attempt\n")
    answers = iter([False, True])

    def ended() -> bool:
        answer = next(answers)
        if answer:
            file.rename(tmp_path / "log.1")
            file.write_bytes(b"second\n")
        return answer

    assert list(follow(partial(opened_file, file), ended, interval=0)) == [b"first attempt\n", b"second\n"]
