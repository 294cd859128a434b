"""What the engine proxy is told of the engine."""

import pytest

from engine_proxy.__main__ import listed


@pytest.mark.parametrize(
    ("value", "expected"), [("", []), ('["runsc"]', ["runsc"]), ("2", ["0", "1"]), ("[]", [])]
)
def test_a_list_or_a_number(monkeypatch: pytest.MonkeyPatch, value: str, expected: list[str]) -> None:
    monkeypatch.setenv("AIR_EXECUTOR_GPUS", value)
    assert listed("AIR_EXECUTOR_GPUS") == expected
