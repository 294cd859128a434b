import errno
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from air_executor import Client, store
from air_executor.format.limits import Bounds
from air_executor.policy import Policy
from tests.unit.air_executor.builders import DEMO, complete, fail
from tests.unit.air_executor.cli.conftest import Run

DOCUMENT = {"_note": "a comment", "job": {"name": "demo"}, "tasks": DEMO}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "job.json"
    path.write_text(json.dumps(DOCUMENT))
    return path


# --- create


def test_create_prints_the_name_and_nothing_else(run: Run, file: Path, client: Client) -> None:
    result = run("create", str(file))
    assert (result.exit_code, result.stdout) == (0, "demo\n")
    assert client.status("demo").progress == "0/2 completed"


def test_create_reads_standard_input(run: Run, client: Client) -> None:
    assert run("create", "-", input=json.dumps(DOCUMENT)).exit_code == 0
    assert client.status("demo").name == "demo"


def test_create_says_when_no_manager_will_run_the_job(run: Run, file: Path, home: Path) -> None:
    assert f"no manager is running for {home}" in run("create", str(file)).stderr


def test_create_hands_max_parallel_on(run: Run, client: Client) -> None:
    run("create", "-", input=json.dumps({"job": {"name": "demo", "max_parallel": 1}, "tasks": DEMO}))
    assert client.status("demo").job.max_parallel == 1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"tasks": [DEMO[0], {"id": "b", "command": "x", "args": "y"}]}, "tasks[1].args: must be a list"),
        ({"tasks": [DEMO[1]]}, "tasks[0].dependencies: unknown dependency 'greet'"),
        ({"job": {"name": "../x"}}, "job.name: '../x' must be 1 to 200"),
        ({"job": {"name": "demo", "max_parallel": "2"}}, "job.max_parallel: "),
        ({"more": 1}, "more: is not a known field"),
    ],
)
def test_create_refuses_bad_input_with_file_place_and_rule(
    run: Run, file: Path, home: Path, change: dict[str, Any], complaint: str
) -> None:
    file.write_text(json.dumps(DOCUMENT | change))
    result = run("create", str(file))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"{file}: {complaint}")
    assert not (home / "jobs").exists()


def test_create_names_line_and_column_of_what_is_not_json(run: Run) -> None:
    result = run("create", "-", input='{"job":\n oops}')
    assert result.exit_code == 2
    assert result.stderr.startswith("standard input: is not JSON: line 2, column 2")


def test_create_shows_nothing_that_could_steer_the_terminal(run: Run) -> None:
    result = run("create", "-", input='{"\\u001b\\u0007": 1}')
    assert result.exit_code == 2
    assert result.stderr.startswith("standard input: \ufffd\ufffd: is not a known field")


def test_create_stops_reading_at_the_limit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("air_executor.cli.jobs.OWN", Bounds(100))
    result = run("create", "-", input=" " * 1000)
    assert (result.exit_code, result.stderr) == (2, "standard input: is larger than 100 bytes\n")


def test_create_of_a_name_that_is_taken_fails_and_says_so(run: Run, file: Path) -> None:
    run("create", str(file))
    result = run("create", str(file))
    assert result.exit_code == 1
    assert "a job 'demo' is already in" in result.stderr


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "permission denied: run this as the user"),
        (errno.EROFS, "the file system is read-only: choose another home folder"),
        (errno.ENOSPC, "the disk is full: free some space"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_what_the_system_refuses_is_a_sentence_and_not_a_traceback(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "Input/output error", "/srv/x")

    monkeypatch.setattr(store, "write_durably", refuse)
    result = run("create", str(file))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"/srv/x: {advice}")
    assert len(result.stderr.splitlines()) == 1


def test_a_file_that_is_not_there_is_named(run: Run) -> None:
    result = run("create", "gone.json")
    assert (result.exit_code, result.stderr.split(":")[0]) == (1, "gone.json")


def test_a_home_that_is_a_file_is_named(run: Run, file: Path, home: Path) -> None:
    home.write_text("")
    result = run("create", str(file))
    assert result.exit_code == 1
    assert "is a file where a folder is wanted" in result.stderr


def test_the_home_may_come_from_the_environment(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from air_executor.cli.app import app

    monkeypatch.setenv("AIR_EXECUTOR_HOME", str(tmp_path / "other"))
    assert CliRunner().invoke(app, ["create", str(file)]).exit_code == 0
    assert (tmp_path / "other" / "jobs" / "demo").is_dir()


# --- wait


def test_wait_prints_each_state_and_ends_with_0_when_the_job_completed(
    run: Run, client: Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.create_job("demo", DEMO)
    # It ends after the first look at it, and before the second.
    rest = SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: complete(home, "demo"))
    monkeypatch.setattr("air_executor.client.time", rest)
    result = run("wait", "demo")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("demo: waiting, 0/2 completed", "demo: completed, 2/2 completed")
    assert len(lines) == len(set(lines))


def test_wait_ends_with_1_when_the_job_failed_and_names_task_cause_and_log(
    run: Run, client: Client, home: Path
) -> None:
    client.create_job("demo", DEMO)
    fail(home, "demo", log="what went wrong\n")
    result = run("wait", "demo")
    assert result.exit_code == 1
    assert "task greet failed: exit, exit code 3" in result.stderr
    assert "what went wrong" in result.stderr


def test_wait_ends_with_3_when_time_is_up_and_says_what_to_check(run: Run, client: Client) -> None:
    client.create_job("demo", DEMO)
    result = run("wait", "demo", "--timeout", "0.1")
    assert result.exit_code == 3
    assert "did not end within 0.1 s" in result.stderr
    assert "No manager is running" in result.stderr


def test_wait_for_a_job_that_does_not_exist_ends_at_once(run: Run) -> None:
    result = run("wait", "gone")
    assert result.exit_code == 1
    assert "no job 'gone'" in result.stderr


# --- cancel and queue


def test_cancel_asks_and_says_how_to_wait(run: Run, client: Client) -> None:
    client.create_job("demo", DEMO)
    result = run("cancel", "demo")
    assert result.exit_code == 0
    assert "`air-executor wait demo`" in result.stdout
    assert client.store.existing("demo").cancel_marker.exists()


def test_cancel_of_an_ended_job_fails(run: Run, client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    complete(home, "demo")
    result = run("cancel", "demo")
    assert result.exit_code == 1
    assert "has ended (completed)" in result.stderr


# --- retry and reset


def test_retry_asks_says_how_to_wait_and_that_no_manager_runs(run: Run, client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    fail(home, "demo")
    result = run("retry", "demo")
    assert result.exit_code == 0
    assert "`air-executor wait demo`" in result.stdout
    assert f"demo waits: no manager is running for {home}" in result.stderr
    assert client.store.existing("demo").retry_marker.exists()


def test_retry_of_a_completed_job_fails_and_names_reset(run: Run, client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    complete(home, "demo")
    result = run("retry", "demo")
    assert result.exit_code == 1
    assert "`air-executor reset demo` starts it over" in result.stderr
    assert not client.store.existing("demo").retry_marker.exists()


@pytest.mark.parametrize("command", [["retry"], ["reset"], ["reset", "--yes"]])
def test_neither_retry_nor_reset_is_for_a_job_that_has_not_ended(
    run: Run, client: Client, command: list[str]
) -> None:
    client.create_job("demo", DEMO)
    result = run(*command, "demo", input="y\n")
    assert result.exit_code == 1
    assert "has not ended (waiting)" in result.stderr
    assert "Go on?" not in result.stdout, "asked for nothing"
    assert run(*command, "gone").exit_code == 1


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_reset_asks_and_changes_nothing_without_a_yes(
    run: Run, client: Client, home: Path, answer: str
) -> None:
    client.create_job("demo", DEMO)
    fail(home, "demo")
    result = run("reset", "demo", input=answer)
    assert result.exit_code == 1
    assert (
        "demo (failed, 0/2 completed) starts over: its records, logs and work/ are deleted" in result.stdout
    )
    assert not client.store.existing("demo").reset_marker.exists()


@pytest.mark.parametrize(("options", "answer"), [([], "y\n"), (["--yes"], None), (["-y"], None)])
def test_reset_goes_on_when_it_may(
    run: Run, client: Client, home: Path, options: list[str], answer: str | None
) -> None:
    client.create_job("demo", DEMO)
    complete(home, "demo")
    result = run("reset", *options, "demo", input=answer)
    assert result.exit_code == 0
    assert ("Go on?" in result.stdout) is (answer is not None)
    assert "`air-executor wait demo`" in result.stdout
    assert client.store.existing("demo").reset_marker.exists()


def queued(client: Client) -> dict[str, Any]:
    (file,) = client.store.existing("demo").inbox_new.iterdir()
    request: dict[str, Any] = json.loads(file.read_text())
    return request


def test_queue_takes_the_command_with_its_own_options(run: Run, client: Client) -> None:
    client.create_job("demo", DEMO)
    result = run(
        "queue",
        "demo",
        "--id",
        "more",
        "--after",
        "greet",
        "--after",
        "process",
        "--",
        "ls",
        "-l",
        "--id",
        "x",
    )
    assert (result.exit_code, result.stdout) == (0, "more\n")
    assert queued(client) == {
        "id": "more",
        "command": "ls",
        "args": ["-l", "--id", "x"],
        "dependencies": ["greet", "process"],
    }


def test_queue_makes_up_an_id_and_prints_it(run: Run, client: Client) -> None:
    client.create_job("demo", DEMO)
    result = run("queue", "demo", "--", "true")
    assert result.stdout.strip() == queued(client)["id"]


def test_queue_without_a_command_is_bad_input(run: Run, client: Client) -> None:
    client.create_job("demo", DEMO)
    assert run("queue", "demo").exit_code == 2
    assert run("queue", "demo", "--", "").exit_code == 2
    assert not client.store.existing("demo").inbox.exists()


# --- create with inputs, and without creating


def test_inputs_go_where_they_are_to_or_by_their_own_name(
    run: Run, file: Path, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("a")
    result = run("create", str(file), "--input", "in", "--input", "in/a:data/b")
    assert (result.exit_code, result.stdout) == (0, "demo\n")
    work = client.store.existing("demo").work
    assert (work / "in" / "a").read_text() == (work / "data" / "b").read_text() == "a"


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (["in:../x"], "files: '../x' must be a path below /work"),
        (["in:x", "in:x"], "--input: 'x' is where 'in' goes already"),
        (["link"], "link' is a link, and none is followed"),
        (["..:"], "must be a file or folder, and where it goes"),
    ],
)
def test_inputs_that_can_not_be_brought_are_refused(
    run: Run, file: Path, home: Path, tmp_path: Path, inputs: list[str], words: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to("in")
    result = run("create", str(file), *(word for each in inputs for word in ("--input", each)))
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert str(file) not in result.stderr
    assert not (home / "jobs").exists()


def test_a_dry_run_creates_nothing_and_tells_what_would_be_done(run: Run, file: Path, home: Path) -> None:
    result = run("create", "--dry-run", str(file), "--input", str(file))
    assert result.exit_code == 0
    assert result.stdout.startswith("demo would be created: 2 tasks in 2 steps\n  1. greet\n  2. process\n")
    assert "inputs: 1 file or folder, " in result.stdout
    assert "operator's rules: not seen" in result.stdout
    assert not (home / "jobs").exists()


def test_a_dry_run_refuses_what_create_refuses(run: Run, file: Path, client: Client) -> None:
    file.write_text(json.dumps({"job": {"name": "demo"}, "tasks": [DEMO[1]]}))
    assert run("create", "--dry-run", str(file)).exit_code == 2
    file.write_text(json.dumps(DOCUMENT))
    client.create_job("demo", DEMO)
    assert run("create", "--dry-run", str(file)).exit_code == 1


def test_a_dry_run_says_that_the_rules_were_met(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("air_executor.daemon.read_policy", lambda _: Policy())
    assert run("create", "--dry-run", str(file)).stdout.endswith("operator's rules: met, as they are now\n")
    rules = Policy(max_tasks=1)
    monkeypatch.setattr("air_executor.daemon.read_policy", lambda _: rules)
    result = run("create", "--dry-run", str(file))
    assert result.exit_code == 2
    assert result.stderr == f"{file}: tasks: the job has 2 tasks, the limit is max_tasks = 1\n"


def test_a_reset_that_would_lose_files_is_refused_before_anybody_is_asked(
    run: Run, client: Client, home: Path
) -> None:
    client.create_job("demo", DEMO, files={"a": b"1"})
    fail(home, "demo")
    result = run("reset", "demo")
    assert result.exit_code == 2
    assert "created with files" in result.stderr and "Go on?" not in result.stdout
