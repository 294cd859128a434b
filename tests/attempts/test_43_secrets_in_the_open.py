"""Somebody looks for a secret everywhere but where it is to be: in the engine, the home, processes, logs.

And a task tells what it was given, whole or in pieces, in whatever way it is copied to its log.
"""

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from air_executor import Client
from tests.real_manager import RealManager, docker, idle_manager
from tests.waiting import until

FILE = f"the-file-has-{secrets.token_hex(8)}"
PRINTED = f"the-command-prints-{secrets.token_hex(8)}"
SHOWN = f"this-may-be-shown-{secrets.token_hex(8)}"
LINES = "\n".join(
    ("-----BEGIN KEY-----", secrets.token_hex(24), secrets.token_hex(24), "-----END KEY-----", "")
)
ALL = (FILE, PRINTED, SHOWN, *LINES.split("\n")[1:3])


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealManager]:
    """With a warm container for most tasks: those are made before anybody knows of the secrets."""
    srv = tmp_path_factory.mktemp("srv")
    for name, text in (("file", FILE), ("printed", PRINTED), ("shown", SHOWN), ("key", LINES)):
        (srv / name).write_text(f"{text}\n")
        (srv / name).chmod(0o600)
    config = f"""
        [secrets.file]
        file = "{srv}/file"
        [secrets.printed]
        command = ["cat", "{srv}/printed"]
        [secrets.shown]
        file = "{srv}/shown"
        mask = false
        [secrets.key]
        file = "{srv}/key"
        [secrets.tells]
        command = ["sh", "-c", "cat {srv}/printed; echo it is: $(cat {srv}/printed) >&2; exit 3"]
        [secrets.gone]
        file = "{srv}/gone"
        [secrets.other]
        file = "{srv}/file"
        users = ["1234"]
        """
    with idle_manager(config=config, warm=2, look_ahead=2) as manager:
        manager.start()
        yield manager
        manager.stop()


def a_task(script: str, **fields: Any) -> dict[str, Any]:
    task: dict[str, Any] = {"id": "a", "command": "sh", "args": ["-c", script], "retries": 0}
    asked = {"secrets": ["file", "key"], "secret_env": {"PRINTED": "printed", "SHOWN": "shown"}}
    return task | asked | fields


def everything(manager: RealManager) -> Iterator[tuple[str, str]]:
    """All that the manager has written or tells the engine, and the environment that it has itself."""
    for path in manager.home.rglob("*"):
        if path.is_file():
            with suppress(FileNotFoundError):  # it was replaced just now
                yield str(path), path.read_text(errors="replace")
    for name in manager.containers():
        told = subprocess.run(["docker", "inspect", name], capture_output=True, text=True, check=False)
        yield f"docker inspect {name}", told.stdout  # nothing where it has gone just now
    yield "docker ps", docker("ps", "--all", "--no-trunc", "--format", "{{json .}}")
    for file in ("cmdline", "environ"):
        yield file, Path(f"/proc/{manager.pid}/{file}").read_text(errors="replace")


def leaks(manager: RealManager) -> list[str]:
    """Which value is where; but for the one that logs of tasks may show."""
    return [
        f"{value} in {place}"
        for place, text in everything(manager)
        for value in ALL
        if value in text and not (value == SHOWN and place.endswith("/logs/a.log"))
    ]


def log_of(manager: RealManager, job: str) -> Path:
    return manager.home / "jobs" / job / "logs" / "a.log"


def test_it_is_where_the_task_is_and_nowhere_else(manager: RealManager) -> None:
    script = "test -s /run/secrets/file && test -s /run/secrets/key && touch /work/there; sleep 60"
    manager.client.create_job("nowhere", [a_task(script)])
    until(lambda: list(manager.home.glob("work/*/there")), 20)
    assert leaks(manager) == []
    (serving,) = manager.containers("--filter", "name=airx-nowhere-a-1")
    options = json.loads(docker("inspect", serving))[0]["HostConfig"]["Tmpfs"]["/run/secrets"].split(",")
    assert {"mode=0700", "noexec", "nosuid", "nodev", "size=1048576"} <= set(options)
    manager.client.cancel("nowhere")
    manager.client.wait("nowhere", 30)
    assert leaks(manager) == []


@pytest.mark.parametrize(
    ("job", "script", "outputs"),
    [
        ("result", r"""printf '{"url": "db://%s@host"}' $PRINTED > $AIR_EXECUTOR_RESULT""", []),
        ("escaped", r"""printf '"\\u0074%s"' ${PRINTED#t} > $AIR_EXECUTOR_RESULT""", []),
        ("twice", r"""printf '{"%s": 1, "%s": 2}' $PRINTED $PRINTED > $AIR_EXECUTOR_RESULT""", []),
        ("output", "touch /work/$PRINTED.csv", ["*.csv"]),
    ],
)
def test_what_is_handed_over_has_none(
    manager: RealManager, job: str, script: str, outputs: list[str]
) -> None:
    manager.client.create_job(job, [a_task(script, outputs=outputs)])
    view = manager.client.wait(job, 30)
    failure = view.tasks[0].failure
    assert failure is not None and failure.cause == "bad_input"
    assert "has the value of a secret in it" in failure.message
    until(lambda: not manager.containers("--filter", f"name=airx-{job}-a"), 20)
    until(lambda: leaks(manager) == [], 20)


def test_a_log_shows_only_what_may_be_shown_also_in_pieces(manager: RealManager) -> None:
    half = len(PRINTED) // 2
    script = (
        "cat /run/secrets/*; echo $PRINTED-$SHOWN; env; "
        f"printf %.{half}s $PRINTED; sleep 0.3; printf %s $PRINTED | tail -c +{half + 1}; exit 3"
    )
    manager.client.create_job("in-pieces", [a_task(script)])
    assert manager.client.wait("in-pieces", 30).state == "failed"
    text = log_of(manager, "in-pieces").read_text()
    assert [value for value in ALL if value in text] == [SHOWN]
    assert text.endswith("***") and f"***-{SHOWN}" in text
    assert leaks(manager) == []


def test_a_manager_that_comes_back_masks_what_it_copies_from_then_on(manager: RealManager) -> None:
    script = "echo $PRINTED; touch /work/said; until test -e /work/more; do sleep 0.05; done; echo $PRINTED"
    manager.client.create_job("comes-back", [a_task(script)])
    (said,) = until(lambda: list(manager.home.glob("work/*/said")), 20)
    manager.kill()
    said.with_name("more").touch()
    manager.start()
    assert manager.client.wait("comes-back", 30).state == "completed"
    assert log_of(manager, "comes-back").read_text() == "***\n***\n"
    assert leaks(manager) == []


@pytest.mark.parametrize(("name", "place"), [("tells", "command"), ("gone", "file")])
def test_one_that_can_not_be_had_is_no_failure_of_the_tasks_and_nothing_of_it_is_told(
    manager: RealManager, name: str, place: str
) -> None:
    task = a_task("true", secrets=[name], secret_env={}, retries=1)
    manager.client.create_job(f"unreadable-{name}", [task])
    failure = manager.client.wait(f"unreadable-{name}", 30).tasks[0].failure
    assert failure is not None and failure.cause == "engine"
    assert f"{name!r}" in failure.message and f"`secrets.{name}.{place}`" in failure.message
    assert leaks(manager) == []
    assert "bytes on standard error" in manager.output() or name == "gone"
    assert "it is:" not in manager.output(), "whatever a command says: the secret may be in it"


def test_one_that_is_another_users_is_refused(manager: RealManager) -> None:
    manager.client.create_job("refused", [a_task("true", secrets=["other"])])
    path = manager.home / "jobs" / "refused"
    view = manager.client.wait("refused", 30)
    assert view.state == "completed", "root may have all"
    subprocess.run(["chown", "-R", "4321:4321", path], check=True)
    (path / "reset").touch()
    until(lambda: "secrets.other.users" in (path / "state.json").read_text(), 20)


def test_other_tasks_of_its_job_do_not_see_it(manager: RealManager) -> None:
    environments = "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep PRINTED"
    look = f"cat /run/secrets/file; {environments}; ls /run/secrets | wc -l"
    tasks = [
        a_task("touch /work/has; sleep 1"),
        {"id": "b", "command": "sh", "args": ["-c", f"sleep 0.3; {look}"]},
    ]
    client: Client = manager.client
    client.create_job("neighbours", tasks)
    assert client.wait("neighbours", 30).state == "completed"
    text = (manager.home / "jobs" / "neighbours" / "logs" / "b.log").read_text()
    assert text.endswith("\n0\n") and "PRINTED" not in text and "No such file" in text
