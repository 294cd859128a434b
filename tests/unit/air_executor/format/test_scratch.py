"""Scratch space, as a task asks for it."""

from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.documents import validate
from air_executor.format.models import Task, TaskSpec
from air_executor.format.scratch import MAX_PLACES, ScratchSpace
from tests.unit.manager.builders import T0


def asked(scratch: Any) -> TaskSpec:
    return validate(TaskSpec, {"id": "a", "command": "true", "scratch": scratch})


def test_a_number_is_a_size_in_memory() -> None:
    assert asked({"/s": 100}).scratch == {"/s": ScratchSpace(size_mb=100, on="memory")}
    assert asked({"/s": {"size_mb": 5, "on": "disk"}}).scratch == {"/s": ScratchSpace(size_mb=5, on="disk")}


def test_what_is_written_down_is_read_again_as_the_same() -> None:
    spec = asked({"/s": 100, "/t": {"size_mb": 5, "on": "disk"}})
    made = Task.of(spec, "job", T0)
    assert made.scratch == spec.scratch
    assert Task.model_validate_json(made.model_dump_json(exclude_defaults=True)).scratch == spec.scratch


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("/s", "scratch: must be an object"),
        (["/s"], "scratch: must be an object"),
        ({"/s": True}, "scratch./s: "),
        ({"/s": 0}, "scratch./s.size_mb: "),
        ({"/s": -1}, "scratch./s.size_mb: "),
        ({"/s": 1 << 40}, "scratch./s.size_mb: "),
        ({"/s": "1g"}, "scratch./s.size_mb: must be a whole number of MiB, such as 1024, not a string"),
        ({"/s": {}}, "scratch./s.size_mb: is missing"),
        ({"/s": {"size_mb": 1, "on": "floppy"}}, "scratch./s.on: "),
        ({"/work/x": 1}, "scratch./work/x.*is taken"),
        ({"/../s": 1}, "scratch.*must be an absolute path"),
        ({f"/s{n}": 1 for n in range(10_000)}, f"scratch: has 10000 places; at most {MAX_PLACES}"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_way_to_ask_is_refused_with_its_place(written: Any, words: str) -> None:
    with pytest.raises(BadInput, match=f"^{words}"):
        asked(written)
