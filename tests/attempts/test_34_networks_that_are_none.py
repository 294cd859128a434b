"""An operator allows `host`, or another container's network, to tasks: these would be on the host, or in it.

Such names are no networks that can be allowed: the manager does not start with them.
"""

from pathlib import Path

import pytest

from air_executor.errors import BadInput
from manager.core import policy
from tests.attempts.settings_in import load_in
from tests.unit.manager.builders import OWNER, settings, task


@pytest.mark.parametrize(
    "name",
    [
        "host",
        "HOST",
        "container:air-executor-manager-1",
        "none",
        "bridge",
        "default",
        "",
        "ns:/proc/1/ns/net",
    ],
)
def test_it_is_refused_at_the_start_with_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with pytest.raises(
        BadInput, match=r"networks\.1: .* can't be allowed to tasks: name a network .*config\.toml"
    ):
        load_in(tmp_path, monkeypatch, networks=f'["db", "{name}"]')


def test_a_record_from_when_it_was_allowed_gets_no_network() -> None:
    assert policy.grant(task("a", network="host"), OWNER, "net", settings()).network.kind == "none"
