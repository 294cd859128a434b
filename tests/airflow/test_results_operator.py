"""The results task: shows the block, and fails when the job failed."""

import pytest
from airflow.sdk.exceptions import AirflowFailException
from manager_double import ManagerDouble, logging_to, run

from air_executor import Client
from air_executor.airflow import JobResultsOperator

TASKS = [
    {"id": "greet", "command": "echo", "args": ["hello"]},
    {"id": "process", "command": "sleep", "args": ["3"], "dependencies": ["greet"]},
]


@pytest.fixture
def manager(home):
    Client(home).create_job("hello", TASKS)
    return ManagerDouble(home, "hello")


def results():
    return JobResultsOperator(task_id="results", job="hello")


def test_each_line_of_the_block_is_a_record_of_its_own(manager):
    manager.complete_job()
    operator = results()
    log = logging_to(operator)
    run(operator)
    assert log.lines[:5] == [
        "=" * 62,
        "🎉 Air-Executor Job Results",
        "=" * 62,
        "Job Name: hello",
        "Final State: completed",
    ]
    assert "✅ greet: completed" in log.lines
    assert "   Command: echo hello" in log.lines


def test_a_failed_job_is_shown_first_and_then_fails_without_a_retry(manager):
    manager.complete("greet")
    manager.fail_job("process", exit_code=3, log="one\nit was the disk\n")
    operator = results()
    log = logging_to(operator)
    with pytest.raises(AirflowFailException) as raised:
        run(operator)
    assert "❌ process: failed" in log.lines
    message = str(raised.value)
    assert "process" in message
    assert "exit code 3" in message
    assert "it was the disk" in message
    assert log.lines[-len(message.splitlines()) :] == message.splitlines()


def test_what_was_skipped_is_shown_as_skipped(manager):
    manager.fail_job("greet", exit_code=1, log="")
    operator = results()
    log = logging_to(operator)
    with pytest.raises(AirflowFailException):
        run(operator)
    assert "⏭ process: skipped" in log.lines


def test_a_job_that_has_not_ended_is_an_error_that_says_so(manager):
    with pytest.raises(AirflowFailException, match="has not ended yet"):
        run(results())


def test_a_job_that_is_not_there_is_an_error_that_says_so(home):
    with pytest.raises(AirflowFailException, match="there is no job 'hello'"):
        run(results())
