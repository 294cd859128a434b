"""What is executed: the image's own entry point, another, or the command alone."""

from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.documents import validate
from air_executor.format.models import Task, TaskSpec

LONG = "x" * 5000


def spec(**fields: Any) -> TaskSpec:
    return validate(TaskSpec, {"id": "a", **fields}, "tasks[0]")


@pytest.mark.parametrize(
    ("fields", "of_image", "words"),
    [
        ({"command": "echo", "args": ["x"]}, False, ("echo", "x")),
        ({"image": "i"}, True, ()),
        ({"image": "i", "args": ["x"]}, True, ("x",)),
        ({"entrypoint": "image"}, True, ()),
        ({"entrypoint": "image", "command": "c", "args": ["x"]}, True, ("c", "x")),
        ({"entrypoint": ["sh", "-c"], "command": LONG, "args": ["x"]}, False, ("sh", "-c", LONG, "x")),
        ({"entrypoint": ["sh"]}, False, ("sh",)),
        ({"entrypoint": None, "command": "c"}, False, ("c",)),
    ],
)
def test_what_is_said_is_put_together_as_docker_does(
    fields: dict[str, Any], of_image: bool, words: tuple[str, ...]
) -> None:
    found = spec(**fields)
    assert (found.runs_the_images, found.words) == (of_image, words)


@pytest.mark.parametrize(
    ("fields", "field", "rule"),
    [
        ({}, "command", "is missing: it may be left out where `image`"),
        ({"args": ["x"]}, "command", "is missing"),
        ({"image": "i", "command": ""}, "command", "must not be empty"),
        ({"entrypoint": "sh"}, "entrypoint", 'must be "image", or a list'),
        ({"entrypoint": 5}, "entrypoint", 'must be "image", or a list'),
        ({"entrypoint": {"a": 1}}, "entrypoint", 'must be "image", or a list'),
        ({"entrypoint": []}, "entrypoint", "must begin with a command"),
        ({"entrypoint": ["", "x"]}, "entrypoint", "must begin with a command"),
        ({"entrypoint": ["sh", 5]}, "entrypoint", "must be a list of strings"),
        ({"entrypoint": ["sh", ["x"]]}, "entrypoint", "must be a list of strings"),
        ({"entrypoint": ["s\0h"]}, "entrypoint", "NUL"),
        ({"entrypoint": ["s\ud800"]}, "entrypoint", "surrogate"),
        ({"entrypoint": ["x"] * 300_000}, "entrypoint", "has 300000 words"),
        ({"entrypoint": ["x" * 200_000]}, "", "entrypoint[0]: has 200000 bytes"),
        ({"entrypoint": ["x" * 300]}, "", "a name of 300 bytes in it"),
        ({"entrypoint": ["sh"] + ["x" * 100_000] * 20}, "", "bytes with its command and variables"),
        ({"image": "i", "pull": "sometimes"}, "pull", "'missing', 'always' or 'never'"),
        ({"image": "i", "stop_grace": -1}, "stop_grace", "greater than or equal to 0"),
        ({"image": "i", "stop_grace": True}, "stop_grace", "must be a number"),
        ({"image": "i", "stop_grace": 1e9}, "stop_grace", "less than or equal to 86400"),
    ],
)
def test_each_rule_is_kept_and_named(fields: dict[str, Any], field: str, rule: str) -> None:
    with pytest.raises(BadInput) as caught:
        spec(**fields)
    assert caught.value.field == f"tasks[0]{'.' if field else ''}{field}"
    assert rule in caught.value.rule


def test_a_task_that_uses_none_of_it_is_written_as_before() -> None:
    made = Task(id="a", command="echo")
    assert not {"entrypoint", "pull", "stop_grace"} & made.model_dump(exclude_defaults=True).keys()


def test_what_was_written_is_read_again() -> None:
    made = Task(id="a", entrypoint=["sh", "-c"], command="x", pull="always", stop_grace=2.5)
    assert Task.model_validate_json(made.model_dump_json(exclude_none=True)) == made
