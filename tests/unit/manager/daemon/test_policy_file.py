"""`policy.json`: what the operator allows, for whoever may read the home."""

import os
import stat
from pathlib import Path

import pytest

from air_executor.daemon import POLICY
from air_executor.files import Readers
from air_executor.policy.published import read_published
from manager.daemon import policy_file
from manager.daemon.policy_file import publish
from tests.unit.manager.builders import settings

READERS = Readers(os.geteuid(), os.getegid())


def test_the_rules_are_there_for_the_readers_and_nobody_else(tmp_path: Path) -> None:
    publish(tmp_path, settings(max_cpus=3.0), READERS)
    publish(tmp_path, settings(max_cpus=2.0), READERS)
    found = read_published((tmp_path / POLICY).read_bytes())
    assert found is not None and found.max_cpus == 2
    assert stat.S_IMODE((tmp_path / POLICY).stat().st_mode) == 0o640
    assert [each.name for each in tmp_path.iterdir()] == [POLICY]


def test_where_they_can_not_be_written_those_of_an_earlier_manager_do_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publish(tmp_path, settings(), READERS)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(policy_file, "write_whole", full)
    publish(tmp_path, settings(), READERS)
    assert not (tmp_path / POLICY).exists()
    assert "policy.json can't be written" in caplog.text
    assert len(list(tmp_path.iterdir())) == 1, "on a full disk no room is given up"
    monkeypatch.undo()
    publish(tmp_path, settings(), READERS)
    assert [each.name for each in tmp_path.iterdir()] == [POLICY]
