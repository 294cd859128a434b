"""The results of a job's tasks as Airflow passes values on (XCom)."""

from typing import Any

from air_executor.format.models import JobView
from air_executor.format.results import Result

MOST = 48 << 10
"""Bytes of all results together: Airflow keeps each value in its database, and shows it in one piece."""
RESERVED = '"__'
"""How keys begin with which Airflow says of which class a value is. Source: `airflow/sdk/serde`, 3.3.2."""


def results_of(view: JobView) -> dict[str, Any] | None:
    """By task, those that have a result; None where there are none, or they are too large together."""
    results = {task.id: task.result for task in view.tasks if task.result is not None}
    if not results or sum(result.size for result in results.values()) > MOST:
        return None
    return {task: _value(result) for task, result in results.items()}


def _value(result: Result) -> Any:
    """What Airflow would not take for a mere value, stays text."""
    return result.text if RESERVED in result.text else result.value
