"""Which secrets a task may ask for, and what is said of one that there is not."""

import pytest

from air_executor.errors import BadInput
from air_executor.format.users import Owner
from air_executor.policy.secrets import check_secrets
from tests.unit.manager.builders import settings, task

RULES = settings(
    secrets={"db": {"file": "/srv/db", "users": ["1000"]}, "dc": {"file": "/srv/dc", "users": ["1001"]}}
)


@pytest.mark.parametrize(("uid", "meant"), [(1000, "; did you mean `db`?"), (1002, "")])
def test_the_nearest_is_named_of_those_that_the_jobs_writer_may_have(uid: int, meant: str) -> None:
    with pytest.raises(BadInput) as refused:
        check_secrets(task(secrets=["bd"]), Owner(uid, uid), RULES)
    assert str(refused.value) == (
        "secrets: 'bd' is no secret here; the operator declares them in config.toml, each as [secrets.NAME] "
        f"(setting `secrets`){meant}"
    )
