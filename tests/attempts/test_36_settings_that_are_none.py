"""An operator's slips, which were taken without a word, or told as another's fault: each is named now."""

from pathlib import Path

import pytest

from air_executor.errors import BadInput
from manager.settings import misspelt
from tests.attempts.settings_in import load_in


def test_a_variable_that_is_no_setting_is_named() -> None:
    assert list(misspelt({"AIR_EXECUTOR_BOGUS": "1"})) == [
        "AIR_EXECUTOR_BOGUS is no setting, and changes nothing"
    ]
    (complaint,) = misspelt({"AIR_EXECUTOR_MAX_RUNER": "1"})
    assert complaint.endswith("did you mean AIR_EXECUTOR_MAX_RUNNERS?")


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("max_runners = true", "max_runners: must not be true or false, not True"),
        ("timeout = inf", "timeout: "),
        ('runner_image = ""', "runner_image: must be a reference to an image"),
        ("task_uid = 99999999999", "task_uid: .*2147483647"),
    ],
)
def test_a_wrong_value_is_named_with_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, words: str
) -> None:
    with pytest.raises(BadInput, match=rf"^{words}.*config\.toml or as AIR_EXECUTOR_"):
        load_in(tmp_path, monkeypatch, toml)


def test_a_setting_that_is_none_is_named_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match=r"config\.toml: max_runer: is no setting; did you mean `max_runners`"):
        load_in(tmp_path, monkeypatch, "max_runer = 1")


def test_a_file_that_is_a_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(BadInput, match=r"config\.toml: is not a regular file"):
        load_in(tmp_path, monkeypatch)
