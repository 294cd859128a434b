"""What the operator's files and commands are read for, and what is said where they can't be."""

import errno
import os
import signal
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from air_executor.format.secrets import MAX_SECRET_BYTES
from manager.folder.secret_values import SecretUnreadable, problems, value_of
from manager.settings import Secret
from tests.waiting import until


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
        ({"command": ["sh", "-c", "echo the-value; echo whispers >&2; exit 3"]}, "exit code 3"),
        ({"command": ["printf", r"\n\r\n\n"]}, "it is empty"),
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


def test_the_log_has_how_much_a_command_said_and_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    """`sh -x` and `curl -v` say the secret that they never came to print."""
    with pytest.raises(SecretUnreadable):
        printed("sh", "-c", "echo sent the-value >&2; exit 4")
    assert "exit code 4, after 15 bytes on standard error" in caplog.text
    assert "the-value" not in caplog.text


@pytest.mark.parametrize("shell", ["sh", "setsid sh"])
def test_what_a_command_leaves_behind_is_not_waited_for(shell: str, tmp_path: Path) -> None:
    """As an agent that it has begun, which holds what the command prints to open."""
    child = f"{shell} -c 'echo $$ >{tmp_path}/child; exec sleep 60'"
    script = f"{child} & while ! test -s {tmp_path}/child; do sleep 0.01; done; echo value"
    began = monotonic()
    try:
        assert printed("sh", "-c", script) == b"value\n"
        assert monotonic() - began < 9
    finally:
        left = int((tmp_path / "child").read_text())
        if shell == "sh":
            until(lambda: has_gone(left))
        else:
            os.kill(left, signal.SIGKILL)


def test_a_command_gets_no_longer_than_there_is_left() -> None:
    declared = {"db": Secret(command=("sleep", "60"))}
    with pytest.raises(SecretUnreadable, match=r"not ended within 0\.\d s"):
        value_of("db", declared, monotonic() + 0.2)


def test_one_that_ends_while_it_says_nothing_any_more_is_waited_for() -> None:
    assert printed("sh", "-c", "echo value; exec >&- 2>&-; sleep 0.1") == b"value\n"


def test_all_that_a_command_prints_last_is_taken() -> None:
    for _ in range(20):
        assert printed("sh", "-c", "echo begin; head -c 60000 /dev/zero") == b"begin\n" + bytes(60_000)


def test_a_command_that_never_ends_is_ended_with_all_that_it_has_begun(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("manager.folder.secret_values.PATIENCE", 0.3)
    script = f"sleep 60 & echo $! >{tmp_path}/child; wait"
    with pytest.raises(SecretUnreadable, match=r"not ended within 0\.3 s"):
        printed("sh", "-c", script)
    until(lambda: has_gone(int((tmp_path / "child").read_text())))


def test_one_that_runs_as_somebody_else_is_heard_and_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`sudo`, of a manager that is not root: the kernel forbids it to kill that, also when it has ended."""

    def forbidden(process: int, sent: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("manager.folder.secret_values.os.killpg", forbidden)
    assert printed("echo", "value") == b"value\n"
    monkeypatch.setattr("manager.folder.secret_values.PATIENCE", 0.3)
    monkeypatch.setattr("manager.folder.secret_values.GONE_WITHIN", 0.1)
    began = monotonic()
    try:
        with pytest.raises(SecretUnreadable, match=r"not ended within 0\.3 s"):
            printed("sh", "-c", f"echo $$ >{tmp_path}/it; exec sleep 30")
        assert monotonic() - began < 9
    finally:
        os.kill(int((tmp_path / "it").read_text()), signal.SIGKILL)


def has_gone(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or ") Z " in status.read_text()


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
