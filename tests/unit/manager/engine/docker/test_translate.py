"""From the manager's words to the Docker API's, and back."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from manager.engine.contract import Status
from manager.engine.docker import volumes
from manager.engine.docker.accounts import Accounts
from manager.engine.docker.translate import (
    SURELY_KEPT,
    PathTable,
    Terms,
    container_body,
    listed,
    observation,
    surely_kept,
    too_long,
    unusable_command,
)
from manager.model import containers
from manager.model.container_spec import GATED, Declared, InMemory, Mount, Network
from manager.model.containers import MIB
from tests.unit.manager.builders import (
    HOME,
    container,
    key,
    task,
)

USUAL = Terms()
SPEC = container(task("a", command="echo", args=["hi"]), key("a"), Path("/home/jobs/a:b+c"))


def body(
    paths: PathTable | None = None, network_id: str | None = "pause", terms: Terms = USUAL, **change: Any
) -> dict[str, Any]:
    return container_body(replace(SPEC, **change), paths or PathTable(), network_id, terms)


def test_a_task_has_no_capabilities_and_an_init() -> None:
    host = body()["HostConfig"]
    assert (host["CapDrop"], host["CapAdd"], host["Init"]) == (["ALL"], [], True)


def test_what_begins_with_capabilities_has_those_and_no_init_that_would_keep_them() -> None:
    host = body(capabilities=("NET_ADMIN",))["HostConfig"]
    assert (host["CapDrop"], host["CapAdd"], host["Init"]) == (["ALL"], ["NET_ADMIN"], False)


def test_paths_stay_as_they_are_where_no_mount_covers_them() -> None:
    assert PathTable([("/data", "/host/data")]).host_path("/home/jobs/x") == "/home/jobs/x"
    assert PathTable([("/data", "/host/data")]).host_path("/database/x") == "/database/x"


def test_paths_below_a_mount_are_the_hosts() -> None:
    table = PathTable([("/home", "/srv/air"), ("/etc/hostname", "/var/lib/docker/x")])
    assert table.host_path("/home/jobs/a:b+c/work") == "/srv/air/jobs/a:b+c/work"
    assert table.host_path("/home") == "/srv/air"


def test_the_innermost_mount_counts() -> None:
    table = PathTable([("/", "/root-fs"), ("/home", "/srv/air"), ("/home/jobs", "/fast/jobs")])
    assert table.host_path("/home/jobs/x") == "/fast/jobs/x"
    assert table.host_path("/home/other") == "/srv/air/other"
    assert table.host_path("/etc") == "/root-fs/etc"


def test_the_body_is_hardened() -> None:
    found = body()
    host = found["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges=true"]
    assert host["ReadonlyRootfs"] is True
    assert host["Memory"] == host["MemorySwap"] == SPEC.memory_bytes
    assert host["PidsLimit"] == SPEC.pids + 1, "the first process is not the task's"
    assert host["NanoCpus"] == 1_000_000_000
    assert host["RestartPolicy"] == {"Name": "no"}
    assert host["AutoRemove"] is False
    assert host["CgroupnsMode"] == host["IpcMode"] == "private"
    assert host["OomScoreAdj"] == 1000, "tasks go before anything of ours when the host runs out of memory"
    assert host["Ulimits"][:2] == [
        {"Name": "nofile", "Soft": 16_384, "Hard": 16_384},
        {"Name": "core", "Soft": 0, "Hard": 0},
    ]
    assert found["User"] == "1000:1000"
    assert found["Healthcheck"] == {"Test": ["NONE"]}
    assert "Privileged" not in host
    assert "MaskedPaths" not in host, "the engine's own stay in force"
    assert "Binds" not in host, "that form breaks on a colon, and makes missing folders as root"


def test_what_is_in_memory_is_bounded_in_bytes_and_in_files() -> None:
    tmpfs = body()["HostConfig"]["Tmpfs"]
    assert tmpfs == {
        "/tmp": f"rw,nosuid,nodev,exec,mode=1777,size={64 * MIB},nr_inodes=16384",
        "/dev/shm": f"rw,nosuid,nodev,noexec,mode=1777,size={64 * MIB},nr_inodes=16384",
    }


def test_what_is_in_tmp_may_not_be_executed_where_the_operator_is_strict() -> None:
    tmp = body(terms=Terms(tmp_exec=False))["HostConfig"]["Tmpfs"]["/tmp"].split(",")
    assert "noexec" in tmp
    assert "exec" not in tmp


ACCOUNTS = Accounts("ann", "f00", (Mount("/home/accounts/f00/passwd", "/etc/passwd", read_only=True),))


def test_accounts_of_its_own_are_mounted_to_be_read_and_it_is_known_which() -> None:
    plain, found = body(), body(PathTable([("/home", "/srv/air")]), terms=Terms(accounts=ACCOUNTS))
    added = found["HostConfig"]["Mounts"][len(SPEC.mounts) :]
    assert added == [
        {
            "Type": "bind",
            "Source": "/srv/air/accounts/f00/passwd",
            "Target": "/etc/passwd",
            "ReadOnly": True,
        }
    ]
    assert found["Labels"] == plain["Labels"] | {"air-executor.accounts": "f00"}


def test_a_volume_of_the_image_is_not_where_the_accounts_are() -> None:
    terms = Terms(accounts=ACCOUNTS, volumes=["/etc/passwd"])
    assert "/etc/passwd" not in body(terms=terms)["HostConfig"]["Tmpfs"]


def test_the_user_is_named_in_the_environment_unless_the_task_says_otherwise() -> None:
    env = body(terms=Terms(accounts=ACCOUNTS), env={"LOGNAME": "bob"})["Env"]
    assert sorted(env) == ["LOGNAME=bob", "USER=ann"]


def test_where_the_image_has_its_accounts_nothing_is_mounted() -> None:
    found = body(terms=Terms(accounts=Accounts("ann", "", ())))
    assert len(found["HostConfig"]["Mounts"]) == len(SPEC.mounts)
    assert "air-executor.accounts" not in found["Labels"]


def test_the_profile_and_the_limit_of_open_files_are_those_of_the_terms() -> None:
    host = body(terms=Terms(seccomp='{"a":1}', open_files=99))["HostConfig"]
    assert host["SecurityOpt"] == ["no-new-privileges=true", 'seccomp={"a":1}']
    assert host["Ulimits"][0] == {"Name": "nofile", "Soft": 99, "Hard": 99}


def test_nothing_is_said_of_what_the_host_does_by_itself() -> None:
    options = " ".join(body(terms=Terms(seccomp="{}"))["HostConfig"]["SecurityOpt"])
    assert "apparmor" not in options
    assert "label" not in options
    assert "unconfined" not in options


def test_volumes_of_the_image_are_empty_and_in_memory_but_where_something_is_mounted() -> None:
    tmpfs = body(terms=Terms(volumes=["/data", "/inbox", "/tmp", "/work"]))["HostConfig"]["Tmpfs"]
    assert tmpfs == body()["HostConfig"]["Tmpfs"] | {"/data": volumes.EMPTY}


def test_the_seccomp_profile_is_not_part_of_what_a_container_is_known_by() -> None:
    label = "air-executor.spec"
    assert body(terms=Terms(seccomp="{}", volumes=["/data"]))["Labels"][label] == body()["Labels"][label]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"command": ("sh", "x" * 131_071)}, None),
        ({"command": ("sh", "x" * 131_072)}, "argument 1 is 131,072 bytes long, and 131,071 are the most"),
        ({"command": ("sh", "ä" * 65_536)}, "argument 1 is 131,072 bytes long, and 131,071 are the most"),
        ({"command": ("x" * 131_072,)}, "argument 0 is 131,072 bytes"),
        ({"env": {"A": "x" * 131_069}}, None),
        ({"env": {"A": "x" * 131_070}}, "the variable 'A' is 131,072 bytes long"),
        ({"command": ("sh", *["x" * 100_000] * 20)}, None),
        (
            {"command": ("sh", *["x" * 100_000] * 21)},
            "are 2,100,200 bytes in all, and 2,031,616 are the most",
        ),
        ({"command": ("sh", "\udc80")}, None),
    ],
)
def test_what_no_linux_executes_is_known_beforehand(change: dict[str, Any], words: str | None) -> None:
    found = too_long(replace(SPEC, **({"command": ("sh",), "env": {}} | change)))
    if words is None:
        assert found is None
    else:
        assert found is not None
        assert words in found


def test_a_file_gets_no_larger_than_its_limit_where_there_is_one() -> None:
    limit = {"Name": "fsize", "Soft": 7 * MIB, "Hard": 7 * MIB}
    assert limit in body(file_bytes=7 * MIB)["HostConfig"]["Ulimits"]
    assert "fsize" not in str(body(file_bytes=None)["HostConfig"]["Ulimits"])


def test_who_waits_at_a_gate_has_a_place_for_secrets_that_is_its_users_alone() -> None:
    gated = {"labels": SPEC.labels | {GATED: "1"}, "user": "1000:100", "secrets_bytes": MIB}
    options = body(**gated)["HostConfig"]["Tmpfs"]["/run/secrets"]
    assert options == "rw,nosuid,nodev,noexec,mode=0700,uid=1000,gid=100,size=1048576,nr_inodes=256"
    assert "/run/secrets" not in body(secrets_bytes=MIB)["HostConfig"]["Tmpfs"], "nobody fills it"
    older = body(**(gated | {"secrets_bytes": None}))
    assert "/run/secrets" not in older["HostConfig"]["Tmpfs"]


def test_mounts_have_the_form_in_which_a_path_may_have_any_character() -> None:
    assert body(PathTable([("/home", "/srv")]))["HostConfig"]["Mounts"] == [
        {"Type": "bind", "Source": "/srv/jobs/a:b+c", "Target": "/work", "ReadOnly": False},
        {"Type": "bind", "Source": SPEC.mounts[1].source, "Target": "/inbox", "ReadOnly": False},
    ]


def test_the_command_replaces_the_images_entry_point() -> None:
    found = body()
    assert (found["Entrypoint"], found["Cmd"]) == (["echo"], ["hi"])
    assert body(command=("true",))["Cmd"] == []


@pytest.mark.parametrize(
    ("fields", "entrypoint", "command"),
    [
        ({"command": None, "image": "i"}, None, None),
        ({"command": None, "image": "i", "args": ["x"]}, None, ["x"]),
        ({"command": "c", "entrypoint": "image", "args": ["x"]}, None, ["c", "x"]),
        ({"command": "c", "entrypoint": ["sh", "-c"]}, ["sh"], ["-c", "c"]),
    ],
)
def test_where_the_image_is_to_say_what_is_run_the_engine_is_told_nothing(
    fields: dict[str, Any], entrypoint: list[str] | None, command: list[str] | None
) -> None:
    asked = container(task("a", **fields), key("a"), Path("/home/jobs/a"))
    found = container_body(asked, PathTable(), None)
    assert (found["Entrypoint"], found["Cmd"]) == (entrypoint, command)
    assert not containers.gated(asked, HOME).runs_the_images


def test_the_digest_is_a_label() -> None:
    assert body()["Labels"].items() >= (SPEC.labels | {"air-executor.spec": SPEC.digest}).items()


def test_a_container_from_an_image_that_compose_built_is_not_one_of_composes() -> None:
    assert body()["Labels"]["com.docker.compose.project"] == ""


@pytest.mark.parametrize(
    ("network", "mode"),
    [
        (Network("job", "x"), "container:pause"),
        (Network("private"), "bridge"),
        (Network("host"), "host"),
        (Network("none"), "none"),
        (Network("named", "db"), "db"),
    ],
)
def test_networks(network: Network, mode: str) -> None:
    assert body(network=network)["HostConfig"]["NetworkMode"] == mode


def test_without_a_network_a_container_has_an_address_for_its_own_name() -> None:
    found = body(network=Network("none"))
    assert re.fullmatch("[0-9a-f]{12}", found["Hostname"])
    assert found["HostConfig"]["ExtraHosts"] == [f"{found['Hostname']}:127.0.1.1"]
    other = body(network=Network("none"), name="another")
    assert other["Hostname"] != found["Hostname"]


@pytest.mark.parametrize("network", [Network("job", "x"), Network("private"), Network("named", "db")])
def test_with_a_network_the_engine_gives_it_name_and_address(network: Network) -> None:
    found = body(network=network)
    assert (found["Hostname"], found["HostConfig"]["ExtraHosts"]) == ("", [])


@pytest.mark.parametrize(("log_mb", "copy_mb"), [(1, 64), (16, 64), (17, 68), (1024, 4096)])
def test_all_output_that_is_kept_fits_into_the_first_file_of_the_engines_own_copy(
    log_mb: int, copy_mb: int
) -> None:
    found = body(log_bytes=log_mb * MIB)
    config = found["HostConfig"]["LogConfig"]["Config"]
    assert int(config["max-size"]) == copy_mb * MIB
    assert int(config["max-file"]) == 2, "bounded"
    assert surely_kept(found) == copy_mb * MIB * 9 // 10


@pytest.mark.parametrize("config", [None, {}, {"max-size": "10m"}])
def test_a_copy_that_is_none_of_ours_is_trusted_with_little(config: dict[str, str] | None) -> None:
    assert surely_kept({"HostConfig": {"LogConfig": {"Type": "local", "Config": config}}}) == SURELY_KEPT
    assert surely_kept({"HostConfig": {}}) == SURELY_KEPT


def inspected(**state: Any) -> dict[str, Any]:
    return {
        "Id": "f" * 64,
        "Name": "/airx-job-a-1",
        "Created": "2025-10-02T07:30:15.123456789Z",
        "Image": "sha256:abc",
        "Config": {"Labels": {"k": "v"}},
        "State": {
            "Status": "exited",
            "ExitCode": 3,
            "OOMKilled": False,
            "StartedAt": "2025-10-02T07:30:16.5Z",
            "FinishedAt": "2025-10-02T07:30:17Z",
        }
        | state,
    }


def test_an_inspection_becomes_an_observation() -> None:
    found = observation(inspected())
    assert (found.id, found.name, found.labels, found.image_id) == (
        "f" * 64,
        "airx-job-a-1",
        {"k": "v"},
        "sha256:abc",
    )
    assert (found.status, found.exit_code, found.oom_killed) == (Status.EXITED, 3, False)
    assert found.created_at == datetime(2025, 10, 2, 7, 30, 15, 123456, UTC)
    assert found.started_at == datetime(2025, 10, 2, 7, 30, 16, 500000, UTC)
    assert found.finished_at == datetime(2025, 10, 2, 7, 30, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-10-02T07:30:15.123456789Z", datetime(2025, 10, 2, 7, 30, 15, 123456, UTC)),
        ("2025-10-02T07:30:15.1Z", datetime(2025, 10, 2, 7, 30, 15, 100000, UTC)),
        ("2025-10-02T07:30:15Z", datetime(2025, 10, 2, 7, 30, 15, 0, UTC)),
        ("2025-10-02T09:30:15.123456789+02:00", datetime(2025, 10, 2, 7, 30, 15, 123456, UTC)),
        ("2025-10-02T05:00:15-02:30", datetime(2025, 10, 2, 7, 30, 15, 0, UTC)),
        ("2025-10-02T07:30:15.000000001Z", datetime(2025, 10, 2, 7, 30, 15, 0, UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_times_of_the_engine(text: str, expected: datetime | None) -> None:
    assert observation(inspected(StartedAt=text)).started_at == expected


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ({"Status": "created", "StartedAt": "0001-01-01T00:00:00Z"}, "created"),
        ({"Status": "created"}, "exited"),
        ({"Status": "running"}, "running"),
        ({"Status": "paused"}, "running"),
        ({"Status": "exited"}, "exited"),
        ({"Status": "dead"}, "exited"),
        ({"Status": "removing"}, "exited"),
    ],
)
def test_statuses(state: dict[str, str], status: str) -> None:
    found = observation(inspected(**state))
    assert found.status == status
    assert (found.exit_code is not None) == (status == "exited"), "no outcome before the end"
    assert (found.finished_at is not None) == (status == "exited")


def test_a_container_without_labels_has_none() -> None:
    assert observation(inspected() | {"Config": {"Labels": None}}).labels == {}


def test_a_list_entry_becomes_an_observation() -> None:
    entry = {
        "Id": "f" * 64,
        "Names": ["/airx-job-a-1"],
        "Labels": {"k": "v"},
        "State": "exited",
        "ImageID": "sha256:abc",
        "Created": 1759390215,
    }
    found = listed(entry)
    assert (found.name, found.labels, found.status) == ("airx-job-a-1", {"k": "v"}, "exited")
    assert found.created_at == datetime(2025, 10, 2, 7, 30, 15, tzinfo=UTC)
    assert listed(entry | {"State": "created"}).status == "created"
    assert listed(entry | {"State": "running"}).status == "running"


FILES = {"/usr/bin/tool": 0o755, "/usr/local/bin/data": 0o644, "/work/run.sh": 0o755, "/work/notes": 0o600}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("tool", None),
        ("/usr/bin/tool", None),
        ("./run.sh", None),
        ("nothing", "there is no command 'nothing' in the image"),
        ("run.sh", "there is no command 'run.sh'"),
        ("tool -v", "there is no command 'tool -v' in the image; arguments go into `args`"),
        ("/nothing", "there is no command '/nothing'"),
        ("data", "the command 'data' is not executable"),
        ("./notes", "the command './notes' is not executable"),
    ],
)
def test_why_a_command_could_not_be_executed(command: str, words: str | None) -> None:
    found = unusable_command(command, "/usr/local/bin:/usr/bin", "/work", FILES.get)
    assert found == words or (words is not None and found is not None and words in found)


def test_a_file_that_is_executable_somewhere_on_the_path_counts() -> None:
    files = {"/a/tool": 0o644, "/b/tool": 0o755}
    assert unusable_command("tool", "/a:/b", "/", files.get) is None


def test_scratch_in_memory_belongs_to_the_containers_user_and_is_bounded() -> None:
    tmpfs = body(in_memory=(InMemory("/s", 2 * MIB),), shm_bytes=MIB)["HostConfig"]["Tmpfs"]
    assert tmpfs["/s"] == f"rw,nosuid,nodev,exec,mode=700,uid=1000,gid=1000,size={2 * MIB},nr_inodes=512"
    assert tmpfs["/dev/shm"] == f"rw,nosuid,nodev,noexec,mode=1777,size={MIB},nr_inodes=256"


def test_a_volume_of_the_image_gives_way_to_whatever_is_mounted_there() -> None:
    mounted = {
        "in_memory": (InMemory("/s", MIB),),
        "declared": (Declared("d", "path", "/srv/d", "/data", read_only=True),),
    }
    tmpfs = body(terms=Terms(volumes=("/s", "/data", "/other")), **mounted)["HostConfig"]["Tmpfs"]
    assert tmpfs["/s"].startswith("rw,")
    assert "/data" not in tmpfs
    assert tmpfs["/other"] == volumes.EMPTY
