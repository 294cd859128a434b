"""Whoever a task runs as has a name, in any image; and what an image says, it goes on saying."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from manager.engine.contract import ImageUnusable
from manager.model.container_spec import HOME_ID, ROLE, Network
from tests import engine_room
from tests.contract.bench import Bench, sh

USER = "1000:2000"
WHO = """\
whoami
id -un
id -gn
groups
python3 -c 'import getpass, pwd, os; print(getpass.getuser(), pwd.getpwuid(os.getuid()).pw_dir)'
echo "$USER $LOGNAME $HOME"
"""
TASK = ["task", "task", "task", "task", "task /tmp", "task task /tmp"]

MakeImage = Callable[..., str]


@pytest.fixture
def make_image(docker_client: Any) -> Iterator[MakeImage]:
    with ExitStack() as stack:
        yield lambda *words: stack.enter_context(engine_room.image_made_by(docker_client, *words))


def said(bench: Bench, script: str = WHO, **change: Any) -> list[str]:
    done = bench.ended(sh(script), **{"user": USER} | change)
    assert done.exit_code == 0, bench.output(done.id)
    return bench.output(done.id).decode().splitlines()


def test_a_user_whom_the_image_does_not_know_has_a_name(docker_bench: Bench) -> None:
    assert said(docker_bench) == TASK


def test_a_user_whom_the_image_knows_has_the_name_that_it_has_there(docker_bench: Bench) -> None:
    assert said(docker_bench, "id; echo $USER $LOGNAME", user="33:34") == [
        "uid=33(www-data) gid=34(backup) groups=34(backup)",
        "www-data www-data",
    ]
    mounts = said(docker_bench, "cat /proc/self/mountinfo", user="33:34")
    assert not any("/etc/passwd" in line or "/etc/group" in line for line in mounts)


def test_only_what_is_missing_is_added(docker_bench: Bench) -> None:
    assert said(docker_bench, "id", user="1000:33") == ["uid=1000(task) gid=33(www-data) groups=33(www-data)"]
    assert said(docker_bench, "id", user="33:1000") == ["uid=33(www-data) gid=1000(task) groups=1000(task)"]


def test_what_the_image_says_of_others_stands_as_it_stands(docker_bench: Bench, docker_client: Any) -> None:
    for file in ("/etc/passwd", "/etc/group"):
        own = docker_client.containers.run(
            engine_room.RUNNER, ["cat", file], remove=True, network_mode="none", labels={HOME_ID: "test-own"}
        )
        found = said(docker_bench, f"cat {file}")
        assert found[:-1] == own.decode().splitlines()
        assert found[-1].startswith("task:x:")


def test_the_accounts_can_be_read_and_not_written(docker_bench: Bench) -> None:
    script = "for file in passwd group; do stat -c %a /etc/$file; echo x >> /etc/$file || echo no; done"
    lines = said(docker_bench, script)
    assert [line for line in lines if "Read-only" not in line and "denied" not in line] == ["644", "no"] * 2


IMAGES = {
    "no files": "rm /etc/passwd /etc/group",
    "empty files": ": > /etc/passwd; : > /etc/group",
    "links": "cd /etc; mv passwd group ../usr/lib; ln -s ../usr/lib/passwd ../usr/lib/group .",
    "links to links": "cd /opt; mv /etc/passwd 1; ln -s 1 2; ln -s ../opt/2 3; ln -s /opt/3 /etc/passwd",
    "a link to what is not there": "ln -sf /opt/new/passwd /etc/passwd",
    "no newline at the end": "printf a:x:1:1::/:/bin/sh > /etc/passwd; printf a:x:1: > /etc/group",
    "no text": "head -c 9000 /dev/urandom > /etc/passwd; head -c 9000 /dev/zero > /etc/group",
}


@pytest.mark.parametrize("script", IMAGES.values(), ids=IMAGES)
def test_whatever_files_an_image_has(docker_bench: Bench, make_image: MakeImage, script: str) -> None:
    assert said(docker_bench, image=make_image(script)) == TASK


def test_a_name_that_the_image_has_given_away_is_not_given_again(
    docker_bench: Bench, make_image: MakeImage
) -> None:
    image = make_image("echo 'task:x:7777:7777::/:/bin/sh' >> /etc/passwd; echo 'task:x:7777:' >> /etc/group")
    assert said(docker_bench, "id; id task", image=image) == [
        "uid=1000(task1000) gid=2000(task2000) groups=2000(task2000)",
        "uid=7777(task) gid=7777(task) groups=7777(task)",
    ]


def test_a_volume_where_the_accounts_are_does_not_take_the_name(
    docker_bench: Bench, make_image: MakeImage
) -> None:
    for place in ("/etc", "/etc/passwd"):
        assert said(docker_bench, image=make_image("true", f"VOLUME {place}"))[0] == "task"


NAMELESS = {
    "a large file": (
        "seq -f 'name:x:%.0f:1::/home/name:/bin/sh' 2000 20000 > /etc/passwd",
        "has more than 262,144 bytes",
    ),
    "a link into the job's work": ("ln -sf /work/passwd /etc/passwd", "a link leads to /work/passwd"),
    "a link into a file system of the kernel's": (
        "ln -sf /proc/self/maps /etc/passwd",
        "a link leads to /proc/",
    ),
    "both the same": ("ln -sf group /etc/passwd", "are one file"),
}


@pytest.mark.parametrize(("script", "why"), NAMELESS.values(), ids=NAMELESS)
def test_where_no_name_can_be_given_the_task_runs_all_the_same_and_that_is_said_once(
    docker_bench: Bench, make_image: MakeImage, caplog: pytest.LogCaptureFixture, script: str, why: str
) -> None:
    image = make_image(script)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert said(docker_bench, "id -u; ls /work", image=image) == ["1000"]
    (told,) = (each.message for each in caplog.records if "no names" in each.message)
    assert image in told
    assert why in told


@pytest.mark.parametrize("made", ["rm /etc/passwd; mkdir /etc/passwd", "rm /etc/group; mkfifo /etc/group"])
def test_where_the_image_has_no_files_but_something_else_it_is_the_images_fault(
    docker_bench: Bench, make_image: MakeImage, made: str
) -> None:
    """The engine can't start such a container: with a pipe it would wait in its start for ever."""
    image = make_image(made)
    for _ in range(2):
        with pytest.raises(ImageUnusable, match=r"its /etc/\w+ is no regular file"):
            docker_bench.create(image=image, user=USER)
    assert docker_bench.engine.containers(docker_bench.home.id) == []


def test_an_image_without_anything_has_accounts_as_well(
    docker_bench: Bench, docker_client: Any, bare_image: str
) -> None:
    """Its one program reads a list of folders; what is none, it complains of."""
    command = ("/ldconfig", "-N", "-X", "-v", "-f", "/etc/passwd")
    done = docker_bench.ended(command, image=bare_image, user=USER)
    assert b"task:x:1000:2000:Air-Executor task:/tmp:/bin/sh" in docker_bench.output(done.id)
    env = docker_client.api.inspect_container(done.id)["Config"]["Env"]
    assert {"USER=task", "LOGNAME=task"} <= set(env)


def test_an_image_that_is_another_one_by_now_has_its_own_accounts(
    docker_bench: Bench, docker_client: Any, make_image: MakeImage
) -> None:
    name = make_image("true")
    other = make_image("echo 'ann:x:1000:1000::/srv:/bin/sh' >> /etc/passwd")
    assert said(docker_bench, "whoami", image=name) == ["task"]
    docker_client.images.get(other).tag(name)
    assert said(docker_bench, "whoami", image=name) == ["ann"]


def test_the_tasks_own_words_win(docker_bench: Bench) -> None:
    env = {"USER": "somebody", "HOME": "/work"}
    assert said(docker_bench, "echo $USER $LOGNAME $HOME", env=env) == ["somebody task /work"]


def test_what_waits_at_a_gate_has_a_name_and_its_command_too(docker_bench: Bench) -> None:
    made = docker_bench.opened(sh(WHO), user="1000:1000")
    docker_bench.engine.wait(made.id)
    assert docker_bench.output(made.id).decode().splitlines()[:4] == ["task"] * 4


def test_by_way_of_the_engine_proxy_there_are_names_too(guarded_bench: Bench) -> None:
    assert said(guarded_bench) == TASK
    assert said(guarded_bench, "getent hosts $(hostname)", network=Network("none"))


def test_what_was_made_to_read_accounts_is_gone(docker_bench: Bench, docker_client: Any) -> None:
    said(docker_bench)
    left = engine_room.containers(docker_client, docker_bench.home.id)
    assert [each.labels[ROLE] for each in left] == ["task"]


def test_helpers_of_the_manager_need_no_name(docker_bench: Bench, docker_client: Any) -> None:
    docker_bench.joined(("true",))
    (holder,) = (
        each
        for each in engine_room.containers(docker_client, docker_bench.home.id)
        if each.labels[ROLE] == "network"
    )
    assert holder.attrs["Mounts"] == []
