"""A job writer has megabytes in a field: they go into the log, the record and every reader's terminal.

A sentence quotes 80 characters of a value, and is itself not endless, wherever it is made.
"""

import json
from pathlib import Path

import pytest

from air_executor.errors import BadInput
from air_executor.format.attempts import Cause, Failure
from air_executor.format.documents import parse_json, validate
from air_executor.format.graph import check_graph
from air_executor.format.models import Decision, Job, Task, TaskSpec
from air_executor.policy import check
from air_executor.store import JobFolder
from tests.unit.manager.builders import OWNER, T0, settings, task

LONG = "\x1b[2J\n" + "x" * 100_000
JOB = {"id": "1", "name": "job"}
TASK = {"id": "a", "command": "x"}


@pytest.mark.parametrize(
    ("model", "value"),
    [
        (Job, JOB | {"state": LONG}),
        (Job, JOB | {"created_at": LONG}),
        (Job, JOB | {"id": LONG}),
        (Job, JOB | {"name": LONG}),
        (Job, JOB | {"max_parallel": LONG}),
        (Task, TASK | {"status": LONG}),
        (Task, TASK | {"id": LONG}),
        (Task, TASK | {"args": [10**4000]}),
        (Task, TASK | {"retries": {"on": [LONG]}}),
        (TaskSpec, TASK | {LONG: 1}),
        (TaskSpec, TASK | {"user": LONG}),
        (TaskSpec, TASK | {"env": {LONG + "=": "1"}}),
        (TaskSpec, TASK | {"env": {LONG: 1}}),
        (TaskSpec, TASK | {"args": ["y" * 200_000]}),
        (TaskSpec, TASK | {"image": LONG}),
        (Job, JOB | {"request": {"dag_id": LONG, "run_id": "r", "task_id": "t"}}),
    ],
)
def test_a_complaint_is_short_whatever_it_complains_of(model: type[Job], value: dict[str, object]) -> None:
    with pytest.raises(BadInput) as caught:
        validate(model, value)
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def test_so_are_those_of_json_and_of_graphs(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "job")
    folder.path.mkdir()
    folder.state_file.write_text(json.dumps(JOB | {"name": "n" * 200}))
    chain = [task(f"{number}{'x' * 150}", f"{(number + 1) % 500}{'x' * 150}") for number in range(500)]
    for complain in (
        lambda: parse_json(f'{{"{"k" * 100_000}": 1, "{"k" * 100_000}": 1}}'.encode()),
        lambda: folder.read_job(),
        lambda: check_graph(chain),
        lambda: check(task("a", network="n" * 4000), OWNER, settings()),
    ):
        with pytest.raises(BadInput) as caught:
            complain()
        assert len(caught.value.rule) <= 500


def test_a_failure_or_decision_can_have_no_other_sentence() -> None:
    assert len(Failure(cause=Cause.ENGINE, message=LONG).message) == 1000
    assert Failure(cause=Cause.ENGINE, message="two\nlines\x1b[2J").message == r"two\nlines\x1b[2J"
    decision = Decision(request="r", accepted=False, reason=LONG, at=T0)
    assert decision.reason is not None
    assert len(decision.reason) == 1000
