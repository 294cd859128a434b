"""GPUs and runtimes: what the operator has, and allows."""

from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.policy.devices import check_devices
from manager.core import policy
from manager.core.policy.devices import bounded_gpus, lack
from tests.unit.manager.builders import settings, task

RULES = {"gpus": ["0", "nvidia.com/gpu=1"], "runtimes": ("runsc",)}


def asking(gpus: int | list[str] | None = None, **fields: Any) -> Any:
    return task("a", resources={"gpus": gpus}, **fields)


@pytest.mark.parametrize(
    "of",
    [
        asking(),
        asking(1),
        asking(2),
        asking(["nvidia.com/gpu=1"]),
        task(runtime="runsc"),
        task(runtime="default"),
    ],
    ids=str,
)
def test_what_is_declared_and_allowed_may_be_asked_for(of: Any) -> None:
    check_devices(of, settings(**RULES))


@pytest.mark.parametrize(
    ("of", "rules", "words"),
    [
        (asking(1), {}, r"resources.gpus: this host has no GPUs declared \(setting `gpus`\)"),
        (asking(3), RULES, "resources.gpus: 3 is more than are declared here: 2 .setting `gpus`"),
        (asking(["7"]), RULES, "resources.gpus: '7' is none of those .* 0, nvidia.com/gpu=1 .setting `gpus`"),
        (task(runtime="kata"), RULES, "runtime: 'kata' is not allowed .* default, runsc .setting `runtimes`"),
        (task(runtime="runsc"), {}, "runtime: .* allowed are default .setting `runtimes`"),
    ],
    ids=str,
)
def test_what_is_not_is_refused_with_field_and_setting(of: Any, rules: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=rf"tasks\[1\]\.{words}"):
        check_devices(of, settings(**rules), "tasks[1].")


def test_what_was_taken_by_older_settings_is_lacking_by_those_of_today() -> None:
    assert lack(asking(2), settings(gpus=1)) is not None
    assert lack(task(runtime="runsc"), settings()) is not None
    assert lack(task(runtime="default"), settings()) is None
    assert lack(asking(1), settings(gpus=1)) is None


@pytest.mark.parametrize(
    ("asked", "expected"), [(None, None), (1, ("2",)), (2, ("2", "3")), (("3",), ("3",))]
)
def test_what_a_task_queues_gets_no_gpu_that_its_parent_has_not(asked: Any, expected: Any) -> None:
    assert bounded_gpus(asked, ("2", "3"), "a") == expected


@pytest.mark.parametrize(
    ("of", "expected"), [(asking(1), True), (task(runtime="runsc"), True), (task(runtime="default"), False)]
)
def test_what_is_made_when_its_turn_has_come_only_is_not_usual(of: Any, expected: bool) -> None:
    assert policy.is_made_late(of) is expected
    assert policy.is_usual(of, settings(**RULES)) is not expected
