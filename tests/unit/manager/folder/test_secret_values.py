"""What the operator's files and commands are read for, and what is said where they can't be."""

from pathlib import Path
from typing import Any

import pytest

from air_executor.format.secrets import MAX_SECRET_BYTES
from manager.folder.secret_values import SecretUnreadable, problems, value_of
from manager.settings import Secret


def printed(*command: str) -> bytes:
    return value_of("db", {"db": Secret(command=command)})


def test_a_file_is_taken_as_it_stands_and_anew_each_time(tmp_path: Path) -> None:
    declared = {"db": Secret(file=tmp_path / "db")}
    for content in (b"one\n", b"\0\xff two"):
        (tmp_path / "db").write_bytes(content)
        assert value_of("db", declared) == content


def test_a_command_is_run_without_a_shell_and_without_input() -> None:
    assert printed("printf", "%s", "$HOME; id") == b"$HOME; id"
    assert printed("sh", "-c", "cat; echo it") == b"it\n"


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ({"file": "/nowhere/db"}, "No such file"),
        ({"file": "/dev/zero"}, "not a regular file"),
        ({"command": ["/no/such"]}, "No such file"),
        ({"command": ["sh", "-c", "echo the-value; echo whispers >&2; exit 3"]}, "exit code 3; manager.log"),
        ({"command": ["true"]}, "it is empty"),
        ({"command": ["cat", "/dev/zero"]}, f"prints more than {MAX_SECRET_BYTES} bytes"),
        ({"command": ["sh", "-c", "kill -9 $$"]}, "exit code -9"),
    ],
    ids=str,
)
def test_what_can_not_be_had_is_told_with_its_setting_and_without_its_words(
    secret: dict[str, Any], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    place = next(iter(secret))
    with pytest.raises(SecretUnreadable, match=told) as raised:
        value_of("db", {"db": Secret(**secret)})
    assert f"(setting `secrets.db.{place}`)" in str(raised.value)
    assert "whispers" not in str(raised.value) and "the-value" not in caplog.text


def test_the_log_has_what_a_command_said_without_the_value(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SecretUnreadable):
        printed("sh", "-c", "echo the-value; echo it is the-value >&2; exit 1")
    assert "it is ***" in caplog.text and "the-value" not in caplog.text


def test_a_command_that_never_ends_is_ended_with_all_that_it_has_begun(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("manager.folder.secret_values.PATIENCE", 0.3)
    script = f"sleep 60 & echo $! >{tmp_path}/child; wait"
    with pytest.raises(SecretUnreadable, match=r"not ended within 0\.3 s"):
        printed("sh", "-c", script)
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    assert not child.exists() or ") Z " in child.read_text()


def test_words_without_end_are_not_kept() -> None:
    assert printed("sh", "-c", "head -c 1000000 /dev/zero >&2; echo value") == b"value\n"


def test_one_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"x" * (MAX_SECRET_BYTES + 1))
    with pytest.raises(SecretUnreadable, match="more than"):
        value_of("db", {"db": Secret(file=tmp_path / "db")})


def test_one_that_is_not_declared_is_told_so() -> None:
    with pytest.raises(SecretUnreadable, match=r"not declared any more in config\.toml"):
        value_of("db", {})


def test_the_operator_is_told_before_a_task_asks(tmp_path: Path) -> None:
    good, open_to_all = tmp_path / "good", tmp_path / "open"
    for file, mode in ((good, 0o600), (open_to_all, 0o644)):
        file.write_text("value")
        file.chmod(mode)
    declared = {
        "good": Secret(file=good),
        "open": Secret(file=open_to_all),
        "none": Secret(file=tmp_path / "none"),
        "folder": Secret(file=tmp_path),
        "runs": Secret(command=("true",)),
        "does-not": Secret(command=("/no/such",)),
    }
    told = list(problems(declared))
    assert [line.split("'")[1] for line in told] == ["open", "none", "folder", "does-not"]
    assert "chmod o-r" in told[0] and "No such file" in told[1] and "value" not in "".join(told)
