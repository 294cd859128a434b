"""Whether an attempt with secrets is a usual one; what it may have is in `tests/attempts/test_43_*`."""

import json

from air_executor.format.attempts import Grant
from manager.core import policy
from manager.core.policy.secrets import granted
from tests.unit.manager.builders import OWNER, settings, task

RULES = settings(secrets={"db": {"file": "/srv/db", "users": ["1000"]}})


def test_a_task_with_secrets_gets_a_container_as_any() -> None:
    """So it may get a warm one, which has a place for them."""
    asked = task(secrets=["db"], secret_env={"A": "db"})
    assert policy.is_usual(asked, RULES)
    grant = policy.with_secrets(policy.grant(asked, OWNER, "net", RULES), asked, OWNER, RULES)
    assert granted(grant) == {"db"}
    assert policy.is_usual(asked, RULES)


def test_the_grant_of_a_task_that_asks_for_none_is_the_usual_one() -> None:
    usual = policy.usual_grant(OWNER, "net", RULES)
    assert policy.with_secrets(usual, task(), OWNER, RULES) is usual


def test_a_grant_of_before_there_were_secrets_has_no_place_for_them() -> None:
    said = policy.usual_grant(OWNER, "net", RULES).model_dump(mode="json")
    for name in ("secrets_kb", "secrets", "secret_env"):
        said.pop(name)
    old = Grant.model_validate_json(json.dumps(said))
    assert old.secrets_kb is None and granted(old) == frozenset()
