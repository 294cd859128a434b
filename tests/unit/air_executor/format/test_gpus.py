"""GPUs, as they are asked for; what is refused stands in tests/attempts/test_44_names_that_forge_files.py."""

from typing import Any

import pytest

from air_executor.format.gpus import number_of
from air_executor.format.models import Resources


@pytest.mark.parametrize(
    ("asked", "read", "number"),
    [
        (None, None, 0),
        (1, 1, 1),
        (64, 64, 64),
        (["0"], ("0",), 1),
        (
            ["GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "1"],
            ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "1"),
            2,
        ),
        (["nvidia.com/gpu=0", "MIG-GPU-1/0/1"], ("nvidia.com/gpu=0", "MIG-GPU-1/0/1"), 2),
    ],
)
def test_a_number_or_ids(asked: Any, read: Any, number: int) -> None:
    found = Resources(gpus=asked).gpus
    assert (found, number_of(found)) == (read, number)
    assert Resources.model_validate_json(Resources(gpus=asked).model_dump_json()).gpus == read
