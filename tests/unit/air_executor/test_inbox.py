import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from air_executor import BadInput, Client, JobEnded, TaskSpec, inbox
from air_executor.format.documents import parse_json
from air_executor.inbox import drop_request
from air_executor.store import JobFolder
from tests.unit.air_executor.builders import DEMO, complete


def requests(client: Client, folder: str = "new") -> list[dict[str, object]]:
    return [
        parse_json(file.read_bytes()) for file in (client.store.existing("demo").inbox / folder).iterdir()
    ]


def test_a_request_is_put_whole_into_the_inbox(client: Client) -> None:
    client.create_job("demo", DEMO)
    drop_request(client.store.existing("demo"), TaskSpec(id="more", command="echo", args=("x",)))
    assert requests(client) == [{"id": "more", "command": "echo", "args": ["x"]}]
    assert requests(client, "tmp") == []


def test_the_file_of_a_request_is_named_as_its_id(client: Client) -> None:
    client.create_job("demo", DEMO)
    folder = client.store.existing("demo")
    name = drop_request(folder, TaskSpec(id="x" * 200, command="echo"))
    assert [file.name for file in folder.inbox_new.iterdir()] == [name]
    assert name.endswith(".json")


def test_the_same_request_twice_is_two_files(client: Client) -> None:
    client.create_job("demo", DEMO)
    folder = client.store.existing("demo")
    spec = TaskSpec(id="more", command="echo")
    assert drop_request(folder, spec) != drop_request(folder, spec)
    assert len(requests(client)) == 2


def test_an_ended_job_takes_no_requests(client: Client, home: Path) -> None:
    client.create_job("demo", DEMO)
    complete(home, "demo")
    folder = client.store.existing("demo")
    with pytest.raises(JobEnded, match="completed"):
        drop_request(folder, TaskSpec(id="more", command="echo"))
    assert not folder.inbox.exists()


def closed_inbox(client: Client) -> JobFolder:
    client.create_job("demo", DEMO)
    folder = client.store.existing("demo")
    folder.inbox_tmp.mkdir(parents=True)
    return folder


def test_an_inbox_that_was_closed_is_not_opened_again_by_a_request(client: Client, home: Path) -> None:
    folder = closed_inbox(client)
    ending = threading.Timer(0.1, complete, (home, "demo"))
    ending.start()
    with pytest.raises(JobEnded):
        drop_request(folder, TaskSpec(id="more", command="echo"))
    ending.join()
    assert not folder.inbox_new.exists()
    assert list(folder.inbox_tmp.iterdir()) == []


def test_a_request_waits_for_an_inbox_that_is_closed_for_a_moment(client: Client) -> None:
    folder = closed_inbox(client)
    opening = threading.Timer(0.1, folder.inbox_new.mkdir)
    opening.start()
    drop_request(folder, TaskSpec(id="more", command="echo"))
    opening.join()
    assert len(requests(client)) == 1


@pytest.fixture
def close_before_rename(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[], object]], None]:
    """The manager closes the inbox after it was opened for a request, and goes on as the test says."""
    client.create_job("demo", DEMO)
    folder = client.store.existing("demo")
    folder.inbox_tmp.mkdir(parents=True)
    folder.inbox_new.mkdir()

    def arrange(go_on: Callable[[], object]) -> None:
        rename = os.rename

        def close_first(*names: str, **places: int) -> None:
            monkeypatch.setattr(os, "rename", rename)
            folder.inbox_new.rename(folder.inbox / "closed")
            rename(*names, **places)
            go_on()

        monkeypatch.setattr(os, "rename", close_first)

    return arrange


def test_a_request_that_went_into_an_inbox_just_closed_for_good_is_not_lost_silently(
    client: Client, home: Path, close_before_rename: Callable[[Callable[[], object]], None]
) -> None:
    close_before_rename(lambda: complete(home, "demo"))
    with pytest.raises(JobEnded):
        drop_request(client.store.existing("demo"), TaskSpec(id="more", command="echo"))


def test_a_request_that_went_into_an_inbox_since_replaced_is_put_into_the_new_one(
    client: Client, close_before_rename: Callable[[Callable[[], object]], None]
) -> None:
    close_before_rename(client.store.existing("demo").inbox_new.mkdir)
    drop_request(client.store.existing("demo"), TaskSpec(id="more", command="echo"))
    assert len(requests(client)) == 1


def test_an_inbox_that_stays_broken_is_named(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = closed_inbox(client)
    monkeypatch.setattr(inbox, "PATIENCE", 0.05)
    with pytest.raises(BadInput, match="has no folders tmp and new") as refused:
        drop_request(folder, TaskSpec(id="more", command="echo"))
    assert refused.value.where == str(folder.inbox)


@pytest.mark.parametrize("replaced", ["inbox", "inbox/tmp", "inbox/new"])
def test_links_that_a_task_put_into_its_inbox_are_not_followed(
    client: Client, tmp_path: Path, replaced: str
) -> None:
    client.create_job("demo", DEMO)
    folder = client.store.existing("demo")
    outside = tmp_path / "outside"
    for place in ("tmp", "new"):
        (outside / place).mkdir(parents=True)
    if replaced != "inbox":
        for place in {"inbox/tmp", "inbox/new"} - {replaced}:
            (folder.path / place).mkdir(parents=True)
    (folder.path / replaced).symlink_to(outside)
    with pytest.raises(BadInput, match="a task put something else there"):
        drop_request(folder, TaskSpec(id="more", command="echo"))
    assert [file for file in outside.rglob("*") if file.is_file()] == []
