"""What of a secret is found in what a task hands over."""

import pytest

from air_executor.errors import quoted
from air_executor.format.results import OutputFile, Result
from manager.folder import disclosure

KEY = b'{\n  "kind": "key",\n  "words": "a b c"\n}\n'


@pytest.mark.parametrize(
    ("secret", "value"),
    [
        (b"s3cret", "before s3cret after"),
        (b"s3cret\n", {"a": [{"s3cret": None}]}),
        (b"123456", {"pin": 123456}),
        (b'a"b\\c', 'a"b\\c'),
        (b"-----BEGIN-----\nfirst-line\nsecond-line\n", ["second-line"]),
        ("gehört-mir".encode(), "gehört-mir"),
        (KEY, {"of": {"kind": "key", "words": "a b c"}}),
        (KEY, KEY.decode()),
    ],
)
def test_a_value_is_found_however_json_writes_it(secret: bytes, value: object) -> None:
    assert disclosure.in_result(Result.of(value), [b"another", secret])


@pytest.mark.parametrize("secret", [b"abc", b"", b"\xff\xfe\xfd\xfc", b"{}", b"[1]", b"s3cret!"])
def test_others_are_not_found(secret: bytes) -> None:
    assert not disclosure.in_result(Result.of({"abc": "s3cret", "x": {}, "y": [1]}), [secret])


def test_a_value_is_not_found_across_two_strings() -> None:
    assert not disclosure.in_result(Result.of(["s3", "cret"]), [b"s3cret"])


def test_names_are_looked_at_as_they_are() -> None:
    file = OutputFile(path="a/s3cret.csv", size=0, sha256="0" * 64)
    assert disclosure.in_names([file], [b"s3cret"])
    assert not disclosure.in_names([file], [b"another"])


@pytest.mark.parametrize("secret", ["s3cret", "long-" * 30, "it's", "a'b\"c\\d-wörd", "one\ttwo\x1b[0m"])
def test_a_sentence_is_found_that_quotes_one_whole_or_its_beginning(secret: str) -> None:
    for value in (secret, f"before {secret}", f'{secret} "', f"{secret} '"):
        assert disclosure.in_words(f"has the key {quoted(value)} twice", [b"another", secret.encode()])
    assert not disclosure.in_words(f"has the key {quoted('word')} twice", [secret.encode()])
