import sys
import threading
import time
from pathlib import Path

import pytest

from air_executor import Client, JobState, TaskStatus
from air_executor.cli.task_logs import Logs
from tests.unit.air_executor.builders import DEMO, after, complete, publish, write_log
from tests.unit.air_executor.cli.conftest import Run


@pytest.fixture
def demo(client: Client) -> Client:
    client.create_job("demo", DEMO)
    return client


def begun(home: Path, *order: str) -> None:
    """The tasks run, having begun in this order."""
    tasks = [
        task.model_copy(
            update={"status": TaskStatus.RUNNING, "started_at": after(order.index(task.id))}
            if task.id in order
            else {}
        )
        for task in Client(home).status("demo").tasks
    ]
    publish(home, "demo", tasks, state=JobState.WORKING)


def test_the_log_of_a_task_is_printed_as_it_is(run: Run, demo: Client, home: Path) -> None:
    content = b"\x1b[31mred\x1b[0m \xff\xfe\r\nno end"
    write_log(home, "demo", "greet", content)
    result = run("logs", "demo", "greet")
    assert (result.exit_code, result.stdout_bytes) == (0, content)


def test_without_a_task_all_logs_come_with_a_headline_in_the_order_of_their_beginning(
    run: Run, demo: Client, home: Path
) -> None:
    begun(home, "process", "greet")
    write_log(home, "demo", "greet", "hello\n")
    write_log(home, "demo", "process", "no line end")
    assert (
        run("logs", "demo").stdout == "==> process <==\nprocess | no line end\n==> greet <==\ngreet | hello\n"
    )


def test_tasks_that_have_not_begun_are_left_out(run: Run, demo: Client, home: Path) -> None:
    write_log(home, "demo", "greet", "hello\n")
    assert run("logs", "demo").stdout == "==> greet <==\ngreet | hello\n"


def test_a_job_of_which_no_task_has_begun_says_so(run: Run, demo: Client) -> None:
    result = run("logs", "demo")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no task of job 'demo' has begun (waiting)" in result.stderr


@pytest.mark.parametrize("options", [(), ("-f",)])
def test_a_task_that_does_not_exist_is_an_error_that_names_those_that_do(
    run: Run, demo: Client, options: tuple[str, ...]
) -> None:
    result = run("logs", "demo", "gone", *options)
    assert result.exit_code == 1
    assert "no task 'gone'; its tasks: greet, process" in result.stderr


def test_a_job_that_does_not_exist_is_an_error(run: Run) -> None:
    assert run("logs", "gone").exit_code == 1


def test_following_a_task_ends_with_the_task(run: Run, demo: Client, home: Path) -> None:
    begun(home, "greet")
    log = write_log(home, "demo", "greet", "one\n")

    def work() -> None:
        time.sleep(0.2)
        with log.open("a") as more:
            more.write("two\n")
        first, second = demo.status("demo").tasks
        publish(home, "demo", [first.model_copy(update={"status": TaskStatus.COMPLETED}), second])

    working = threading.Thread(target=work)
    working.start()
    result = run("logs", "-f", "demo", "greet")
    working.join()
    assert result.stdout == "one\ntwo\n"
    assert demo.status("demo").state is JobState.WORKING


def test_following_a_job_ends_with_the_job_and_shows_tasks_that_come_later(
    run: Run, demo: Client, home: Path
) -> None:
    def work() -> None:
        time.sleep(0.2)
        begun(home, "greet")
        write_log(home, "demo", "greet", "hello\n")
        time.sleep(0.2)
        write_log(home, "demo", "process", "bye\n")
        complete(home, "demo")

    working = threading.Thread(target=work)
    working.start()
    result = run("logs", "demo", "--follow")
    working.join()
    assert result.exit_code == 0
    assert result.stdout == "==> greet <==\ngreet | hello\n==> process <==\nprocess | bye\n"


def test_following_a_job_that_vanishes_ends_with_an_error(run: Run, demo: Client, home: Path) -> None:
    going = threading.Timer(0.2, (home / "jobs" / "demo").rename, (home / "gone",))
    going.start()
    result = run("logs", "demo", "-f")
    going.join()
    assert result.exit_code == 1
    assert "no job 'demo'" in result.stderr


def test_a_terminal_gets_logs_made_harmless(
    demo: Client, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    # A letter of three bytes lies across the border of two chunks.
    write_log(home, "demo", "greet", b"x" * 65535 + "€".encode() + b"\x1b]0;title\x07\a\n")
    Logs(demo, "demo").print_one("greet")
    assert capsys.readouterr().out == "x" * 65535 + "€\ufffd\n"


def test_of_several_logs_colours_are_dropped_also_across_two_reads(
    run: Run, demo: Client, home: Path
) -> None:
    write_log(home, "demo", "greet", b"x" * 65534 + b"\x1b[31mred\x1b[0m\n")
    complete(home, "demo")
    assert run("logs", "demo").stdout == f"==> greet <==\ngreet | {'x' * 65534}red\n"
