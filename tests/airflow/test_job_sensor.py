"""The wait: what it logs, when it ends, and what becomes of the job when it ends early."""

import shutil
import time

import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from manager_double import ManagerDouble, logging_to, run

from air_executor import Client
from air_executor.airflow import JobSensor, sensors

TASKS = [
    {"id": "greet", "command": "echo"},
    {"id": "process", "command": "sleep", "args": ["3"], "dependencies": ["greet"]},
    {"id": "complete", "command": "echo", "dependencies": ["process"]},
]


@pytest.fixture
def manager(home):
    Client(home).create_job("hello", TASKS)
    return ManagerDouble(home, "hello")


def sensor(**options):
    return JobSensor(task_id="wait", job="hello", **options)


def cancel_asked(home):
    return Client(home).store.existing("hello").cancel_marker.exists()


def test_it_reports_state_and_tasks_and_returns_the_job(manager, after):
    manager.work()
    manager.complete("greet")
    after(0.4, lambda: manager.complete("process"))
    after(0.8, manager.complete_job)
    waiting = sensor(timeout=20)
    log = logging_to(waiting)
    assert run(waiting) == "hello"
    assert log.lines[:2] == ["📊 Job hello state: working", "   Tasks: 1/3 completed"]
    assert "   Tasks: 2/3 completed" in log.lines
    assert "📊 Job hello state: completed" in log.lines


def test_it_reports_every_poke_interval_while_nothing_changes(manager, after):
    manager.work()
    after(1.1, manager.complete_job)
    waiting = sensor(timeout=20, poke_interval=0.2)
    log = logging_to(waiting)
    started = time.monotonic()
    run(waiting)
    most = 2 + (time.monotonic() - started) / 0.2
    assert 3 <= log.lines.count("   Tasks: 0/3 completed") <= most


def test_it_does_not_repeat_itself_when_only_the_files_change(manager, after):
    manager.work()
    for step in range(1, 6):
        after(step / 10, manager.work)
    after(0.8, manager.complete_job)
    waiting = sensor(timeout=20)
    log = logging_to(waiting)
    run(waiting)
    assert log.lines.count("📊 Job hello state: working") <= 1 + len(TASKS)
    assert log.lines.count("   Tasks: 0/3 completed") == 1


def test_it_ends_as_soon_as_the_job_does_whatever_the_interval(manager, after):
    manager.work()
    after(0.5, manager.complete_job)
    started = time.monotonic()
    run(sensor(timeout=60, poke_interval=30))
    assert time.monotonic() - started < 15


def test_it_succeeds_when_the_job_failed_so_that_the_results_can_be_shown(manager):
    manager.fail_job("process", exit_code=3, log="")
    assert run(sensor()) == "hello"


def test_a_timeout_says_what_to_check_and_is_not_retried(manager, home):
    (home / "manager.log").write_text("the last words of the manager\n")
    waiting = sensor(timeout=0.3)
    log = logging_to(waiting)
    with pytest.raises(AirflowSensorTimeout) as raised:
        run(waiting)
    message = str(raised.value)
    assert "did not end within 0.3 s (waiting, 0/3 completed)" in message
    assert "No manager is running" in message
    assert "the last words of the manager" in message
    assert log.lines[-len(message.splitlines()) :] == message.splitlines()


def test_a_timeout_leaves_the_job_alone_by_default(manager, home):
    with pytest.raises(AirflowSensorTimeout, match="clear this task to wait for it again"):
        run(sensor(timeout=0.2))
    assert not cancel_asked(home)


def test_a_timeout_cancels_the_job_when_told_to(manager, home):
    with pytest.raises(AirflowSensorTimeout, match="asked to stop"):
        run(sensor(timeout=0.2, on_timeout="cancel"))
    assert cancel_asked(home)


def test_a_soft_failing_wait_is_skipped_at_its_timeout(manager):
    with pytest.raises(AirflowSkipException):
        run(sensor(timeout=0.2, soft_fail=True))


def test_a_kill_cancels_the_job_and_ends_the_wait(manager, home, after):
    manager.work()
    waiting = sensor(timeout=20, poke_interval=0.2)
    after(0.4, waiting.on_kill)
    with pytest.raises(AirflowException, match="was killed"):
        run(waiting)
    assert cancel_asked(home)


def test_a_kill_leaves_the_job_when_told_to(manager, home):
    sensor(on_kill="leave").on_kill()
    assert not cancel_asked(home)


def test_a_kill_after_the_end_or_without_a_job_is_no_error(manager, home):
    manager.complete_job()
    sensor().on_kill()
    JobSensor(task_id="wait", job="nobody").on_kill()


def test_a_job_that_is_not_there_fails_at_once(home):
    with pytest.raises(AirflowFailException, match="there is no job 'hello'"):
        run(sensor())


def test_a_job_that_vanishes_ends_the_wait_at_once(manager, home, after):
    manager.work()
    after(0.3, lambda: shutil.rmtree(home / "jobs" / "hello"))
    started = time.monotonic()
    with pytest.raises(AirflowFailException, match="there is no job 'hello'"):
        run(sensor(timeout=60))
    assert time.monotonic() - started < 15


def test_a_job_whose_files_are_unreadable_from_the_start_ends_the_wait(manager, home, monkeypatch):
    monkeypatch.setattr(sensors, "PATIENCE", 0.5)
    (home / "jobs" / "hello" / "state.json").write_text("{")
    with pytest.raises(AirflowFailException, match=r"can't be followed.*state\.json"):
        run(sensor(timeout=60))


def test_a_job_whose_files_become_unreadable_ends_the_wait(manager, home, monkeypatch, after):
    monkeypatch.setattr(sensors, "PATIENCE", 0.5)
    manager.work()
    after(0.3, lambda: (home / "jobs" / "hello" / "tasks.json").write_text("["))
    with pytest.raises(AirflowFailException, match=r"can't be followed.*tasks\.json"):
        run(sensor(timeout=60, poke_interval=0.2))


def test_a_file_that_is_unreadable_for_a_moment_is_forgiven(manager, home, after):
    manager.work()
    tasks = home / "jobs" / "hello" / "tasks.json"
    before = tasks.read_text()
    after(0.2, lambda: tasks.write_text("["))
    after(0.6, lambda: tasks.write_text(before))
    after(1.0, manager.complete_job)
    assert run(sensor(timeout=20, poke_interval=0.2)) == "hello"


@pytest.mark.parametrize("option", ["on_kill", "on_timeout"])
def test_an_unknown_ending_is_refused_by_name(option):
    with pytest.raises(ValueError, match=f'{option} must be "cancel" or "leave"'):
        sensor(**{option: "stop"})


def test_rescheduling_is_refused(home):
    with pytest.raises(ValueError, match='only mode="poke"'):
        sensor(mode="reschedule")
