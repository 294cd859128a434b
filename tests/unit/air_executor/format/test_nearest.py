"""What is said of a name that is none: which one may have been meant."""

from typing import Any

import pytest

from air_executor import BadInput, TaskSpec
from air_executor.client import read_document
from air_executor.format.nearest import LONGEST, MOST, OF_OTHERS, did_you_mean, fields_at, nearest


def refused(field: str, value: Any = 1) -> str:
    task = {"id": "a", "command": "true", field: value}
    with pytest.raises(BadInput) as error:
        read_document({"job": {"name": "job"}, "tasks": [task, {"id": "fetch", "command": "true"}]})
    return str(error.value)


@pytest.mark.parametrize(
    ("field", "meant"),
    [
        ("comand", "command"),
        ("Command", "command"),
        ("work-dir", "workdir"),
        ("environment", "env"),
        ("working_dir", "workdir"),
        ("mem_limit", "resources.memory_mb"),
        ("depends_on", "dependencies"),
        ("cpus", "resources.cpus"),
        ("memory_mb", "resources.memory_mb"),
        ("tags", "labels"),
        ("limits", "resources"),
        ("script", "command"),
    ],
)
def test_an_unknown_field_is_refused_with_the_nearest_right_one(field: str, meant: str) -> None:
    assert refused(field) == f"tasks[0].{field}: is not a known field; did you mean `{meant}`?"


@pytest.mark.parametrize(
    ("field", "value", "place", "meant"),
    [
        ("resources", {"memory": 1}, "resources.memory", "memory_mb"),
        ("retries", {"backof": 1}, "retries.backof", "backoff"),
    ],
)
def test_the_nearest_is_one_of_the_very_place(
    field: str, value: dict[str, int], place: str, meant: str
) -> None:
    assert refused(field, value) == f"tasks[0].{place}: is not a known field; did you mean `{meant}`?"


def test_where_nothing_is_like_it_the_sentence_tells_of_comments() -> None:
    assert refused("zzz").endswith("is not a known field (begin its name with _ to make it a comment)")


def test_fields_of_the_job_have_nearest_ones_too() -> None:
    with pytest.raises(BadInput, match=r"job\.max_paralel: .* did you mean `max_parallel`\?"):
        read_document({"job": {"name": "job", "max_paralel": 1}, "tasks": []})


def test_words_have_nearest_ones_too() -> None:
    said = refused("retries", {"on": ["exit", "ooom"]})
    causes = "exit, signal, oom, timeout, lost, engine, image"
    assert said == (
        f"tasks[0].retries.on[1]: 'ooom' is no cause of a failure; use {causes}; did you mean `oom`?"
    )
    assert f"is cured by no further attempt; use {causes}" in refused("retries", {"on": ["cancelled"]})
    assert refused("pull", "alwais").endswith("not 'alwais'; did you mean `always`?")


def test_a_field_of_the_job_is_refused_in_a_task_with_where_it_belongs() -> None:
    assert refused("max_parallel").endswith(": is a field of the job: say it there, as `job.max_parallel`")
    said = refused("on_failure", "stop")
    assert said.endswith("as `job.on_failure`; what a task runs after, it says by `run_if`")


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("image", "is a field of tasks: say it in each of them, or for all of them as `job.defaults.image`"),
        ("command", "is a field of tasks: say it in each of them"),
    ],
)
def test_a_field_of_tasks_is_refused_in_the_job_with_where_it_belongs(field: str, words: str) -> None:
    with pytest.raises(BadInput) as error:
        read_document({"job": {"name": "job", field: "x"}, "tasks": []})
    assert str(error.value) == f"job.{field}: {words}"


@pytest.mark.parametrize(
    ("field", "meant"), [("name", "job.name"), ("task", "tasks"), ("priority", "job.priority")]
)
def test_so_is_a_field_of_the_job_beside_it(field: str, meant: str) -> None:
    with pytest.raises(BadInput) as error:
        read_document({field: "x", "job": {"name": "job"}, "tasks": []})
    assert str(error.value) == f"{field}: is not a known field; did you mean `{meant}`?"


def test_a_field_that_is_missing_since_its_name_is_wrong_is_told_by_that_name() -> None:
    assert "results: is not a known field; did you mean `result`?" in refused("args", [{"results": "f"}])
    assert "result: is missing" in refused("args", [{"path": "f"}])


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("resources", {"memory_mb": "1g"}, "resources.memory_mb"),
        ("scratch", {"/s": "10m"}, "scratch./s.size_mb"),
        ("retries", {"memory_max_mb": 1.5}, "retries.memory_max_mb"),
    ],
)
def test_a_size_is_asked_for_in_its_unit(field: str, value: Any, place: str) -> None:
    said = f"tasks[0].{place}: must be a whole number of MiB, such as 1024, not "
    assert refused(field, value).startswith(said)
    assert "MiB" not in refused("resources", {"pids": "1g"})


def test_short_names_are_alike_where_their_letters_are_in_another_order() -> None:
    assert nearest("bd", ["db", "api"]) == "db"
    assert nearest("dx", ["db", "api"]) is None


def test_a_dependency_that_is_none_may_have_meant_another_task() -> None:
    assert refused("dependencies", ["fetsh"]).endswith("of task 'a'; did you mean `fetch`?")


def test_what_others_call_a_field_names_none_that_is_not_there() -> None:
    assert nearest("volumes", ["mounts"]) == "mounts"
    assert nearest("volumes", ["command"]) is None
    assert not set(OF_OTHERS) & set(TaskSpec.model_fields)


def test_a_name_that_is_long_is_compared_with_none_and_of_many_names_only_some() -> None:
    assert nearest("a" * (LONGEST + 1), ["a" * LONGEST]) is None
    assert nearest("aaaa", ["a" * (LONGEST + 1), *(f"b{number}" for number in range(MOST)), "aaaa1"]) is None
    assert did_you_mean("", []) == ""


def test_the_fields_of_a_place_are_its_own_and_those_below() -> None:
    assert {"command", "resources", "resources.cpus", "retries.max"} <= set(fields_at(TaskSpec, ()))
    assert {"memory_mb", "cpus"} <= set(fields_at(TaskSpec, ("resources",)))
    assert "command" not in fields_at(TaskSpec, ("resources",))
