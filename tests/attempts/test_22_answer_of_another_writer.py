"""Another writer puts a completed job where Airflow's task will look for its own: a job is taken for the
answer only where its folder belongs to the user that asks, as nobody else but root can make it.

All who share one user id are one writer: between them there is nothing to tell."""

import os
from pathlib import Path

import pytest

from air_executor import Client, Request, RequestConflict
from air_executor.format import names
from tests.attempts.other_user import USER, needs_root
from tests.unit.air_executor.builders import DEMO, complete

REQUEST = Request(dag_id="dag", run_id="run", task_id="task")


@needs_root
def test_a_job_that_somebody_else_made_is_no_answer(tmp_path: Path) -> None:
    client = Client(tmp_path)
    client.submit("name", DEMO, REQUEST)
    complete(tmp_path, "name")
    assert client.submit("name", DEMO, REQUEST).state == "completed", "an own one is"
    os.chown(client.store.folder("name").path, USER, USER)
    with pytest.raises(RequestConflict, match=f"made by user {USER}, and not by user 0"):
        client.submit("name", DEMO, REQUEST)


def test_two_tasks_never_share_a_name() -> None:
    asked = [("a~b", "c"), ("a", "b~c"), ("a b", "c"), ("a-b", "c"), ("a", "b", "c"), ("a~b~c",)]
    made = {names.joined(["airflow", *parts]) for parts in asked}
    assert len(made) == len(asked)
    assert all(map(names.is_name, made))


def test_a_name_that_could_not_be_misread_stays_as_it_was() -> None:
    assert names.joined(["airflow", "dag", "run", "task"]) == "airflow~dag~run~task"
