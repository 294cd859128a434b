import json
import os
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from air_executor import Client, JobState, TaskStatus, airflow_api
from air_executor.airflow_api import AirflowError, AirflowNotFound, AirflowUnavailable, Health
from air_executor.airflow_api import Run as DagRun
from air_executor.cli.overview import look_at_jobs
from air_executor.cli.render import age
from air_executor.format.attempts import Phase
from tests.unit.air_executor.builders import (
    DEMO,
    NOON,
    after,
    an_attempt,
    complete,
    fail,
    hand_written,
    publish,
)
from tests.unit.air_executor.cli.conftest import Run
from tests.unit.air_executor.test_daemon import WORDS, manager, speak


def start(home: Path, job: str) -> None:
    """The job's first task runs in a container."""
    first, *others = Client(home).status(job).tasks
    attempt = an_attempt(phase=Phase.RUNNING, container={"name": f"{job}-greet-1f", "image": "i"})
    running = first.model_copy(update={"status": TaskStatus.RUNNING, "attempts": (attempt,)})
    publish(home, job, [running, *others], state=JobState.WORKING)


class Airflow:
    """An Airflow that answers as the test wants."""

    base_url = "http://localhost:8080"

    def __init__(self, health: Any, runs: Any) -> None:
        self._health, self._runs = health, runs

    def __enter__(self) -> "Airflow":
        return self

    def __exit__(self, *_: type[BaseException] | TracebackType | BaseException | None) -> None:
        pass

    def health(self, timeout: float) -> Any:
        return self._answer(self._health)

    def runs(self, dag: str, limit: int) -> Any:
        assert dag == "air_executor_demo"
        return self._answer(self._runs)

    def _answer(self, answer: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer


HEALTHY = Health({"scheduler": "healthy", "triggerer": "healthy"})


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Any:
    def answers(health: Any = HEALTHY, runs: Any = ()) -> None:
        monkeypatch.setattr(airflow_api, "find_airflow", lambda home: Airflow(health, runs))

    return answers


# --- everything on one screen


def test_status_works_where_nothing_was_ever_started(run: Run, home: Path) -> None:
    result = run("status")
    assert result.exit_code == 0
    assert "❌ not running: start it with `make up`" in result.stdout
    assert str(home) in result.stdout
    assert "none yet" in result.stdout
    assert "not reachable at http://localhost:8080: start it with `make up`" in result.stdout
    assert not home.exists()


def test_status_shows_the_running_manager(run: Run, home: Path) -> None:
    home.mkdir()
    speak(home)
    with manager(home):
        line = run("status").stdout.splitlines()[0]
    assert "✅ running since 2025-10-02 12:00:00Z" in line
    assert "2 of 10 runners in use, Docker 26.1.5" in line


def test_status_does_not_take_old_words_for_a_running_manager(run: Run, home: Path) -> None:
    home.mkdir()
    speak(home)
    line = run("status").stdout.splitlines()[0]
    assert "not running (last seen" in line
    assert "runners" not in line


def test_status_shows_jobs_with_their_progress_and_counts(run: Run, client: Client, home: Path) -> None:
    for name in ("waits", "works", "done", "bad"):
        client.create_job(name, DEMO)
    start(home, "works")
    complete(home, "done")
    fail(home, "bad")
    lines = run("status").stdout.splitlines()
    assert any(
        line.startswith("Jobs ") and "1 waiting, 1 working, 1 completed, 1 failed" in line for line in lines
    )
    rows = [line.split() for line in lines]
    assert ["🔄", "works", "working", "0/2", "completed"] in [row[:5] for row in rows]
    assert ["✅", "done", "completed", "2/2", "completed"] in [row[:5] for row in rows]
    assert ["❌", "bad", "failed", "0/2", "completed"] in [row[:5] for row in rows]


def test_status_shows_running_containers(run: Run, client: Client, home: Path) -> None:
    client.create_job("works", DEMO)
    start(home, "works")
    client.create_job("done", DEMO)
    complete(home, "done")
    lines = run("status").stdout.splitlines()
    assert any(line.startswith("Running") and line.endswith("1 container") for line in lines)
    assert ["🐳", "works-greet-1f", "works", "greet"] in [line.split()[:4] for line in lines]


def test_what_waits_ahead_of_its_turn_is_not_said_to_run(run: Run, client: Client, home: Path) -> None:
    client.create_job("works", DEMO)
    start(home, "works")
    first, second = client.status("works").tasks
    timings = {"created_at": after(0), "container_started_at": after(0.1)}
    waiting = an_attempt(
        phase=Phase.WAITING, start="ahead", container={"name": "w", "image": "i"}, timings=timings
    )
    publish(home, "works", [first, second.model_copy(update={"attempts": (waiting,)})])
    lines = run("status").stdout.splitlines()
    assert any(
        line.startswith("Running") and line.endswith("1 container, and 1 that wait for their tasks' turn")
        for line in lines
    )
    assert [line.split()[:4:3] for line in lines if line[:1] in "🐳⏳" if line] == [
        ["🐳", "greet"],
        ["⏳", "process"],
    ]
    assert any(
        line.endswith("waits for its task's turn (ahead)")
        for line in run("status", "works").stdout.splitlines()
    )


def test_status_names_broken_jobs_and_shows_the_others(run: Run, client: Client, home: Path) -> None:
    client.create_job("fine", DEMO)
    hand_written(home, "broken", "[1]", "[]")
    hand_written(home, "bad-tasks", '{"id": "1", "name": "bad-tasks", "state": "waiting"}', "{}")
    hand_written(home, "half", '{"id": "1", "name": "half", "state": "waiting"}')
    output = run("status").stdout
    assert "fine" in output
    assert "broken/state.json: must be an object, not a list" in output
    assert "bad-tasks/tasks.json: must be a list of tasks" in output


def test_status_does_not_wait_for_what_is_no_file(run: Run, client: Client) -> None:
    folder = client.store.folder("pipe").path
    folder.mkdir(parents=True)
    os.mkfifo(folder / "state.json")
    assert f"{folder}/state.json: is not a regular file" in run("status").stdout


def test_status_keeps_to_one_screen(run: Run, client: Client, home: Path) -> None:
    for number in range(60):
        client.create_job(f"job{number}", DEMO)
        start(home, f"job{number}")
    output = run("status", env={"LINES": "24", "COLUMNS": "80"}).stdout
    assert len(output.splitlines()) <= 24
    assert "and 55 more" in output
    assert all(len(line) <= 80 for line in output.splitlines())


def test_status_prefers_what_works_to_what_waits_and_what_is_over(client: Client, home: Path) -> None:
    for number, name in enumerate(["works", "waits", "old", "new"]):
        client.create_job(name, DEMO)
        if name in ("old", "new"):
            complete(home, name)
        if name == "works":
            start(home, name)
        state_file = client.store.existing(name).state_file
        os.utime(state_file, (1000 + number, 1000 + number))
    info = look_at_jobs(client.store, 3)
    assert [view.name for view in info.shown] == ["works", "waits", "new"]
    assert info.hidden == 1


def test_status_prefers_what_changed_a_nanosecond_later(client: Client, home: Path) -> None:
    for name, moment in (("later", 1759390215_000000001), ("earlier", 1759390215_000000000)):
        client.create_job(name, DEMO)
        complete(home, name)
        os.utime(client.store.existing(name).state_file, ns=(moment, moment))
    assert [view.name for view in look_at_jobs(client.store, 1).shown] == ["later"]


def test_containers_of_jobs_that_do_not_fit_are_counted(client: Client, home: Path) -> None:
    for name in ("one", "two", "three"):
        client.create_job(name, DEMO)
        start(home, name)
    info = look_at_jobs(client.store, 1)
    assert len(info.shown) == 1
    assert {container.job for container in info.containers} == {"one", "two", "three"}


def test_status_without_a_terminal_has_no_colours(run: Run, client: Client, home: Path) -> None:
    client.create_job("a-job-with-a-name-as-long-as-those-of-airflow~manual__2025-10-02T07:30:00+00:00", DEMO)
    output = run("status").stdout
    assert "\x1b" not in output
    assert "manual__2025-10-02T07:30:00+00:00 waiting" in output


def test_a_job_of_the_demo_takes_one_line_of_80_columns(run: Run, client: Client, home: Path) -> None:
    name = "airflow-manual__2025-10-02T07:30:00.123456+00:00"
    client.create_job(name, DEMO)
    complete(home, name)
    assert f"{name} completed 2/2 completed" in run("status", env={"COLUMNS": "80"}).stdout


def test_names_are_never_taken_for_markup(run: Run, airflow: Any) -> None:
    airflow(runs=[DagRun("[bold]x[/bold]", "success", NOON, after(9))])
    assert "[bold]x[/bold]" in run("status").stdout


# --- Airflow's part


def test_status_shows_a_healthy_airflow_and_its_last_runs(run: Run, airflow: Any) -> None:
    airflow(runs=[DagRun("manual__1", "success", NOON, after(9)), DagRun("manual__2", "queued", None, None)])
    lines = run("status").stdout.splitlines()
    assert any(
        line.startswith("Airflow") and line.endswith("✅ healthy at http://localhost:8080") for line in lines
    )
    assert ["✅", "manual__1", "success"] in [line.split()[:3] for line in lines]
    assert ["⏳", "manual__2", "queued"] in [line.split() for line in lines]


def test_status_names_the_parts_of_airflow_that_are_sick(run: Run, airflow: Any) -> None:
    airflow(health=Health({"scheduler": "unhealthy", "metadatabase": "healthy"}))
    assert "❌ not healthy at http://localhost:8080: scheduler" in run("status").stdout


@pytest.mark.parametrize(
    ("health", "shown"),
    [
        (AirflowUnavailable("connection refused"), "not reachable at http://localhost:8080: start it with"),
        (AirflowError("Airflow refuses: no"), "Airflow refuses: no"),
        (ValueError("Expecting value"), "what answers at http://localhost:8080 is not Airflow"),
        (AttributeError("'list' has no 'get'"), "what answers at http://localhost:8080 is not Airflow"),
    ],
)
def test_status_shows_the_jobs_whatever_airflow_does(
    run: Run, airflow: Any, client: Client, health: Exception, shown: str
) -> None:
    client.create_job("demo", DEMO)
    airflow(health=health)
    result = run("status")
    assert result.exit_code == 0
    assert shown in result.stdout
    assert "0/2 completed" in result.stdout


def test_an_airflow_without_the_demo_is_healthy_all_the_same(run: Run, airflow: Any) -> None:
    airflow(runs=AirflowNotFound("Airflow does not know it: air_executor_demo"))
    output = run("status").stdout
    assert "✅ healthy" in output
    assert "Airflow does not know it: air_executor_demo" in output


# --- one job


def test_status_of_a_job_shows_each_task(run: Run, client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    fail(home, "demo")
    result = run("status", "demo")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "demo: failed, 0/2 completed"
    assert "❌ greet: failed" in lines
    assert "   Cause: exit, exit code 3" in lines
    assert "⏭ process: skipped" in lines


def test_long_lines_are_not_broken_without_a_terminal(run: Run, client: Client) -> None:
    client.create_job("demo", [{"id": "a", "command": "echo", "args": ["x" * 500]}])
    assert "   Command: echo " + "x" * 500 in run("status", "demo").stdout.splitlines()


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_status_of_a_job_that_does_not_exist_ends_with_1(run: Run, options: tuple[str, ...]) -> None:
    result = run("status", "gone", *options)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no job 'gone'" in result.stderr


def test_status_of_a_name_that_can_not_be_one_is_bad_input(run: Run) -> None:
    assert run("status", "../x").exit_code == 2


# --- for programs


def test_the_json_of_a_job_is_what_stands_in_its_files(run: Run, client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    fail(home, "demo")
    folder = client.store.existing("demo")
    assert json.loads(run("status", "demo", "--json").stdout) == {
        "job": json.loads(folder.state_file.read_text()),
        "tasks": json.loads(folder.tasks_file.read_text()),
    }


def test_the_json_of_everything(run: Run, client: Client, home: Path, airflow: Any) -> None:
    for number in range(20):
        client.create_job(f"job{number}", DEMO)
    complete(home, "job3")
    hand_written(home, "broken", "[1]", "[]")
    airflow(runs=[DagRun("manual__1", "success", NOON, after(9))])
    speak(home)
    with manager(home):
        everything = json.loads(run("status", "--json").stdout)
    assert set(everything) == {"manager", "jobs", "airflow"}
    assert everything["manager"]["running"] is True
    assert everything["manager"]["status"]["started_at"] == "2025-10-02T12:00:00.000000Z"
    jobs = {job["name"]: job for job in everything["jobs"]}
    assert len(jobs) == 21
    assert (jobs["job3"]["state"], jobs["job3"]["tasks"]) == ("completed", {"completed": 2, "total": 2})
    assert "must be an object" in jobs["broken"]["complaint"]
    assert everything["airflow"]["healthy"] is True
    assert everything["airflow"]["runs"][0]["started_at"] == "2025-10-02T12:00:00.000000Z"


def test_the_json_without_anything_running(run: Run, home: Path) -> None:
    everything = json.loads(run("status", "--json").stdout)
    assert everything["manager"] == {"home": str(home), "running": False, "status": None}
    assert everything["jobs"] == []
    assert everything["airflow"]["healthy"] is False


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (86399, "23h"),
        (86400, "1d"),
        (10 * 86400, "10d"),
    ],
)
def test_ages_are_short_and_never_negative(seconds: float, text: str) -> None:
    assert age(NOON, NOON + timedelta(seconds=seconds)) == text


def test_status_says_why_work_stands_still(run: Run, home: Path) -> None:
    home.mkdir()
    speak(home, WORDS | {"problem": "jobs wait until the container engine answers"})
    with manager(home):
        lines = run("status").stdout.splitlines()
    assert "⚠️ running since" in lines[0]
    assert lines[1].strip() == "jobs wait until the container engine answers"


def test_status_shows_what_is_pulled(run: Run, home: Path) -> None:
    home.mkdir()
    speak(home, WORDS | {"pulling": ["alpine:3: 1 of 2 layers, 3 of 12 MB", "debian: nothing\x1b yet"]})
    with manager(home):
        lines = run("status").stdout.splitlines()
        words = json.loads(run("status", "--json").stdout)["manager"]["status"]
    assert "✅ running since" in lines[0]
    assert lines[1].strip() == "pulling alpine:3: 1 of 2 layers, 3 of 12 MB"
    assert lines[2].strip().startswith("pulling debian: nothing")
    assert "\x1b" not in lines[2]
    assert words["pulling"][0] == "alpine:3: 1 of 2 layers, 3 of 12 MB"


def test_many_pulls_do_not_fill_the_screen(run: Run, home: Path) -> None:
    home.mkdir()
    speak(home, WORDS | {"pulling": [f"image-{number}: nothing yet" for number in range(5)]})
    with manager(home):
        out = run("status").stdout
    assert out.count("pulling image-") == 3
    assert "and 2 more images" in out


def test_where_nothing_is_pulled_status_does_not_speak_of_it(run: Run, home: Path) -> None:
    home.mkdir()
    speak(home)
    with manager(home):
        assert "pulling" not in run("status").stdout
        assert "pulling" not in run("status", "--json").stdout


def test_a_job_that_failed_shows_the_end_of_the_log_without_colours(run: Run, home: Path) -> None:
    Client(home).create_job("demo", DEMO)
    fail(home, "demo", "10%\r\n20%\r100%\n\x1b[31mFINAL ERROR\x1b[0m\n")
    assert run("status", "demo").stdout.endswith("The end of greet's log:\n10%\n100%\nFINAL ERROR\n")


def test_a_job_that_failed_without_a_word_shows_no_log(run: Run, home: Path) -> None:
    Client(home).create_job("demo", DEMO)
    fail(home, "demo")
    assert "log:" not in run("status", "demo").stdout
