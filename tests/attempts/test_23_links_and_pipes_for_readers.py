"""A writer puts links and pipes where library and command line read and write: no link is followed, nothing
waits for a pipe, and markers are made in the job's folder or not at all."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from air_executor import Client
from air_executor.cli.app import app
from air_executor.report import failure_summary
from tests.unit.air_executor.builders import DEMO, fail


@pytest.fixture
def failed(tmp_path: Path) -> Client:
    client = Client(tmp_path / "home")
    client.create_job("job", DEMO)
    fail(tmp_path / "home", "job")
    return client


def put(client: Client, kind: str, secret: Path) -> None:
    log = client.log_file("job", "greet")
    log.unlink()
    match kind:
        case "link":
            log.symlink_to(secret)
        case "pipe":
            os.mkfifo(log)
        case "folder of links":
            log.parent.rmdir()
            secret.with_name(log.name).write_text(secret.read_text())
            log.parent.symlink_to(secret.parent)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder of links"])
@pytest.mark.parametrize("command", ["logs job", "logs job greet", "logs -f job", "wait job"])
def test_a_log_that_is_none_is_neither_shown_nor_waited_for(
    failed: Client, tmp_path: Path, kind: str, command: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    put(failed, kind, secret)
    shown = CliRunner().invoke(app, ["--home", str(tmp_path / "home"), *command.split()])
    assert "hunter2" not in shown.output
    view = failed.status("job")
    assert "hunter2" not in failure_summary(view, failed.log_tail("job", "greet"))


@pytest.mark.parametrize("marker", ["retry", "reset", "cancel"])
def test_a_marker_is_not_made_through_a_link(failed: Client, tmp_path: Path, marker: str) -> None:
    target = tmp_path / "made-by-root"
    folder = failed.store.folder("job")
    (folder.path / marker).symlink_to(target)
    with pytest.raises(FileExistsError):
        folder.mark(marker)
    assert not target.exists()


def test_a_wake_file_is_not_made_through_a_link(failed: Client, tmp_path: Path) -> None:
    target = tmp_path / "made-by-root"
    failed.store.wake_file("job").symlink_to(target)
    failed.retry("job")
    assert not target.exists()
