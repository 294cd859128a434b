"""How much a job may bring."""

import pytest

from air_executor.errors import BadInput
from air_executor.format.inputs import Inputs
from air_executor.policy import Policy, check_inputs

RULES = Policy(job_disk_mb=2, job_inodes=3)


def test_a_job_brings_no_more_than_it_may_have_on_the_disk() -> None:
    check_inputs(Inputs(entries=3, bytes=2 << 20), RULES)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (
            Inputs(entries=1, bytes=3 << 20),
            "has 3 MiB, and a job may have 2 .* .setting `job_disk_mb`",
        ),
        (
            Inputs(entries=4, bytes=0),
            "has 4 files and folders, .* may have 3 .* .setting `job_inodes`",
        ),
    ],
)
def test_more_is_refused_with_the_setting(inputs: Inputs, words: str) -> None:
    with pytest.raises(BadInput, match=f"files: {words}"):
        check_inputs(inputs, RULES)
