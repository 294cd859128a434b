"""The command as a process of its own: pipes, signals and imports."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from air_executor import Client
from tests.unit.air_executor.builders import DEMO, write_log

CALL = [sys.executable, "-c", "from air_executor.cli import main; main()"]


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**inherited, "AIR_EXECUTOR_HOME": str(home)}


@pytest.mark.parametrize("arguments", [["logs", "demo"], ["status"], ["status", "--json"]])
def test_a_reader_that_has_gone_away_is_no_error_worth_a_word(
    client: Client, home: Path, environment: dict[str, str], arguments: list[str]
) -> None:
    client.create_job("demo", DEMO)
    write_log(home, "demo", "greet", "hello\n")
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        [*CALL, *arguments], stdout=writer, stderr=subprocess.PIPE, env=environment, check=False
    )
    os.close(writer)
    assert (result.returncode, result.stderr) == (1, b"")


def test_ctrl_c_ends_it_without_a_word(client: Client, environment: dict[str, str]) -> None:
    client.create_job("demo", DEMO)
    process = subprocess.Popen(
        [*CALL, "wait", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # as in a terminal
    )
    assert process.stdout is not None
    process.stdout.readline()  # it waits now
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=10)
    assert (process.returncode, complaints) == (130, b"")


def test_progress_is_seen_at_once_through_a_pipe(client: Client, environment: dict[str, str]) -> None:
    client.create_job("demo", DEMO)
    begun = time.monotonic()
    process = subprocess.Popen(
        [*CALL, "wait", "demo", "--timeout", "30"], stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"demo: waiting, 0/2 completed\n"
    assert time.monotonic() - begun < 20
    process.kill()
    process.communicate()


def test_a_terminal_without_unicode_gets_question_marks(environment: dict[str, str]) -> None:
    result = subprocess.run(
        [*CALL, "status"],
        capture_output=True,
        env={**environment, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"Manager   ? not running" in result.stdout


def test_looking_at_a_job_imports_neither_manager_nor_engine_nor_airflow(
    client: Client, environment: dict[str, str]
) -> None:
    client.create_job("demo", DEMO)
    script = (
        "import sys\n"
        "from air_executor.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({'manager', 'docker', 'airflow', 'httpx'} & set(sys.modules)),"
        " file=sys.stderr)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, "status", "demo"], capture_output=True, env=environment, check=True
    )
    assert result.stderr == b"[]\n"
