"""`make demo`: run the demo DAG on the stack, show how it goes, and print its results."""

import contextlib
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from air_executor.airflow_api import (
    AirflowApi,
    AirflowError,
    AirflowNotFound,
    Run,
    TaskInstance,
    airflow_address,
    find_airflow,
)

DAG = "air_executor_demo"
TASKS = ("create_air_executor_job", "wait_for_air_executor_completion", "get_air_executor_results")
SECONDS_TO_APPEAR = 60.0
SECONDS_TO_RUN = 330.0
SHOW_PASSWORD = (
    "docker compose exec airflow cat /var/lib/air-executor/airflow/simple_auth_manager_passwords.json"
)

Tasks = dict[str, TaskInstance]


def start(api: AirflowApi) -> str:
    """Trigger a run as soon as the DAG is known: after a first start it takes a few seconds."""
    end = time.monotonic() + SECONDS_TO_APPEAR
    while True:
        try:
            return api.trigger(DAG)
        except AirflowNotFound:
            if time.monotonic() > end:
                raise AirflowError(
                    f"the DAG {DAG} did not appear within {SECONDS_TO_APPEAR:.0f} s: "
                    f"look for import errors at {airflow_address()} or in `docker compose logs airflow`"
                ) from None
            time.sleep(0.5)


def follow(api: AirflowApi, run_id: str) -> Iterator[tuple[Run, Tasks]]:
    """The run and its tasks, again and again until the run has ended."""
    end = time.monotonic() + SECONDS_TO_RUN
    while True:
        run = api.run(DAG, run_id)
        yield run, {task.task_id: task for task in api.task_instances(DAG, run_id)}
        if run.ended:
            return
        if time.monotonic() > end:
            raise AirflowError(
                f"the run {run_id} has not ended after {SECONDS_TO_RUN:.0f} s: "
                f"see `./status.sh` and {airflow_address()}"
            )
        time.sleep(0.2)


def picture(tasks: Tasks, began: float) -> Table:
    table = Table.grid(padding=(0, 2))
    marks = {"success": "✅", "failed": "❌", "upstream_failed": "⏭", "skipped": "⏭", "up_for_retry": "🔁"}
    for name in TASKS:
        state = tasks[name].state if name in tasks else ""
        mark = Spinner("dots") if state in ("queued", "running") else Text(marks.get(state, "·"))
        table.add_row(mark, name, Text(state or "waiting", style="dim"))
    table.add_row("", Text(f"{time.monotonic() - began:.1f} s", style="dim"))
    return table


def show_progress(console: Console, api: AirflowApi, run_id: str) -> tuple[Run, Tasks]:
    """Follow the run to its end: a moving picture for a person, a line for each change otherwise."""
    began = time.monotonic()
    said: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        live = None
        if console.is_terminal:
            live = stack.enter_context(Live(console=console, refresh_per_second=10))
        for seen in follow(api, run_id):
            _, tasks = seen
            if live:
                live.update(picture(tasks, began))
                continue
            for name in TASKS:
                state = tasks[name].state if name in tasks else ""
                if state and said.get(name) != state:
                    said[name] = state
                    print(f"  {time.monotonic() - began:5.1f} s  {name}: {state}", flush=True)
    return seen


def results_block(log: str) -> str:
    """The block that the results task logs: from its first ruler to its last line."""
    lines = log.splitlines()
    rulers = [number for number, line in enumerate(lines) if line.startswith("=====")]
    return "\n".join(lines[rulers[0] :]) if rulers else log


def main() -> int:
    console = Console(highlight=False)
    with find_airflow() as api:
        run_id = start(api)
        console.print(f"Run {run_id} of {DAG}:")
        run, tasks = show_progress(console, api, run_id)
        results = tasks.get(TASKS[-1])
        if results is not None and results.try_number:
            print("\n" + results_block(api.log(DAG, run_id, TASKS[-1], results.try_number)) + "\n")
        print(f"Airflow's UI:      {api.base_url}/dags/{DAG}/runs/{run_id}")
        print(f"User admin, with the password that this shows:\n  {SHOW_PASSWORD}")
        if run.state == "success":
            return 0
        failed = [task for name in TASKS if (task := tasks.get(name)) and task.state == "failed"]
        for task in failed:
            if task is not results:
                end = api.log(DAG, run_id, task.task_id, task.try_number).splitlines()[-15:]
                print(f"\nThe end of the log of {task.task_id}:", *end, sep="\n  ", file=sys.stderr)
    names = ", ".join(task.task_id for task in failed) or "no task of its own"
    print(f"\nair-executor: the run failed in {names}; ./status.sh shows the job.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AirflowError as problem:
        sys.exit(f"air-executor: {problem}")
    except KeyboardInterrupt:
        sys.exit("air-executor: interrupted; the run goes on in Airflow.")
