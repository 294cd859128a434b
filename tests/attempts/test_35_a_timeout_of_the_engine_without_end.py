"""`engine_timeout=1e300` made a thread of the manager die at its first call: now every number has bounds."""

from pathlib import Path

import pytest

from air_executor.errors import BadInput
from manager.settings import Settings
from tests.attempts.settings_in import load_in

NUMBERS = [name for name, field in Settings.model_fields.items() if field.annotation in (int, float)]


@pytest.mark.parametrize("value", ["1e300", "inf", "nan", "-1e300", str(10**30)])
@pytest.mark.parametrize("name", NUMBERS)
def test_it_is_refused_and_so_is_any_such_number_of_any_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(BadInput, match=rf"^{name}: "):
        load_in(tmp_path, monkeypatch, **{name: value})
