"""Results on their way from task to task: a whole manager on the strict fake engine."""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from air_executor.format.models import Task
from air_executor.format.results import Result
from tests.fakes.engine import FakeEngine, Program
from tests.fakes.manager import InProcess, Start, a_task
from tests.waiting import until

FETCH = a_task("fetch", command="fetch")
USE = a_task("use", "fetch") | {
    "command": "echo",
    "args": ["rows", {"result": "fetch", "path": "rows"}, {"result": "fetch"}],
}


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    made = FakeEngine(
        {
            ("true",): Program(),
            ("long",): Program(seconds=None),
            ("fetch",): Program(result='{"rows": 42}'),
            ("wrong",): Program(result="{"),
            ("vain",): Program(exit_code=3, result="1"),
        }
    )
    yield made
    made.check()


WAYS: list[dict[str, Any]] = [{"look_ahead": 0}, {"look_ahead": 4}, {"warm": 1}]


@pytest.mark.parametrize("way", WAYS, ids=["cold", "ahead", "warm"])
def test_a_result_reaches_the_arguments_and_the_files_of_who_depends_on_it(
    start: Start, engine: FakeEngine, way: dict[str, Any]
) -> None:
    manager = start(**way)
    if way.get("warm"):
        until(lambda: manager.pool.names)
    view = manager.run(FETCH, USE)
    assert view.tasks[0].result == Result('{"rows":42}')
    assert manager.log("use") == 'rows 42 {"rows":42}\n'
    assert view.tasks[1].result is None


def given_files(manager: InProcess, container: str) -> dict[str, Any]:
    folder = manager.home / "gates" / container / "inbox" / "results"
    return {each.name: json.loads(each.read_text()) for each in folder.iterdir()}


def test_who_depends_on_it_finds_it_as_a_file_and_the_others_do_not(start: Start, engine: FakeEngine) -> None:
    manager = start()
    manager.client.create_job(
        "job",
        [FETCH, a_task("none"), a_task("b", "fetch", "none", command="long"), a_task("c", command="long")],
    )
    b, c = (manager.until_status(name, "running").attempts[0].container for name in ("b", "c"))
    assert given_files(manager, b.name) == {"fetch.json": {"rows": 42}}
    assert given_files(manager, c.name) == {}
    for each in (b, c):
        engine.finish(each.name)
    assert manager.client.wait("job", 20).state == "completed"


def test_a_manager_that_is_started_again_knows_the_results_of_before(
    start: Start, engine: FakeEngine
) -> None:
    manager = start()
    manager.client.create_job(
        "job", [FETCH, a_task("slow", command="long"), USE | {"dependencies": ["fetch", "slow"]}]
    )
    manager.until_status("fetch", "completed")
    slow = manager.until_status("slow", "running").attempts[0].container.name
    manager.stop()
    manager = start()
    engine.finish(slow)
    assert manager.client.wait("job", 20).state == "completed"
    assert manager.log("use") == 'rows 42 {"rows":42}\n'


def test_what_is_no_result_fails_the_task_and_is_not_tried_again(start: Start, engine: FakeEngine) -> None:
    view = start().run(a_task("a", command="wrong", retries=3), a_task("b", "a"))
    task = view.tasks[0]
    assert task.failure is not None and task.failure.cause == "bad_input"
    assert "/inbox/result/result.json: is not JSON" in task.failure.message
    assert (task.failure.exit_code, len(task.attempts), task.result) == (0, 1, None)
    assert engine.executions == [("job", "a", 1)]


def test_the_result_of_a_command_that_fails_is_not_kept(start: Start, engine: FakeEngine) -> None:
    task = start().run(a_task("a", command="vain", retries=0)).tasks[0]
    assert task.failure is not None and task.failure.cause == "exit"
    assert task.result is None


def test_a_further_attempt_begins_without_the_result_of_the_one_before(
    start: Start, engine: FakeEngine
) -> None:
    manager = start()
    manager.run(a_task("a", command="vain", retries=1))
    engine.programs[("vain",)] = Program()
    manager.client.retry("job")
    until(lambda: manager.client.status("job").state == "completed")
    assert manager.task("a").result is None


@pytest.mark.parametrize("look_ahead", [0, 4])
def test_a_reference_that_leads_nowhere_fails_its_task_before_its_command_begins(
    start: Start, engine: FakeEngine, look_ahead: int
) -> None:
    lost: dict[str, Any] = USE | {
        "args": [{"result": "fetch", "path": "x"}, {"result": "fetch", "path": "y"}]
    }
    view = start(look_ahead=look_ahead).run(FETCH, lost | {"retries": 3})
    task: Task = view.tasks[1]
    assert task.failure is not None and task.failure.cause == "bad_input"
    assert "args[0]" in task.failure.message and "args[1]" in task.failure.message
    assert len(task.attempts) == 1 and task.attempts[0].never_began
    assert engine.executions == [("job", "fetch", 1)]


def test_an_argument_that_no_kernel_takes_fails_its_task_before_its_command_begins(
    start: Start, engine: FakeEngine
) -> None:
    engine.programs[("fetch",)] = Program(result=json.dumps({"rows": "x" * 131_072}))
    task = start().run(FETCH, USE).tasks[1]
    assert task.failure is not None and task.failure.cause == "bad_input"
    assert "args[1]: has 131072 bytes" in task.failure.message


def test_a_result_of_a_task_that_is_passed_over_is_not_believed(start: Start, engine: FakeEngine) -> None:
    """A writer may say that a task is completed, and no more."""
    manager = start()
    folder = manager.home / "jobs" / "job"
    folder.mkdir()
    done = FETCH | {"status": "completed", "result": {"rows": 1}, "produced": []}
    (folder / "tasks.json").write_text(json.dumps([done, USE]))
    (folder / "state.json").write_text('{"id": "1", "name": "job", "state": "waiting"}')
    until(lambda: manager.client.status("job").state == "failed")
    assert "has no result" in str(manager.task("use").failure)


def test_without_results_a_reference_is_refused_with_the_setting(start: Start, engine: FakeEngine) -> None:
    view = start(result_kb=0).run(FETCH, USE)
    assert "tasks[1].args[1]: tasks leave no results here (setting `result_kb` is 0)" in str(view.job.failure)


def test_outputs_are_listed_before_who_depends_on_them_begins(start: Start, engine: FakeEngine) -> None:
    engine.programs[("report",)] = Program(writes={"a.csv": "1\n", "b.txt": "2\n"})
    engine.programs[("spoil",)] = Program(writes={"a.csv": "another\n"})
    view = start().run(
        a_task("a", command="report", outputs=["*.csv"]), a_task("b", "a", command="spoil", outputs=["*.csv"])
    )
    assert [(each.path, each.size) for each in view.tasks[0].produced] == [("a.csv", 2)]
    assert [(each.path, each.size) for each in view.tasks[1].produced] == [("a.csv", 8)]


def test_a_task_that_does_not_make_what_it_promises_has_failed(start: Start, engine: FakeEngine) -> None:
    task = start().run(a_task("a", outputs=["a.csv"]), a_task("b", "a")).tasks[0]
    assert task.failure is not None and task.failure.cause == "bad_input"
    assert "no file below /work fits 'a.csv'" in task.failure.message


def test_outputs_of_a_work_folder_that_is_gone_fail_the_task_and_nothing_hangs(
    start: Start, engine: FakeEngine
) -> None:
    manager = start()
    manager.client.create_job("job", [a_task("a", command="long", outputs=["*.csv"], retries=0)])
    container = manager.until_status("a", "running").attempts[0].container.name
    work = until(lambda: manager.state().get("work_folder"))
    shutil.rmtree(manager.home / "work" / str(work))
    engine.finish(container)
    view = manager.client.wait("job", 20)
    assert view.job.failure is not None and view.job.failure.cause == "bad_input"
