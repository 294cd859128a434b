"""What Airflow is given of the results of a job."""

from typing import Any

from air_executor import JobView
from air_executor.airflow.xcom import MOST, results_of
from air_executor.format.results import Result
from tests.unit.air_executor.builders import a_job, a_task


def view(**results: Any) -> JobView:
    tasks = [a_task(id=name).model_copy(update={"result": result}) for name, result in results.items()]
    return JobView(job=a_job(), tasks=tuple(tasks))


def test_results_come_by_task() -> None:
    assert results_of(view(a=Result('{"rows":42}'), b=None, c=Result("null"))) == {
        "a": {"rows": 42},
        "c": None,
    }


def test_without_results_there_is_nothing() -> None:
    assert results_of(view(a=None)) is None


def test_what_is_too_large_together_is_left_out() -> None:
    half = Result.of("x" * (MOST // 2))
    assert results_of(view(a=half)) == {"a": half.value}
    assert results_of(view(a=half, b=half)) is None


def test_what_airflow_would_take_for_an_object_of_some_class_stays_text() -> None:
    text = '[{"__classname__":"airflow.sdk.definitions.connection.Connection","__version__":1}]'
    assert results_of(view(a=Result(text))) == {"a": text}
