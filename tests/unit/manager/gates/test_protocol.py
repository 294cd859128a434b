"""The words that the manager and a gate tell each other."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manager.gates.protocol import (
    MAX_FRAME_BYTES,
    MAX_STRINGS,
    Began,
    Ended,
    Flaw,
    HandedFile,
    Mounted,
    Never,
    Unusable,
    frame,
    parse_end,
    parse_receipt,
)
from tests.unit.manager.builders import moment

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
NAMES = TEXT.filter(lambda name: name != "" and "=" not in name)
NONCES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", fullmatch=True)


class TestAFrame:
    @given(nonce=NONCES, workdir=TEXT, argv=st.lists(TEXT, min_size=1), env=st.dictionaries(NAMES, TEXT))
    def test_holds_all_of_it(self, nonce: str, workdir: str, argv: list[str], env: dict[str, str]) -> None:
        header, _, body = frame(nonce, workdir, argv, env).partition(b"\n")
        assert header == b"AIRX1 %d" % len(body)
        *strings, rest = body.decode().split("\0")
        assert rest == ""
        assert strings[:3] == [nonce, workdir, str(len(argv))]
        assert strings[3 : 3 + len(argv)] == argv
        assert strings[3 + len(argv)] == str(len(env))
        assert dict(entry.split("=", 1) for entry in strings[4 + len(argv) :]) == env

    def test_says_at_its_end_what_is_to_be_mounted_where(self) -> None:
        body = frame("n", "", ["true"], {}, [Mounted("/work", 7, 11), Mounted("/inbox", 7, 12)])
        assert body.endswith(b"true\x000\x002\x007 11 /work\x007 12 /inbox\0")

    def test_has_files_behind_all_else_whatever_is_in_them(self) -> None:
        files = [HandedFile("/run/secrets/a", b"x\0y"), HandedFile("/run/secrets/b", b"\xff", 0o440)]
        body = frame("n", "", ["true"], {}, files=files)
        assert body.endswith(
            b"true\x000\x000\x002\x00400 3 /run/secrets/a\0x\0y\x00440 1 /run/secrets/b\0\xff\0"
        )
        assert "x\\x00y" not in repr(files), "nobody is to read it in a message"

    def test_has_the_bytes_of_a_variable_that_are_no_text(self) -> None:
        body = frame("n", "", ["true"], {"A": b"\xff\xfe".decode(errors="surrogateescape")})
        assert body.endswith(b"A=\xff\xfe\0")

    @pytest.mark.parametrize("nonce", ["", "-", "-a", "a b", "a\n", "é", "n" * 65, "a\0"])
    def test_has_a_nonce_that_fits_into_a_line(self, nonce: str) -> None:
        with pytest.raises(ValueError):
            frame(nonce, "", ["true"], {})

    @pytest.mark.parametrize("name", ["", "a=b", "=", "a\0"])
    def test_has_variables_with_names(self, name: str) -> None:
        with pytest.raises(ValueError):
            frame("n", "", ["true"], {name: "x"})

    @pytest.mark.parametrize(
        ("workdir", "argv", "value"),
        [
            ("a\0b", ["true"], ""),
            ("", ["tr\0ue"], ""),
            ("", ["true"], "\0"),
            ("", [], ""),
            ("", ["\udcff"], ""),
        ],
    )
    def test_refuses_what_can_not_be_said(self, workdir: str, argv: list[str], value: str) -> None:
        with pytest.raises(ValueError):
            frame("n", workdir, argv, {"NAME": value})

    def test_is_bounded(self) -> None:
        rest = len("\0".join(("n", "", "1", "", "0", "")))
        largest = frame("n", "", ["x" * (MAX_FRAME_BYTES - rest)], {})
        assert largest.startswith(b"AIRX1 %d\n" % MAX_FRAME_BYTES)
        with pytest.raises(ValueError):
            frame("n", "", ["x" * (MAX_FRAME_BYTES - rest + 1)], {})
        with pytest.raises(ValueError):
            frame("n", "", [""] * (MAX_STRINGS + 1), {})


class TestAReceipt:
    def test_says_that_the_command_began(self) -> None:
        at = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
        line = b"BEGAN n-1 1767323045.678901999\n"
        assert parse_receipt(line) == Began("n-1", at)
        assert parse_receipt(line + b"FAILED n-1 8\n") == Began("n-1", at, 8, Flaw(errno=8))

    @pytest.mark.parametrize("reason", ["told", "patience", "short", "malformed", "unfit"])
    def test_says_that_it_never_will(self, reason: str) -> None:
        assert parse_receipt(f"NEVER n1 {reason}\n".encode()) == Never("n1", reason)  # type: ignore[arg-type]
        assert parse_receipt(f"NEVER - {reason}\n".encode()) == Never(None, reason)  # type: ignore[arg-type]

    @pytest.mark.parametrize("problem", ["missing", "denied", "workdir"])
    def test_says_that_it_can_not(self, problem: str) -> None:
        assert parse_receipt(f"UNUSABLE n1 {problem}\n".encode()) == Unusable("n1", problem)  # type: ignore[arg-type]

    def test_says_what_is_wrong_with_it(self) -> None:
        line = b"UNUSABLE n1 denied errno=13 role=interpreter file=/a%20b%0A mode=33188 uid=0 gid=7 noexec=1"
        flaw = Flaw(13, b"/a b\n", "interpreter", 33188, 0, 7, True)
        assert parse_receipt(line + b"\n") == Unusable("n1", "denied", flaw)
        failed = b"BEGAN n1 1.000000000\nFAILED n1 8 errno=99 head=MZ%90%00 here=x86_64\n"
        flaw = Flaw(8, head=b"MZ\x90\0", here=b"x86_64")
        assert parse_receipt(failed) == Began("n1", moment(1), 8, flaw)
        limits = b"UNUSABLE n1 denied errno=7 argument=3 variable=A size=140000 limit=131071\n"
        flaw = Flaw(7, argument=3, variable=b"A", size=140000, limit=131071)
        assert parse_receipt(limits) == Unusable("n1", "denied", flaw)

    @pytest.mark.parametrize(
        "facts",
        [
            b"later=1",
            b"errno=x",
            b"errno=-1",
            b"errno=01",
            b"errno=",
            b"errno=4096",
            b"mode=65536",
            b"uid=" + b"9" * 19,
            b"role=king",
        ],
    )
    def test_says_nothing_by_what_is_no_fact(self, facts: bytes) -> None:
        assert parse_receipt(b"UNUSABLE n1 denied " + facts + b"\n") == Unusable("n1", "denied")

    @pytest.mark.parametrize(
        "more",
        [b"", b"FAILED n2 8\n", b"FAILED n1 8", b"FAILED n1 08\n", b"x\nFAILED n1 8\n", b"NEVER n1 told\n"],
    )
    def test_is_its_first_line(self, more: bytes) -> None:
        assert parse_receipt(b"BEGAN n1 1.000000000\n" + more) == Began("n1", moment(1))
        assert parse_receipt(b"NEVER n1 told\nBEGAN n1 1.000000000\n") == Never("n1", "told")

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\n",
            b"BEGAN n1 1.000000000",  # half a line: the gate is writing it
            b"\nBEGAN n1 1.000000000\n",
            b" BEGAN n1 1.000000000\n",
            b"BEGAN n1 1.000000000 \n",
            b"BEGAN n1 1.000000000\r\n",
            b"BEGAN n1 1.00000000\n",
            b"BEGAN n1 1\n",
            b"BEGAN n1 -1.000000000\n",
            b"BEGAN n1 01.000000000\n",
            b"BEGAN n1 999999999999.000000000\n",
            b"BEGAN - 1.000000000\n",
            b"BEGAN n1 \xd9\xa1.000000000\n",
            b"BEGAN " + b"n" * 65 + b" 1.000000000\n",
            b"began n1 1.000000000\n",
            b"NEVER n1\n",
            b"NEVER n1 mind\n",
            b"NEVER -- told\n",
            b"NEVER n1 told twice\n",
            b"UNUSABLE - missing\n",
            b"UNUSABLE n1 gone\n",
            b"UNUSABLE n1 denied \n",
            b"UNUSABLE n1 denied errno\n",
            b"UNUSABLE n1 denied errno=1  uid=1\n",
            b"UNUSABLE n1 denied file=\xff\n",
            b"UNUSABLE n1 denied file=" + b"x" * 801 + b"\n",
            b"UNUSABLE n1 denied" + b" uid=1" * 17 + b"\n",
            b"FAILED n1 8\n",
            b"\0" * 4096,
            b"\xff\xfe\n",
        ],
    )
    def test_is_nothing_else(self, content: bytes) -> None:
        assert parse_receipt(content) is None

    @given(st.text("%0aF\x7f= ", max_size=40))
    def test_never_trips_the_reader_by_its_facts(self, facts: str) -> None:
        parse_receipt(f"UNUSABLE n1 denied file={facts}\n".encode())

    @given(st.binary(max_size=200) | st.text("BEGANVRUSILFD n1-.\n0", max_size=60).map(str.encode))
    @example(b"BEGAN n1 1.000000000\n\0")
    def test_never_trips_the_reader(self, content: bytes) -> None:
        parse_receipt(content)

    @given(nonce=NONCES, seconds=st.integers(0, 10**11 - 1), nano=st.integers(0, 10**9 - 1), junk=st.binary())
    @example(nonce="n1", seconds=34359738368, nano=999997000, junk=b"")  # a float rounds it up
    def test_survives_what_a_task_adds(self, nonce: str, seconds: int, nano: int, junk: bytes) -> None:
        receipt = parse_receipt(f"BEGAN {nonce} {seconds}.{nano:09}\n".encode() + junk)
        assert isinstance(receipt, Began)
        assert (receipt.nonce, receipt.at) == (nonce, moment(seconds, nano))


class TestTheEnd:
    @pytest.mark.parametrize("code", [0, 7, 137, 255])
    def test_says_code_and_time(self, code: int) -> None:
        """As a gate of an older version does."""
        at = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
        assert parse_end(b"ENDED %d 1767323045.678901999\n" % code) == Ended(code, at, None)

    @pytest.mark.parametrize(("code", "number"), [(0, 0), (137, 0), (137, 9), (192, 64)])
    def test_says_which_signal_ended_the_command(self, code: int, number: int) -> None:
        ended = parse_end(b"ENDED %d 1767323045.678901999 %d\n" % (code, number))
        assert ended and (ended.exit_code, ended.signal) == (code, number)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\n",
            b"ENDED 0 1.000000000",  # half a line
            b"ENDED 0 1.000000000\n\n",
            b"ENDED 0 1.000000000\nENDED 0 1.000000000\n",
            b" ENDED 0 1.000000000\n",
            b"ENDED 0 1.00000000\n",
            b"ENDED 0 1\n",
            b"ENDED 0\n",
            b"ENDED -1 1.000000000\n",
            b"ENDED 00 1.000000000\n",
            b"ENDED 1000 1.000000000\n",
            b"ENDED 0 -1.000000000\n",
            b"ENDED 0 01.000000000\n",
            b"ENDED 0 99999999999999.000000000\n",
            b"ENDED \xd9\xa1 1.000000000\n",
            b"ENDED 0 1.000000000 \n",
            b"ENDED 0 1.000000000 00\n",
            b"ENDED 0 1.000000000 100\n",
            b"ENDED 0 1.000000000 -9\n",
            b"ENDED 0 1.000000000 9 9\n",
            b"BEGAN n1 1.000000000\n",
            b"ended 0 1.000000000\n",
            b"\0" * 256,
            b"\xff\xfe\n",
        ],
    )
    def test_is_nothing_else(self, content: bytes) -> None:
        assert parse_end(content) is None

    @given(st.binary(max_size=200) | st.text("ENDED 0189.\n", max_size=40).map(str.encode))
    @example(b"ENDED 0 99999999999.000000000\n")  # a year that there is not
    def test_never_trips_the_reader(self, content: bytes) -> None:
        parse_end(content)

    @given(
        code=st.integers(0, 255),
        seconds=st.integers(0, 10**10),
        nano=st.integers(0, 10**9 - 1),
        number=st.integers(0, 64),
    )
    @example(code=0, seconds=34359738368, nano=999997000, number=0)
    def test_is_what_a_gate_writes(self, code: int, seconds: int, nano: int, number: int) -> None:
        ended = parse_end(f"ENDED {code} {seconds}.{nano:09} {number}\n".encode())
        assert ended == Ended(code, moment(seconds, nano), number)
