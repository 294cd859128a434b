"""Limits, as they are asked for; what is refused: attempts/test_44_names_that_forge_files.py."""

import pytest
from pydantic import ValidationError

from air_executor.format.models import TaskSpec
from air_executor.format.ulimits import LEAST, UNITS, Ulimit


def test_a_number_is_both_and_an_object_says_each() -> None:
    spec = TaskSpec(id="a", command="true", ulimits={"nofile": 100, "cpu": {"soft": 1, "hard": 2}})
    assert spec.ulimits == {"nofile": Ulimit(soft=100, hard=100), "cpu": Ulimit(soft=1, hard=2)}


def test_what_is_written_is_read_as_the_same() -> None:
    spec = TaskSpec(id="a", command="true", ulimits={"nofile": 100})
    assert TaskSpec.model_validate_json(spec.model_dump_json()) == spec


def test_all_names_of_docker_are_known_but_the_one_that_reaches_all_containers() -> None:
    TaskSpec(id="a", command="true", ulimits=dict.fromkeys(UNITS, 1 << 30))
    with pytest.raises(ValidationError, match=r"nproc can't be set .*; use resources.pids"):
        TaskSpec(id="a", command="true", ulimits={"nproc": 10})


@pytest.mark.parametrize("name", LEAST)
def test_what_no_command_begins_with_is_refused(name: str) -> None:
    TaskSpec(id="a", command="true", ulimits={name: LEAST[name]})
    with pytest.raises(ValidationError, match=f"{name} must be {LEAST[name]} .* or more"):
        TaskSpec(id="a", command="true", ulimits={name: LEAST[name] - 1})
