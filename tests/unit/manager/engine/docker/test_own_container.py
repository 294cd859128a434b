"""Whether this process is in a container, and what it then doesn't see."""

from pathlib import Path

import pytest

from manager.engine.docker import own_container


@pytest.mark.parametrize(("ids", "seen"), [([], True), (["id"], False)])
def test_where_a_path_leads_is_seen_on_the_host_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ids: list[str], seen: bool
) -> None:
    monkeypatch.setattr(own_container, "own_container_ids", lambda: ids)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    assert own_container.leads_to(f"{tmp_path}/link/x") == f"{tmp_path}/{'data' if seen else 'link'}/x"
