"""A job asks for secrets by paths, by others' names, in thousands, over each other and over variables; a
task queues one that has more of them than itself; files of jobs lie where other accounts could read them."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from air_executor import Client
from air_executor.errors import BadInput
from air_executor.format.models import TaskSpec
from manager.core import admission, policy
from manager.model.facts import TaskClaimed, TaskRequested
from manager.model.values import Owner
from tests.attempts.other_user import can_not_read, needs_root
from tests.fakes.engine import FakeEngine
from tests.fakes.manager import InProcess
from tests.unit.manager.builders import OWNER, UID, at, granted, key, live_job, settings, task

DECLARED = {
    "mine": {"file": "/srv/mine", "users": ["1000"]},
    "second": {"file": "/srv/second", "users": ["1000-2000"]},
    "theirs": {"file": "/srv/theirs", "users": ["4000"]},
}
MANY = 10_000


@pytest.mark.parametrize(
    "fields",
    [
        {"secrets": ["/srv/mine"]},
        {"secrets": ["../mine"]},
        {"secrets": ["mine\n"]},
        {"secrets": ["mine\x1b[2J"]},
        {"secrets": [""]},
        {"secrets": [7]},
        {"secrets": [["mine"]]},
        {"secrets": "mine"},
        {"secrets": 7},
        {"secrets": ["mine", "mine"]},
        {"secrets": [f"n{number}" for number in range(MANY)]},
        {"secrets": {f"n{number}": f"/run/secrets/{number}" for number in range(MANY)}},
        {"secrets": {"mine": "/etc/passwd"}},
        {"secrets": {"mine": "/run/secrets"}},
        {"secrets": {"mine": "/run/secrets/"}},
        {"secrets": {"mine": "/run/secrets/.."}},
        {"secrets": {"mine": "/run/secrets/../x"}},
        {"secrets": {"mine": "/run/secrets//x"}},
        {"secrets": {"mine": "//run/secrets/x"}},
        {"secrets": {"mine": "/run/secrets/a/b"}},
        {"secrets": {"mine": "/run/secrets/a\nb"}},
        {"secrets": {"mine": "/run/secrets/a\0b"}},
        {"secrets": {"mine": "/run/secrets/" + "x" * 300}},
        {"secrets": {"mine": "/run/secretsx"}},
        {"secrets": {"mine": None}},
        {"secrets": {"mine": "/run/secrets/x", "second": "/run/secrets/x"}},
        {"secret_env": ["mine"]},
        {"secret_env": {"A": "../mine"}},
        {"secret_env": {"": "mine"}},
        {"secret_env": {"A=B": "mine"}},
        {"secret_env": {"A\nB": "mine"}},
        {"secret_env": {"1A": "mine"}},
        {"secret_env": {"AIR_EXECUTOR_JOB": "mine"}},
        {"secret_env": {"A" * 300: "mine"}},
        {"secret_env": {f"A{number}": "mine" for number in range(MANY)}},
        {"secret_env": {"A": "mine"}, "env": {"A": "x"}},
    ],
    ids=lambda fields: str(fields)[:60],
)
def test_what_can_not_be_asked_for_is_refused_by_its_field(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="secret"):
        TaskSpec(id="a", command="true", **fields)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"secrets": ["theirs"]}, "setting `secrets.theirs.users`"),
        ({"secret_env": {"A": "theirs"}}, "secret_env.A: .*setting `secrets.theirs.users`"),
        ({"secrets": ["mime"]}, "config.toml.*setting `secrets`.; did you mean `mine`"),
        ({"secrets": ["their"]}, "'their' is no secret here; the operator"),
    ],
)
def test_what_is_not_for_its_writer_is_refused_and_the_setting_is_named(
    fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadInput, match=told):
        policy.check_secrets(task(**fields), OWNER, settings(secrets=DECLARED))


def test_whom_a_task_runs_as_gives_it_nothing() -> None:
    rules = settings(secrets=DECLARED, users=("4000",))
    with pytest.raises(BadInput, match=r"secrets\.theirs\.users"):
        policy.check_secrets(task(user="4000", secrets=["theirs"]), OWNER, rules)


def test_what_is_not_allowed_any_more_is_not_granted() -> None:
    asked = task(secrets=["mine", "theirs", "none"], secret_env={"A": "second", "B": "theirs"})
    got = policy.with_secrets(granted(asked), asked, OWNER, settings(secrets=DECLARED))
    assert (got.secrets, got.secret_env) == ({"mine": "/run/secrets/mine"}, {"A": "second"})


def test_root_may_have_all() -> None:
    policy.check_secrets(task(secrets=list(DECLARED)), Owner(0, 0), settings(secrets=DECLARED))


class TestATaskThatQueuesAnother:
    def asked(self, **fields: Any) -> TaskRequested:
        rules = settings(secrets=DECLARED)
        parent = task("a", secrets=["mine"])
        job = live_job(parent)
        grant = policy.with_secrets(granted(parent), parent, OWNER, rules)
        job.apply(TaskClaimed(key=key("a"), container="airx-a", grant=grant, at=at(1)))
        spec = TaskSpec(id="b", command="true", **fields)
        return admission.requested(
            TaskRequested(uid=UID, request="r", spec=spec, parent=key("a"), at=at(3)), job, rules
        )

    @pytest.mark.parametrize("fields", [{"secrets": ["second"]}, {"secret_env": {"A": "second"}}], ids=str)
    def test_gives_it_no_secret_that_it_does_not_have(self, fields: dict[str, Any]) -> None:
        with pytest.raises(BadInput, match="'second' is a secret that task 'a' does not have"):
            self.asked(**fields)

    def test_may_give_it_its_own_in_another_way(self) -> None:
        assert self.asked(secret_env={"A": "mine"}).spec.secret_env == {"A": "mine"}


@needs_root
def test_what_a_job_says_in_env_is_for_its_owner_and_its_group_alone(open_home: Path) -> None:
    """As a client writes it, before any manager; and one that was written by hand, from when it is taken."""
    client, umask = Client(open_home), os.umask(0)
    try:
        client.create_job("ours", [{"id": "a", "command": "true", "env": {"TOKEN": "in-the-clear"}}])
        (open_home / "jobs").chmod(0o755)
        ours = [open_home / "jobs" / "ours" / name for name in ("tasks.json", "state.json")]
        can_not_read(*ours)
        by_hand = open_home / "jobs" / "by-hand"
        by_hand.mkdir()
        entry = {"id": "a", "command": "true", "env": {"TOKEN": "in-the-clear"}}
        (by_hand / "tasks.json").write_text(json.dumps([entry]))
        (by_hand / "state.json").write_text(json.dumps({"id": "1", "name": "by-hand"}))
        manager = InProcess(open_home, FakeEngine()).start()
        try:
            for name in ("ours", "by-hand"):
                client.wait(name, 30)
        finally:
            manager.stop()
    finally:
        os.umask(umask)
    open_home.chmod(0o755)
    (open_home / "jobs").chmod(0o755)
    told = [*ours, by_hand / "tasks.json", by_hand / "state.json"]
    journals = [path for path in (open_home / "journal").rglob("*") if path.is_file()]
    can_not_read(*told, *journals)
    assert {stat.S_IMODE(path.stat().st_mode) for path in told} == {0o640}
