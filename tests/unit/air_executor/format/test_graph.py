import time

import pytest

from air_executor.errors import BadInput
from air_executor.format.graph import check_graph, find_cycle
from air_executor.format.models import TaskSpec


def tasks(**graph: list[str]) -> list[TaskSpec]:
    return [TaskSpec(id=name, command="true", dependencies=tuple(needs)) for name, needs in graph.items()]


def complaint(specs: list[TaskSpec]) -> BadInput:
    with pytest.raises(BadInput) as refused:
        check_graph(specs)
    return refused.value


def test_a_graph_with_fan_out_and_fan_in_is_fine() -> None:
    check_graph(tasks(a=[], b=["a"], c=["a"], d=["b", "c", "a"]))


def test_dependencies_may_be_named_before_they_are_described() -> None:
    check_graph(tasks(b=["a"], a=[]))


def test_a_job_without_tasks_is_refused() -> None:
    assert "at least one task" in str(complaint([]))


def test_a_duplicate_id_is_refused_with_both_places() -> None:
    error = complaint([*tasks(a=[], b=[]), *tasks(a=[])])
    assert error.field == "tasks[2].id"
    assert "'a'" in error.rule
    assert "tasks[0]" in error.rule


def test_an_unknown_dependency_is_refused_and_named() -> None:
    error = complaint(tasks(a=[], b=["a", "gone"]))
    assert error.field == "tasks[1].dependencies"
    assert "unknown dependency 'gone' of task 'b'" in error.rule


def test_a_task_that_depends_on_itself_is_refused() -> None:
    assert "a -> a" in str(complaint(tasks(a=["a"])))


def test_a_cycle_is_refused_and_named_in_full() -> None:
    error = complaint(tasks(start=[], a=["start", "c"], b=["a"], c=["b"], end=["c"]))
    path = error.rule.removeprefix("dependency cycle: ").split(" -> ")
    assert path[0] == path[-1]
    assert sorted(path[:-1]) == ["a", "b", "c"]


def test_the_named_cycle_follows_the_dependencies() -> None:
    graph = {"a": ["b"], "b": ["c"], "c": ["b"]}
    assert find_cycle(graph) in (["b", "c", "b"], ["c", "b", "c"])


def test_a_node_reached_twice_is_no_cycle() -> None:
    assert find_cycle({"a": ["b", "c"], "b": ["d"], "c": ["b", "d"], "d": []}) is None


def test_a_chain_of_ten_thousand_tasks_is_checked_quickly() -> None:
    chain = [TaskSpec(id="t0", command="true")]
    chain += [
        TaskSpec(id=f"t{number}", command="true", dependencies=(f"t{number - 1}",))
        for number in range(1, 10_000)
    ]
    begun = time.thread_time()
    check_graph(chain[::-1])  # the deepest first, where recursion would end in an error
    assert time.thread_time() - begun < 2


def test_many_tasks_with_many_common_dependencies_are_checked_quickly() -> None:
    roots = [TaskSpec(id=f"r{number}", command="true") for number in range(300)]
    needs = tuple(root.id for root in roots)
    begun = time.thread_time()
    check_graph(
        roots + [TaskSpec(id=f"t{number}", command="true", dependencies=needs) for number in range(300)]
    )
    assert time.thread_time() - begun < 2
