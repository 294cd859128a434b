"""What the manager relies on, of any engine. The prose is in `manager.engine.contract`."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from air_executor.clock import utc_now
from air_executor.format.attempts import Cause
from manager.engine.connect import connect
from manager.engine.contract import (
    CommandUnusable,
    ContainerGone,
    EngineError,
    EngineUnavailable,
    ImageMissing,
    ImageUnusable,
    Impossible,
    NameTaken,
    NetworkEnded,
    NetworkMissing,
    Observation,
    Status,
)
from manager.gates.probe import Probe
from manager.model.container_spec import DIGEST, HOME_ID, Network
from manager.model.home import Home
from manager.model.host_names import HostNames
from manager.model.values import Capabilities
from manager.settings import Settings
from tests import engine_room
from tests.contract.bench import (
    EXIT_3,
    EXIT_126,
    EXIT_127,
    FLOOD,
    FOREVER,
    HOG,
    IGNORES_TERM,
    MISSING,
    NOT_EXECUTABLE,
    SAY,
    SLOWLY,
    TOO_LONG,
    Bench,
    sh,
)
from tests.engine_proxy import EngineProxy
from tests.fakes.engine import FakeEngine

SKEW = timedelta(seconds=0.5)
"""Docker stamps a container's creation a little after it was asked for."""


def test_an_engine_says_what_it_is(bench: Bench) -> None:
    name, version = bench.engine.describe().split(" ", 1)
    assert name in ("Docker", "Fake")
    assert version[0].isdigit()


def test_what_an_engine_says_it_can_do_it_can_do_here(bench: Bench) -> None:
    bench.home.jobs.mkdir()
    probe = Probe(bench.engine, bench.home, bench.settings)
    probe.folders()
    assert probe.capabilities() == bench.engine.capabilities()


def test_an_engine_says_what_it_can_do_also_where_it_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Settings
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    gone = FakeEngine()
    gone.go_down()
    for engine in (connect(settings), gone):
        assert engine.capabilities() == Capabilities(gates=None, warm=None)


def test_an_image_is_here_or_not_and_nothing_is_fetched(bench: Bench) -> None:
    known = bench.engine.image_id(bench.settings.runner_image)
    assert known == bench.create().image_id
    assert bench.engine.image_id("registry.invalid/no/such:image") is None


# --- Create ----------------------------------------------------------------------------------------------


def test_a_created_container_has_not_begun(bench: Bench) -> None:
    spec = bench.spec()
    made = bench.engine.observe(bench.engine.create(spec, None))
    assert (made.status, made.name) == (Status.CREATED, spec.name)
    assert (made.started_at, made.finished_at, made.exit_code) == (None, None, None)
    assert made.labels.items() >= (spec.labels | {DIGEST: spec.digest}).items()
    assert len(made.id) == 64
    assert made.image_id.startswith("sha256:")
    assert made.created_at.utcoffset() == timedelta(0)


def test_create_again_by_the_same_words_adopts_what_is_there(bench: Bench) -> None:
    spec = bench.spec(EXIT_3)
    first = bench.engine.create(spec, None)
    assert bench.engine.create(spec, None) == first
    bench.engine.start(first)
    bench.engine.wait(first)
    again = bench.engine.observe(bench.engine.create(spec, None))
    assert (again.id, again.status, again.exit_code) == (first, Status.EXITED, 3)


def test_create_does_not_adopt_what_was_asked_for_in_other_words(bench: Bench) -> None:
    spec = bench.spec(FOREVER)
    made = bench.engine.start(bench.engine.create(spec, None))
    with pytest.raises(NameTaken, match=spec.name):
        bench.engine.create(replace(spec, env=spec.env | {"MORE": "1"}), None)
    assert bench.status(made.id) is Status.RUNNING, "it is untouched"


def test_create_does_not_adopt_another_homes_container(bench: Bench) -> None:
    spec = bench.spec(FOREVER)
    made = bench.engine.create(spec, None)
    foreign = replace(spec, labels=spec.labels | {HOME_ID: f"{bench.home.id}-other"})
    with pytest.raises(NameTaken):
        bench.engine.create(foreign, None)
    assert bench.status(made) is Status.CREATED


def test_the_same_container_asked_for_by_many_at_once_is_one(bench: Bench) -> None:
    spec = bench.spec()
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: bench.engine.create(spec, None), range(6)))
    assert len(set(made)) == 1


def test_an_image_that_is_not_there_is_named(bench: Bench) -> None:
    with pytest.raises(ImageMissing, match="nobody/has:this") as caught:
        bench.engine.create(bench.spec(image="nobody/has:this"), None)
    assert caught.value.cause is Cause.IMAGE
    assert bench.engine.containers(bench.home.id) == []


@pytest.mark.parametrize("name", ["Upper/Case", "../containers/x", "a//b", "a b", "x:", "x@sha256:12", "-x"])
def test_what_is_no_images_name_is_the_images_fault(bench: Bench, name: str) -> None:
    if isinstance(bench.engine, FakeEngine):
        bench.engine.unusable_images[name] = f"{name!r} is no image's name"
    for ask in (
        lambda: bench.engine.create(bench.spec(image=name), None),
        lambda: bench.engine.image_id(name),
    ):
        with pytest.raises(ImageUnusable, match="is no image's name") as caught:
            ask()
        assert caught.value.cause is Cause.IMAGE


def test_a_command_that_is_too_long_is_the_commands_fault_and_no_container_is_made(bench: Bench) -> None:
    with pytest.raises(CommandUnusable, match="argument 1 is 131,072 bytes long") as caught:
        bench.engine.create(bench.spec(TOO_LONG), None)
    assert caught.value.cause is Cause.COMMAND
    assert bench.engine.containers(bench.home.id) == []


def test_the_host_tells_its_memory(docker_bench: Bench) -> None:
    told, has = docker_bench.engine.host().memory_mb, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert told == has >> 20


def test_more_cpus_than_the_host_has_are_the_requests_fault(bench: Bench) -> None:
    cpus = bench.engine.host().cpus
    assert bench.ended(cpus=cpus).exit_code == 0
    with pytest.raises(Impossible, match="CPUs") as caught:
        bench.create(cpus=cpus + 1)
    assert caught.value.cause is Cause.BAD_INPUT


@pytest.mark.parametrize("workdir", ["/etc/passwd", "/dev/null/x", "/proc/1/x", "/sys/x"])
def test_a_working_directory_that_nobody_can_have_is_the_commands_fault(bench: Bench, workdir: str) -> None:
    with pytest.raises(CommandUnusable, match=f"the working directory '{workdir}' can't be used") as caught:
        bench.run(workdir=workdir)
    assert caught.value.cause is Cause.COMMAND
    assert len(bench.engine.containers(bench.home.id)) <= 1, "nothing is left of what was tried"


def test_a_network_that_the_engine_has_not_is_named_with_what_to_do(bench: Bench) -> None:
    with pytest.raises(NetworkMissing, match="docker network create nobody-made-it") as caught:
        bench.run(network=Network("named", "nobody-made-it"))
    assert caught.value.cause is Cause.BAD_INPUT


def test_a_runtime_that_the_engine_does_not_know_is_impossible(bench: Bench) -> None:
    assert bench.run(runtime="runc").status in Status
    with pytest.raises(Impossible, match="the engine has no runtime 'none-such'"):
        bench.create(runtime="none-such")


def test_gpus_that_the_engine_has_no_driver_for_are_impossible(bench: Bench) -> None:
    """No engine knows of devices by this name."""
    made = bench.create(gpus=("none-such.example/gpu=0",))
    with pytest.raises(Impossible, match=r"can't give it the GPUs none-such\.example/gpu=0"):
        bench.engine.start(made.id)


def test_what_a_task_says_of_hosts_it_finds_in_any_network_and_what_is_usual_too(
    docker_bench: Bench,
) -> None:
    knows_hosts(docker_bench)


def knows_hosts(bench: Bench) -> None:
    names = HostNames((("db", "10.0.0.5"), ("six", "fd00::5")), ("10.0.0.53",), ("corp.example",))
    asks = (
        "getent hosts localhost && getent hosts $(hostname) && getent hosts db | grep 10.0.0.5 && "
        "grep fd00::5 /etc/hosts && "
        "grep 'nameserver 10.0.0.53' /etc/resolv.conf && grep 'search corp.example' /etc/resolv.conf"
    )
    ended = bench.ended(sh(asks), names=names)
    assert ended.exit_code == 0, bench.output(ended.id)
    joined = bench.joined(sh(asks), names=names)
    bench.engine.wait(joined.id)
    assert bench.engine.observe(joined.id).exit_code == 0, bench.output(joined.id)


def test_the_longest_argument_that_linux_takes_arrives(docker_bench: Bench) -> None:
    found = docker_bench.ended(("sh", "-c", "exit $((${#0} % 100))", "x" * 131_071))
    assert found.exit_code == 71


def test_a_mount_whose_source_is_missing_is_refused_and_not_made(bench: Bench) -> None:
    (bench.folder / "work").rmdir()
    with pytest.raises(EngineError, match="work"):
        bench.run()
    assert not (bench.folder / "work").exists()


# --- Start -----------------------------------------------------------------------------------------------


def test_a_container_begins_once(bench: Bench) -> None:
    made = bench.run(FOREVER)
    assert made.status is Status.RUNNING
    assert made.started_at is not None
    again = bench.engine.start(made.id)
    assert (again.status, again.started_at) == (Status.RUNNING, made.started_at)


def test_start_of_one_that_has_ended_does_not_run_it_again(bench: Bench) -> None:
    made = bench.run(SAY)
    bench.engine.wait(made.id)
    again = bench.engine.start(made.id)
    assert (again.status, again.exit_code) == (Status.EXITED, 0)
    assert bench.output(made.id).count(b"one") == 1


def test_start_asked_for_by_many_at_once_runs_it_once(bench: Bench) -> None:
    made = bench.create(SAY)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: bench.engine.start(made.id), range(6)))
    bench.engine.wait(made.id)
    assert bench.output(made.id).count(b"one") == 1


# --- Output ----------------------------------------------------------------------------------------------


def test_output_is_complete_whenever_it_is_followed(bench: Bench) -> None:
    made = bench.run(SAY)
    assert sorted(bench.output(made.id).split()) == [b"one", b"three", b"two"]
    assert sorted(bench.output(made.id).split()) == [b"one", b"three", b"two"], "from its beginning each time"


def test_output_is_followed_to_the_end_of_the_container(bench: Bench) -> None:
    made = bench.run(SLOWLY)
    assert bench.output(made.id) == b"begun\nended\n"
    bench.engine.wait(made.id)
    assert bench.status(made.id) is Status.EXITED


def test_output_comes_while_the_container_runs(bench: Bench) -> None:
    made = bench.run(FOREVER)
    bench.until_it_says(made.id, b"begun")
    assert bench.status(made.id) is Status.RUNNING


def test_much_output_comes_whole_and_in_order(bench: Bench) -> None:
    made = bench.run(FLOOD)
    assert bench.output(made.id).split() == [b"%d" % number for number in range(1, 50001)]


def test_who_has_heard_enough_need_not_hear_the_rest_and_can_ask_again(bench: Bench) -> None:
    made = bench.run(FLOOD)

    def enough(chunk: bytes) -> None:
        raise InterruptedByTest

    with pytest.raises(InterruptedByTest):
        bench.engine.follow(made.id, enough)
    heard: list[bytes] = []
    assert bench.engine.follow(made.id, heard.append), "that was all"
    assert b"".join(heard).startswith(b"1\n2\n")


class InterruptedByTest(Exception):
    pass


def test_an_engine_that_may_have_dropped_output_says_so(docker_bench: Bench) -> None:
    command = sh("seq -f '%8000.0f' 1 22000")  # 176 MB: the copy has two files of 64 MiB
    made = docker_bench.run(command)
    docker_bench.engine.wait(made.id)
    heard: list[bytes] = []
    assert not docker_bench.engine.follow(made.id, heard.append)
    assert b"".join(heard).endswith(b" 22000\n"), "it is the newest that is kept"


def test_a_hundred_containers_that_end_at_once_all_tell_everything(bench: Bench) -> None:
    def one(number: int) -> tuple[bytes, int | None]:
        command = sh(f"echo {number}; exit {number % 7}")
        if not bench.real:
            from tests.fakes.engine import FakeEngine, Program

            assert isinstance(bench.engine, FakeEngine)
            bench.engine.programs[command] = Program(exit_code=number % 7, output=b"%d\n" % number)
        made = bench.engine.create(bench.spec(command, task=f"quick{number}"), None)
        bench.engine.start(made)
        said = bench.output(made)
        bench.engine.wait(made)
        code = bench.engine.observe(made).exit_code
        bench.engine.remove(made, bench.home.id)
        return said, code

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one, range(100)))
    assert found == [(b"%d\n" % number, number % 7) for number in range(100)]
    assert bench.engine.containers(bench.home.id) == []


# --- The end ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code"),
    [(("true",), 0), (EXIT_3, 3), (EXIT_127, 127), (EXIT_126, 126)],
    ids=["0", "3", "127", "126"],
)
def test_the_exit_code_is_the_commands_own(bench: Bench, command: tuple[str, ...], code: int) -> None:
    found = bench.ended(command)
    assert (found.status, found.exit_code, found.oom_killed) == (Status.EXITED, code, False)
    assert found.unusable_command is None, "a task's own 126 and 127 are exit codes like others"


def test_times_are_in_order(bench: Bench) -> None:
    found = bench.ended(SLOWLY)
    assert found.started_at is not None
    assert found.finished_at is not None
    assert found.created_at - SKEW <= found.started_at < found.finished_at
    assert found.finished_at - found.started_at > timedelta(seconds=0.25)


@pytest.mark.parametrize(
    ("command", "words"),
    [(MISSING, "there is no command 'no-such-command'"), (NOT_EXECUTABLE, "'./data' is not executable")],
    ids=["missing", "not executable"],
)
def test_a_command_that_can_not_be_executed_is_told_apart(
    bench: Bench, command: tuple[str, ...], words: str
) -> None:
    (bench.folder / "work" / "data").write_text("no program")
    found = bench.ended(command)
    assert found.exit_code in (126, 127)
    assert found.unusable_command is not None
    assert words in found.unusable_command


def test_a_container_that_uses_too_much_memory_is_told_apart(bench: Bench) -> None:
    found = bench.ended(HOG)
    assert (found.exit_code, found.oom_killed) == (137, True)


def test_a_wait_returns_at_once_when_it_has_ended_already(bench: Bench) -> None:
    made = bench.run(EXIT_3)
    bench.engine.wait(made.id)
    bench.engine.wait(made.id)


def test_what_runs_has_no_outcome(bench: Bench) -> None:
    found = bench.engine.observe(bench.run(FOREVER).id)
    assert (found.status, found.exit_code, found.finished_at) == (Status.RUNNING, None, None)


# --- Signals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("signal", "code"), [("SIGTERM", 143), ("SIGKILL", 137)])
def test_a_signal_reaches_the_command(bench: Bench, signal: str, code: int) -> None:
    made = bench.run(FOREVER)
    bench.until_it_says(made.id, b"begun")
    bench.engine.signal(made.id, signal)
    bench.engine.wait(made.id)
    assert bench.engine.observe(made.id).exit_code == code


def test_a_command_may_ignore_sigterm_but_not_sigkill(bench: Bench) -> None:
    made = bench.run(IGNORES_TERM)
    bench.until_it_says(made.id, b"begun")
    bench.engine.signal(made.id, "SIGTERM")
    assert bench.status(made.id) is Status.RUNNING
    bench.engine.signal(made.id, "SIGKILL")
    bench.engine.wait(made.id)
    assert bench.engine.observe(made.id).exit_code == 137


def test_a_signal_to_one_that_has_ended_or_not_begun_is_nothing(bench: Bench) -> None:
    bench.engine.signal(bench.ended().id, "SIGTERM")
    made = bench.create()
    bench.engine.signal(made.id, "SIGTERM")
    assert bench.status(made.id) is Status.CREATED


# --- Remove ----------------------------------------------------------------------------------------------


def test_remove_is_for_ever_and_again_is_nothing(bench: Bench) -> None:
    made = bench.ended(EXIT_3)
    bench.engine.remove(made.id, bench.home.id)
    bench.engine.remove(made.id, bench.home.id)
    bench.engine.remove(made.name, bench.home.id)
    with pytest.raises(ContainerGone):
        bench.engine.observe(made.id)


def test_one_that_has_not_begun_can_be_removed_by_its_name(bench: Bench) -> None:
    made = bench.create()
    bench.engine.remove(made.name, bench.home.id)
    assert bench.engine.containers(bench.home.id) == []


def test_another_homes_container_is_not_removed(bench: Bench) -> None:
    made = bench.ended(EXIT_3)
    bench.engine.remove(made.id, "another-home")
    assert bench.engine.observe(made.id).exit_code == 3


def test_nothing_goes_away_by_itself(bench: Bench) -> None:
    found = bench.ended(EXIT_3)
    assert [each.id for each in bench.engine.containers(bench.home.id)] == [found.id]
    assert bench.engine.observe(found.id).exit_code == 3


@pytest.mark.parametrize("call", ["start", "wait", "observe", "signal", "follow"])
def test_what_is_not_there_is_gone(bench: Bench, call: str) -> None:
    more: dict[str, tuple[Any, ...]] = {"signal": ("SIGTERM",), "follow": (lambda chunk: None,)}
    with pytest.raises(ContainerGone) as caught:
        getattr(bench.engine, call)("airx-never-was", *more.get(call, ()))
    assert caught.value.cause is Cause.LOST


# --- The list --------------------------------------------------------------------------------------------


def test_the_list_has_this_homes_containers_whatever_their_state_and_no_others(bench: Bench) -> None:
    waiting, running, ended = bench.create(), bench.run(FOREVER), bench.ended(EXIT_3)
    spec = bench.spec()
    elsewhere = f"{bench.home.id}-2"
    foreign = replace(spec, name=f"{spec.name}-2", labels=spec.labels | {HOME_ID: elsewhere})
    other = bench.engine.create(foreign, None)
    try:
        found = {each.id: each for each in bench.engine.containers(bench.home.id)}
        assert {each: found[each].status for each in found} == {
            waiting.id: Status.CREATED,
            running.id: Status.RUNNING,
            ended.id: Status.EXITED,
        }
        assert found[running.id].labels[HOME_ID] == bench.home.id
        assert found[running.id].name == running.name
    finally:
        bench.engine.remove(other, elsewhere)


# --- Networks --------------------------------------------------------------------------------------------


def networks(bench: Bench) -> list[Observation]:
    found = bench.engine.containers(bench.home.id)
    return [each for each in found if each.labels["air-executor.role"] == "network"]


def test_the_network_container_is_made_at_need_and_shared(bench: Bench) -> None:
    bench.joined(FOREVER)
    bench.joined(FOREVER)
    (holder,) = networks(bench)
    assert holder.status is Status.RUNNING


def test_a_network_container_that_has_ended_is_replaced_and_not_started_again(bench: Bench) -> None:
    """At the latest when a container that was to join it could not."""
    bench.joined(("true",))
    (first,) = networks(bench)
    bench.engine.signal(first.id, "SIGKILL")
    bench.engine.wait(first.id)
    with suppress(NetworkEnded):
        bench.joined(("true",))
    bench.joined(("true",))
    (second,) = networks(bench)
    assert second.id != first.id
    assert second.status is Status.RUNNING


@pytest.mark.parametrize("how", ["ended", "gone", "replaced"])
def test_a_network_that_was_seen_to_be_lost_is_not_joined_again(bench: Bench, how: str) -> None:
    """What is seen by looking at it need not be found out by a container that can't start."""
    bench.joined(FOREVER)
    (first,) = networks(bench)
    if how == "ended":
        bench.engine.signal(first.id, "SIGKILL")
        bench.engine.wait(first.id)
    else:
        bench.take_away(first.id)
    if how == "replaced":
        bench.engine.start(bench.engine.create(bench.network(), None))
    with suppress(ContainerGone):
        bench.engine.observe(first.name)
    assert bench.joined(("true",)).started_at is not None
    (second,) = networks(bench)
    assert second.id != first.id


def test_a_container_whose_network_has_ended_before_its_start_never_begins_and_that_is_said(
    bench: Bench,
) -> None:
    made = bench.prepared(("true",))
    (holder,) = networks(bench)
    bench.engine.signal(holder.id, "SIGKILL")
    bench.engine.wait(holder.id)
    with pytest.raises(NetworkEnded):
        bench.engine.start(made)
    assert bench.status(made) is Status.CREATED
    bench.engine.remove(holder.id, bench.home.id)
    with pytest.raises(NetworkEnded):
        bench.engine.start(made)


def test_a_network_that_was_asked_for_in_other_words_still_serves_its_job(bench: Bench) -> None:
    """A manager that is started again with other settings."""
    bench.joined(FOREVER)
    (before,) = networks(bench)
    other = replace(bench.network(), memory_bytes=32 << 20)
    spec = bench.spec(("true",), network=Network("job", other.name))
    bench.engine.start(bench.engine.create(spec, other))
    assert [holder.id for holder in networks(bench)] == [before.id]


def test_an_engine_knows_whether_it_was_restarted(bench: Bench) -> None:
    assert not bench.engine.restarted_since(utc_now())
    assert not bench.engine.restarted_since(bench.create().created_at)


def test_many_tasks_that_begin_at_once_share_one_network(bench: Bench) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: bench.joined(("true",)), range(4)))
    assert len(networks(bench)) == 1


# --- Only on a real engine: what is visible from inside --------------------------------------------------


def said(bench: Bench, script: str, **change: Any) -> str:
    made = bench.run(sh(script), **change)
    text = bench.output(made.id).decode()
    bench.engine.wait(made.id)
    return text.strip()


def test_two_tasks_of_a_job_see_each_other_on_localhost(docker_bench: Bench) -> None:
    server = (
        "import http.server as h\n"
        "h.HTTPServer(('127.0.0.1', 8000), h.SimpleHTTPRequestHandler).serve_forever()"
    )
    docker_bench.joined(("python3", "-c", server))
    fetch = (
        "import time, urllib.request as u\n"
        "for _ in range(100):\n"
        "    try: print(u.urlopen('http://127.0.0.1:8000').status); break\n"
        "    except OSError: time.sleep(0.1)\n"
    )
    made = docker_bench.joined(("python3", "-c", fetch))
    assert docker_bench.output(made.id) == b"200\n"


def test_a_private_network_is_not_the_jobs(docker_bench: Bench) -> None:
    docker_bench.joined(FOREVER)
    (holder,) = networks(docker_bench)
    look = "readlink /proc/self/ns/net; ls /sys/class/net"
    alone = said(docker_bench, look, network=Network("private"))
    made = docker_bench.joined(sh(look))
    joined = docker_bench.output(made.id).decode().strip()
    assert alone.split()[0] != joined.split()[0]
    assert "eth0" in alone.split()
    assert holder.status is Status.RUNNING


def test_without_a_network_there_is_only_localhost(docker_bench: Bench) -> None:
    assert said(docker_bench, "ls /sys/class/net", network=Network("none")) == "lo"


OWN_NAMES = """\
getent hosts localhost > /dev/null && echo localhost
getent hosts "$(hostname)" > /dev/null && echo its own
[ "$(hostname -f)" = "$(hostname)" ] && echo and whole
[ "$HOSTNAME" = "$(hostname)" ] && echo told
"""
TALKS = """\
import socket
for family in sorted({found[0] for found in socket.getaddrinfo("localhost", 0)}):
    listener = socket.create_server(("localhost", 0), family=family)
    socket.create_connection(listener.getsockname()[:2]).close()
own = socket.create_server((socket.gethostname(), 0))
socket.create_connection(own.getsockname()).close()
print("talks")
"""


@pytest.mark.parametrize("kind", ["none", "private", "job"])
def test_localhost_and_its_own_name_are_known_in_every_network(docker_bench: Bench, kind: str) -> None:
    command = sh(f"{OWN_NAMES}python3 -c '{TALKS}'; cat /etc/hosts")
    network: Any = kind
    joins = kind == "job"
    made = docker_bench.joined(command) if joins else docker_bench.run(command, network=Network(network))
    lines = docker_bench.output(made.id).decode().splitlines()
    assert lines[:5] == ["localhost", "its own", "and whole", "told", "talks"]
    assert lines[5].split() == ["127.0.0.1", "localhost"]


def test_without_a_network_names_are_known_as_docker_has_it(docker_bench: Bench, docker_client: Any) -> None:
    look = "cat /etc/hosts; cat /proc/net/if_inet6; cat /etc/resolv.conf"
    theirs = docker_client.containers.run(
        engine_room.RUNNER,
        ["sh", "-c", look],
        network_mode="none",
        remove=True,
        labels={HOME_ID: docker_bench.home.id},
    )
    ours = said(docker_bench, look, network=Network("none")).splitlines()
    assert [line for line in ours if not line.startswith("127.0.1.1")] == theirs.decode().strip().splitlines()


def test_without_a_network_no_other_name_is_known_and_nobody_waits_for_that(docker_bench: Bench) -> None:
    script = "timeout 5 getent hosts example.org; echo $?"
    assert said(docker_bench, script, network=Network("none")) == "2"


def test_a_task_has_no_powers(docker_bench: Bench) -> None:
    status = dict(
        line.split(":\t", 1)
        for line in said(docker_bench, "cat /proc/self/status").splitlines()
        if ":\t" in line
    )
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"
    assert int(status["Seccomp"]) != 0


def test_a_task_is_never_root(docker_bench: Bench) -> None:
    uid, gid, groups = said(docker_bench, "id -u; id -g; id -G").splitlines()
    owner = os.geteuid() or 65534
    assert uid == str(owner)
    assert "0" not in (uid, gid, *groups.split())


def test_the_root_file_system_can_not_be_written(docker_bench: Bench) -> None:
    text = said(docker_bench, "for f in /x /usr/x /etc/x /var/tmp/x /root/x; do touch $f 2>&1; done; true")
    assert len(text.splitlines()) == 5
    assert "Read-only file system" in text


def test_tmp_can_be_written_and_is_bounded(docker_bench: Bench) -> None:
    script = (
        "echo $HOME; echo ok > /tmp/x && cat /tmp/x; "
        "dd if=/dev/zero of=/tmp/big bs=1M count=10 2>&1 | grep -o 'No space'; du -m /tmp/big | cut -f1"
    )
    assert said(docker_bench, script).splitlines() == ["/tmp", "ok", "No space", "4"]


NATIVE = """\
cp /bin/echo /tmp/echo && /tmp/echo executed
python3 - <<'END'
import ctypes, shutil
with open("/proc/self/maps") as maps:
    library = next(line.split()[-1] for line in maps if "/libc.so" in line)
shutil.copy(library, "/tmp/library.so")
print("loaded", ctypes.CDLL("/tmp/library.so").abs(-7))
END
printf '#!/bin/sh\\necho a script\\n' > /tmp/script && chmod +x /tmp/script && /tmp/script
"""


def test_native_code_in_tmp_is_executed_and_loaded(docker_bench: Bench) -> None:
    assert said(docker_bench, NATIVE).splitlines() == ["executed", "loaded 7", "a script"]


def test_nothing_in_tmp_is_executed_where_the_operator_is_strict(docker_bench: Bench) -> None:
    docker_bench.engine = connect(docker_bench.settings.model_copy(update={"tmp_exec": False}))
    text = said(docker_bench, NATIVE)
    assert "executed" not in text
    assert "loaded" not in text
    assert "ermission denied" in text or "not permitted" in text


def test_an_engine_tells_what_it_keeps_containers_in_with(bench: Bench) -> None:
    found = bench.engine.confinement()
    assert found.means[0] == "seccomp (strict)"
    assert found.gaps == ()


def test_volumes_of_an_image_are_empty_and_can_not_be_written_and_nothing_is_left(
    docker_bench: Bench, docker_client: Any, image_with_volumes: str
) -> None:
    before = {volume.id for volume in docker_client.volumes.list()}
    script = (
        "for at in /var/tmp /new/and/deep /.air-executor; do "
        "ls -A $at; touch $at/x 2>&1 | grep -c Read-only; done; "
        "for at in /work /inbox/new /tmp; do touch $at/x && echo $at; done; exec sleep 60"
    )
    made = docker_bench.run(sh(script), image=image_with_volumes)
    docker_bench.until_it_says(made.id, b"/tmp\n")
    assert {volume.id for volume in docker_client.volumes.list()} == before
    mounts = docker_client.api.inspect_container(made.id)["Mounts"]
    assert {mount["Type"] for mount in mounts} == {"bind"}
    docker_bench.engine.signal(made.id, "SIGKILL")
    assert docker_bench.output(made.id).decode().split() == ["1", "1", "1", "/work", "/inbox/new", "/tmp"]


def test_an_image_with_a_volume_inside_a_tasks_own_folder_can_not_be_used(
    bench: Bench, image_with_a_volume_in_work: str
) -> None:
    if isinstance(bench.engine, FakeEngine):
        bench.engine.unusable_images[image_with_a_volume_in_work] = "it declares the volume '/work/deep/er'"
    with pytest.raises(ImageUnusable, match="'/work/deep/er'") as caught:
        bench.run(image=image_with_a_volume_in_work)
    assert caught.value.cause is Cause.IMAGE
    assert not (bench.folder / "work" / "deep").exists()


def test_a_task_sees_no_cgroups_but_its_own(docker_bench: Bench) -> None:
    lines = said(docker_bench, "cat /proc/self/cgroup").splitlines()
    assert {line.rpartition(":")[2] for line in lines} == {"/"}


def test_a_tasks_limits_and_its_place_when_memory_runs_out(docker_bench: Bench) -> None:
    script = "ulimit -Hn; ulimit -Hc; cat /proc/self/oom_score_adj"
    assert said(docker_bench, script).split() == ["16384", "0", "1000"]


@pytest.mark.parametrize(("folder", "files"), [("/tmp", 1024), ("/dev/shm", 16_384)])
def test_what_is_in_memory_holds_so_many_files(docker_bench: Bench, folder: str, files: int) -> None:
    assert said(docker_bench, f"df --output=itotal {folder} | tail -1") == str(files)


def test_limits_are_the_specs(docker_bench: Bench, docker_client: Any) -> None:
    made = docker_bench.run(FOREVER)
    host = docker_client.api.inspect_container(made.id)["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 64 << 20
    assert host["NanoCpus"] == 500_000_000
    assert host["PidsLimit"] == 65
    assert host["RestartPolicy"]["Name"] == "no"
    assert host["AutoRemove"] is False
    assert host["Privileged"] is False


def test_a_task_can_not_have_more_processes_than_its_limit(docker_bench: Bench) -> None:
    script = (
        "import os, time\nn = 0\ntry:\n"
        "    while n < 500:\n"
        "        if os.fork() == 0: time.sleep(60); os._exit(0)\n"
        "        n += 1\n"
        "except OSError: pass\nprint(n, flush=True)\nos.kill(0, 9)"
    )
    made = docker_bench.run(("python3", "-c", script))
    docker_bench.until_it_says(made.id, b"\n")
    assert 30 < int(docker_bench.output(made.id)) < 64


def test_no_swap_beside_the_memory(docker_bench: Bench) -> None:
    script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null"
    assert said(docker_bench, script) == str(64 << 20)


def test_there_is_no_engine_to_talk_to_in_a_container(docker_bench: Bench) -> None:
    assert said(docker_bench, "ls /var/run/docker.sock /run/docker.sock 2>/dev/null; echo none") == "none"


def test_only_its_jobs_work_and_its_own_inbox_are_mounted(docker_bench: Bench, docker_client: Any) -> None:
    made = docker_bench.run(FOREVER)
    mounts = docker_client.api.inspect_container(made.id)["Mounts"]
    accounts = [mount for mount in mounts if mount["Source"].startswith(str(docker_bench.home.accounts))]
    assert not any(mount["RW"] for mount in accounts)
    others = [mount for mount in mounts if mount not in accounts]
    assert sorted((mount["Source"], mount["Destination"]) for mount in others) == sorted(
        [
            (str(docker_bench.home.gate(made.name).inbox), "/inbox"),
            (str(docker_bench.work), "/work"),
        ]
    )


def test_a_path_with_a_colon_and_a_plus_is_mounted_as_it_stands(docker_bench: Bench) -> None:
    assert ":" in docker_bench.folder.name
    assert "+" in docker_bench.folder.name
    (docker_bench.folder / "work" / "in").write_text("from outside\n")
    assert said(docker_bench, "pwd; cat in; echo from inside > out; echo x > /inbox/new/r").splitlines() == [
        "/work",
        "from outside",
    ]
    written = docker_bench.folder / "work" / "out"
    assert written.read_text() == "from inside\n"
    assert written.stat().st_uid == (os.geteuid() or 65534)
    assert list(docker_bench.home.gates.glob("*/inbox/new/r"))


def test_arguments_and_environment_arrive_as_they_stand(docker_bench: Bench) -> None:
    odd = ("$HOME `x` \"q\" 'p'", "ä\u2028\n*", "")
    command = (
        "python3",
        "-c",
        "import os, sys; print(sys.argv[1:], os.environ['ODD'], os.environ['AIR_EXECUTOR_TASK'])",
        *odd,
    )
    spec = docker_bench.spec(command)
    made = docker_bench.engine.start(
        docker_bench.engine.create(replace(spec, env=spec.env | {"ODD": "a=b c"}), None)
    )
    assert (
        docker_bench.output(made.id).decode().strip()
        == f"{list(odd)} a=b c {spec.labels['air-executor.task']}"
    )


def test_the_images_own_health_check_and_entry_point_play_no_part(
    docker_bench: Bench, docker_client: Any
) -> None:
    made = docker_bench.run(FOREVER)
    inspected = docker_client.api.inspect_container(made.id)
    assert "Health" not in inspected["State"]
    assert inspected["Config"]["Entrypoint"] == ["sh"]


def test_output_that_breaks_off_is_not_taken_for_its_end(
    docker_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = EngineProxy(tmp_path)
    proxy.open()
    made = docker_bench.run(FOREVER)
    monkeypatch.setenv("DOCKER_HOST", proxy.address)
    behind = connect(docker_bench.settings)
    heard: list[bytes] = []

    def hear(chunk: bytes) -> None:
        heard.append(chunk)
        proxy.cut()

    with pytest.raises(EngineUnavailable):
        behind.follow(made.id, hear)
    assert heard == [b"begun\n"]
    proxy.close()


def test_an_engine_that_is_not_there_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Settings
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    engine = connect(settings)
    for call in (
        engine.describe,
        lambda: engine.observe("x"),
        lambda: engine.containers(Home("x", Path("/")).id),
    ):
        with pytest.raises(EngineUnavailable):
            call()
