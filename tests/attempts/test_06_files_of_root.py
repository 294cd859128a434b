"""A writer's files are links to root's: what a complaint says of them is that they are links, whatever they
lead to, and whether that is there or not."""

from pathlib import Path

import pytest

from air_executor import BadInput, Client


@pytest.mark.parametrize("name", ["tasks.json", "state.json"])
def test_a_complaint_tells_nothing_of_what_a_link_leads_to(tmp_path: Path, name: str) -> None:
    root_only = tmp_path / "root-only"
    root_only.write_text('[{"id": "pass word=hunter2", "command": "true"}]')
    client = Client(tmp_path)
    client.create_job("thief", [{"id": "a", "command": "true"}])
    folder = client.store.folder("thief")
    complaints = set()
    for target in (root_only, tmp_path / "nowhere", "/etc/shadow", tmp_path):
        (folder.path / name).unlink()
        (folder.path / name).symlink_to(target)
        with pytest.raises(BadInput) as complaint:
            folder.read()
        complaints.add(str(complaint.value))
    (only,) = complaints
    assert only.startswith(f"{folder.path / name}: is a link")
