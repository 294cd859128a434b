"""The engine proxy before the real engine: a manager works as without it, and nothing else gets through."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import APIError, NotFound

from manager.engine.connect import connect
from manager.engine.contract import (
    CommandUnusable,
    ContainerGone,
    EngineError,
    EngineUnavailable,
    Status,
)
from manager.engine.docker.connection import API_VERSION
from manager.gates.probe import Probe
from manager.model.container_spec import HOME_ID, ROLE, Mount
from tests import engine_room
from tests.contract.bench import EXIT_3, FOREVER, SAY, Bench
from tests.contract.test_engine import knows_hosts
from tests.guarded_engine import guarded_engine
from tests.waiting import until

RUNNER = engine_room.RUNNER


@pytest.fixture
def intruder(guarded_bench: Bench) -> Iterator[Any]:
    """Docker's own client on the manager's side: what somebody has who has taken the manager over."""
    found = docker.APIClient(version=API_VERSION, **docker.utils.kwargs_from_env())
    yield found
    found.close()


@pytest.fixture
def of_another(docker_client: Any) -> Iterator[Any]:
    """A container of somebody else's."""
    made = docker_client.containers.create(RUNNER, ["true"], labels={HOME_ID: "test-another"})
    yield made
    made.remove(force=True)


def refusal(call: Any) -> str:
    with pytest.raises(APIError) as refused:
        call()
    assert refused.value.status_code == 403
    return str(refused.value.explanation)


# --- A manager works as without it ----------------------------------------------------------------------


def test_a_task_runs_from_its_creation_to_its_removal(guarded_bench: Bench) -> None:
    done = guarded_bench.ended(SAY)
    assert (done.status, done.exit_code) == (Status.EXITED, 0)
    assert sorted(guarded_bench.output(done.id).split()) == [b"one", b"three", b"two"]
    assert [each.id for each in guarded_bench.engine.containers(guarded_bench.home.id)] == [done.id]
    guarded_bench.engine.rename(done.id, f"airx-renamed-{guarded_bench.home.id}")
    assert guarded_bench.engine.read_file(done.id, "/etc/debian_version")
    guarded_bench.engine.remove(done.id, guarded_bench.home.id)
    with pytest.raises(ContainerGone):
        guarded_bench.engine.observe(done.id)


def test_tasks_share_the_network_of_their_job_and_wait_at_gates(guarded_bench: Bench) -> None:
    joined = guarded_bench.joined(EXIT_3)
    guarded_bench.engine.wait(joined.id)
    assert guarded_bench.engine.observe(joined.id).exit_code == 3
    opened = guarded_bench.opened(SAY)
    guarded_bench.engine.wait(opened.id)
    assert guarded_bench.engine.observe(opened.id).exit_code == 0


def test_a_task_knows_the_hosts_that_it_asks_for(guarded_bench: Bench) -> None:
    knows_hosts(guarded_bench)


def test_a_runtime_and_gpus_that_are_not_listed_are_refused(guarded_bench: Bench) -> None:
    for change in ({"runtime": "runc"}, {"gpus": ("0",)}):
        with pytest.raises(EngineError, match="not among AIR_EXECUTOR_"):
            guarded_bench.create(**change)


def test_the_probe_finds_what_it_finds_without_it(guarded_bench: Bench) -> None:
    guarded_bench.home.jobs.mkdir()
    Probe(guarded_bench.engine, guarded_bench.home, guarded_bench.settings).folders()


def test_output_comes_while_a_task_runs_and_a_listener_that_leaves_disturbs_nobody(
    guarded_bench: Bench,
) -> None:
    running = guarded_bench.run(FOREVER)
    guarded_bench.until_it_says(running.id, b"begun")
    guarded_bench.engine.signal(running.id, "KILL")
    guarded_bench.engine.wait(running.id)
    assert guarded_bench.engine.observe(running.id).exit_code == 137


def test_whose_fault_it_is_that_a_container_cannot_be_made_is_told_as_without_it(
    guarded_bench: Bench,
) -> None:
    assert guarded_bench.engine.host().cpus >= 1
    with pytest.raises(CommandUnusable, match="the working directory '/etc/passwd' can't be used"):
        guarded_bench.create(workdir="/etc/passwd")


def test_where_the_proxy_goes_the_engine_is_away_and_does_not_refuse(
    guarded_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = guarded_bench.run(FOREVER)
    (tmp_path / "second").mkdir()
    raised: list[BaseException] = []

    def follow(engine: Any) -> None:
        try:
            engine.wait(running.id)
        except EngineUnavailable as error:
            raised.append(error)

    with guarded_engine(guarded_bench.home.path, tmp_path / "second") as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        second = connect(guarded_bench.settings)
        second.observe(running.id)
        waiting = threading.Thread(target=follow, args=(second,), daemon=True)
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
    until(lambda: raised, 10)
    with pytest.raises(EngineUnavailable):
        second.observe(running.id)


# --- Nothing else gets through --------------------------------------------------------------------------


def test_only_containers_of_the_managers_form_are_made(guarded_bench: Bench, intruder: Any) -> None:
    labels = {HOME_ID: guarded_bench.home.id, ROLE: "task"}

    def create(**said: Any) -> None:
        host = intruder.create_host_config(**said)
        intruder.create_container(RUNNER, ["true"], labels=labels, host_config=host)

    assert "form" in refusal(lambda: create(privileged=True))
    assert "form" in refusal(lambda: create(binds=["/:/host"]))
    assert "form" in refusal(lambda: create(pid_mode="host"))


def test_nothing_but_the_home_is_mounted(guarded_bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/var/run")
    for source in ("/", "/var/run/docker.sock", str(tmp_path), str(tmp_path / "link"), f"{tmp_path}/../x"):
        spec = replace(guarded_bench.spec(), mounts=(Mount(source, "/work"),))
        with pytest.raises(EngineError, match="can't be mounted"):
            guarded_bench.engine.create(spec, None)


def test_a_folder_that_became_a_link_after_the_container_was_made_is_not_mounted(
    guarded_bench: Bench,
) -> None:
    made = guarded_bench.create()
    work = guarded_bench.folder / "work"
    work.rename(guarded_bench.folder / "elsewhere")
    work.symlink_to("/var/run")
    with pytest.raises(EngineError, match="can't be mounted"):
        guarded_bench.engine.start(made.id)


def test_containers_of_others_can_be_neither_seen_nor_touched(
    guarded_bench: Bench, intruder: Any, of_another: Any
) -> None:
    own = guarded_bench.create()
    for name in (of_another.id, of_another.short_id, of_another.name):
        for call in (
            intruder.inspect_container,
            intruder.start,
            intruder.kill,
            intruder.logs,
            intruder.wait,
            lambda name: intruder.remove_container(name, force=True),
            lambda name: intruder.rename(name, "airx-stolen"),
            lambda name: intruder.get_archive(name, "/etc/passwd"),
        ):
            assert "not of this home" in refusal(lambda call=call, name=name: call(name))
    listed = [each["Id"] for each in intruder.containers(all=True, filters={})]
    assert listed == [own.id]
    of_another.reload()
    assert of_another.status == "created"


@pytest.mark.parametrize(
    "call",
    [
        "POST /containers/{own}/exec",
        "POST /containers/{own}/attach",
        "POST /containers/{own}/update",
        "POST /containers/{own}/pause",
        "PUT /containers/{own}/archive?path=/",
        "GET /containers/{own}/export",
        "GET /containers/../images/json",
        "GET /containers/%2e%2e/version",
        "GET //version",
        "POST /commit?container={own}",
        "POST /build",
        "POST /images/create?fromSrc=-",
        "POST /images/airx-no-such-image/tag?repo=airx-stolen",
        "DELETE /images/airx-no-such-image",
        "POST /images/load",
        "POST /containers/prune",
        "POST /volumes/create",
        "POST /networks/create",
        "POST /networks/bridge/connect",
        "POST /swarm/init",
        "POST /plugins/pull",
        "GET /secrets",
        "GET /system/df",
        "POST /session",
    ],
)
def test_there_is_no_way_into_a_container_nor_around_it(
    guarded_bench: Bench, intruder: Any, call: str
) -> None:
    method, path = call.format(own=guarded_bench.create().id).split()
    answer = intruder.request(method, f"{intruder.base_url}{path}", json={})
    assert answer.status_code == 403
    assert "no call that the manager makes" in answer.json()["message"]


def test_what_is_not_there_is_not_there(guarded_bench: Bench, intruder: Any) -> None:
    with pytest.raises(NotFound):
        intruder.inspect_container("airx-no-such-container")
