"""What the engine is asked for."""

import re
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given

from air_executor.format import names
from air_executor.format.attempts import Grant, GrantedNetwork
from manager.model import containers
from manager.model.container_spec import GUARD, Declared, InMemory, Mount, Network
from manager.model.containers import MIB, container_name, network_name, task_container
from manager.model.values import AttemptKey, Guard
from tests.unit.manager.builders import HOME, UID, container, key, network, settings, spec, task

DOCKERS_RULE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
A_HOST_NAME = 253

a_name = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:+@=~-]{0,199}", fullmatch=True)
a_key = st.builds(
    AttemptKey,
    uid=st.text("0123456789abcdef", min_size=32, max_size=32),
    task=a_name,
    number=st.integers(1, 101),
    incarnation=st.integers(1, 9),
)


@given(a_name, a_key)
def test_every_container_name_is_one_that_docker_takes(job: str, of: AttemptKey) -> None:
    assert names.is_name(job)
    for name in (container_name(HOME.id, job, of), network_name(HOME.id, job, of.uid)):
        assert DOCKERS_RULE.fullmatch(name)
        assert len(name) < A_HOST_NAME
        assert name.startswith("airx-")


@given(a_name, st.lists(a_key, min_size=2, max_size=2, unique=True))
def test_two_attempts_never_share_a_name(job: str, keys: list[AttemptKey]) -> None:
    assert container_name(HOME.id, job, keys[0]) != container_name(HOME.id, job, keys[1])


@given(a_name, a_key)
def test_the_name_is_the_same_each_time_and_another_in_another_home(job: str, of: AttemptKey) -> None:
    assert container_name(HOME.id, job, of) == container_name(HOME.id, job, of)
    assert container_name(HOME.id, job, of) != container_name("another", job, of)
    assert container_name(HOME.id, job, of) != container_name(HOME.id, job, of._replace(incarnation=99))


def test_a_person_can_read_job_task_and_attempt_in_the_name() -> None:
    name = container_name(HOME.id, "airflow-manual__2025-10-02T07:30:00+00:00", key("greet"))
    assert re.fullmatch(r"airx-airflow-manual__2025-10-02T07-30-00-00-00-greet-1-[0-9a-f]{10}", name)


def test_names_that_would_run_into_each_other_stay_apart() -> None:
    assert container_name(HOME.id, "a", key("b-c")) != container_name(HOME.id, "a-b", key("c"))
    assert container_name(HOME.id, "a:b", key("c")) != container_name(HOME.id, "a+b", key("c", uid="f" * 32))


def test_only_its_jobs_work_and_an_inbox_of_its_own_are_mounted() -> None:
    inbox = f"{HOME.path}/gates/{spec().name}/inbox"
    assert spec().mounts == (Mount("/work/job", "/work"), Mount(inbox, "/inbox"))


def test_the_environment_tells_a_task_where_it_is_and_can_not_be_overridden() -> None:
    env = spec(env={"HOME": "/work", "MINE": "1", "AIR_EXECUTOR_TASK": "lie"}).env
    assert env == {
        "HOME": "/work",
        "MINE": "1",
        "AIR_EXECUTOR_JOB": "job",
        "AIR_EXECUTOR_TASK": "a",
        "AIR_EXECUTOR_ATTEMPT": "2",
        "AIR_EXECUTOR_INBOX": "/inbox",
        "AIR_EXECUTOR_RESULT": "/inbox/result/result.json",
        "AIR_EXECUTOR_RESULTS": "/inbox/results",
    }


def test_what_was_claimed_by_a_manager_that_knew_no_results_is_asked_for_in_the_same_words() -> None:
    older = spec(limits={"result_kb": 0})
    assert not any("RESULT" in name for name in older.env)
    assert older.digest != spec().digest


def test_references_are_shown_as_they_are_written() -> None:
    """What they stand for is known when the task's turn has come."""
    args = [{"result": "a", "path": "rows"}]
    assert spec(command="echo", args=args).command == ("echo", '{"result": "a", "path": "rows"}')


def test_home_is_somewhere_writable() -> None:
    assert spec().env["HOME"] == "/tmp"


def test_the_working_directory_is_work_unless_the_task_names_another() -> None:
    assert (spec().workdir, spec(workdir="/work/sub").workdir) == ("/work", "/work/sub")


def test_the_command_is_given_as_it_stands() -> None:
    assert spec(command="echo", args=["$HOME", "a b", ""]).command == ("echo", "$HOME", "a b", "")


def test_all_tasks_of_a_job_share_one_network_container_and_jobs_do_not() -> None:
    one = network()
    assert one.name == spec().network.name
    assert one.name != network_name(HOME.id, "job", "f" * 32)
    assert one.labels["air-executor.role"] == "network"
    assert one.mounts == ()


def test_helpers_are_never_root_and_bounded() -> None:
    helpers = [
        network(),
        containers.probe_container(Path("/probe"), "00ff", HOME, settings()),
    ]
    for helper in helpers:
        assert helper.user == "65534:65534"
        assert helper.memory_bytes <= 16 * MIB
        assert helper.pids <= 16


def test_what_an_attempt_was_granted_are_its_containers_limits() -> None:
    grant = Grant(
        image="debian:12",
        user="7:8",
        network=GrantedNetwork(kind="named", name="db"),
        memory_mb=100,
        cpus=0.5,
        pids=9,
        tmp_mb=8,
        log_mb=3,
        timeout=60.0,
    )
    found = task_container("job", task("a"), key("a"), "name", grant, Path("/jobs/job"), HOME)
    assert (found.name, found.image, found.user) == ("name", "debian:12", "7:8")
    assert found.network == Network("named", "db")
    assert (found.memory_bytes, found.cpus, found.pids) == (100 * MIB, 0.5, 9)
    assert (found.tmp_bytes, found.log_bytes) == (8 * MIB, 3 * MIB)


def test_tasks_of_a_job_run_in_the_network_that_they_were_granted() -> None:
    assert spec().network == Network("job", network_name(HOME.id, "job", UID))


def test_a_guard_changes_nothing_of_what_holds_a_network_but_what_it_runs() -> None:
    plain = network()
    assert containers.guarded(plain, None, settings()) == plain
    found = containers.guarded(plain, Guard(("-link",), "these settings"), settings())
    assert found.command[0] == containers.NETGUARD_IN_IMAGE
    assert found.command[-1] == "-link"
    assert (found.name, found.mounts, found.network) == (plain.name, (), Network("private"))
    assert found.labels == plain.labels | {GUARD: "these settings"}


def test_what_was_granted_beside_the_usual_is_mounted_where_the_grant_says() -> None:
    declared = {
        "d": {"path": "/srv/d"},
        "v": {"volume": "vol", "read_only": False},
        "c": {"cache": True},
    }
    asked = task(
        "a",
        mounts={"d": "/data", "v": {}, "c": {}},
        scratch={"/s": 1, "/t": {"size_mb": 2, "on": "disk"}},
        resources={"shm_mb": 3, "tmp_mb": 4},
    )
    made = container(asked, key("a"), mounts=declared)
    assert made.declared == (
        Declared("d", "path", "/srv/d", "/data", read_only=True),
        Declared("v", "volume", "vol", "/mnt/v", read_only=False),
    )
    assert made.mounts[2:] == (
        Mount(str(HOME.gate(made.name).path / "scratch-1"), "/t"),
        Mount(str(HOME.gates / "caches" / "c" / "1000"), "/mnt/c"),
    )
    assert made.in_memory == (InMemory("/s", MIB),)
    assert (made.shm_bytes, made.tmp_bytes) == (3 * MIB, 4 * MIB)
    assert made.places == ("/work", "/inbox", "/t", "/mnt/c", "/data", "/mnt/v")


def test_what_is_looked_at_only_has_nothing_of_the_operators() -> None:
    asked = task("a", mounts=["d"], scratch={"/s": 1})
    made = container(asked, key("a"), mounts={"d": {"path": "/srv/d"}})
    found = containers.never_started(made, "sha256:image", "n")
    assert (found.mounts, found.declared, found.in_memory) == ((), (), ())
