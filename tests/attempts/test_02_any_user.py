"""Who may write a job, or run in one, asks for a task as any user in any group of the host.

The operator's list stops it (`users`), and that a group comes from nowhere else: neither docker's nor root's.
"""

import pytest

from air_executor.errors import BadInput
from air_executor.format.models import TaskSpec
from manager.core import admission, policy
from manager.model.facts import TaskRequested
from manager.model.values import Owner
from tests.unit.manager.builders import OWNER, UID, at, claimed, key, live_job, settings, task
from tests.unit.manager.core.test_admission import found

DOCKER = 105


@pytest.mark.parametrize("user", ["23456:105", "50000:105", "1000:105", "1000:0", "23456", "1", "1000:1"])
def test_a_job_that_asks_for_another_user_or_a_group_of_the_hosts_is_refused(user: str) -> None:
    with pytest.raises(BadInput, match=r"tasks\[0\]\.user: .*setting `users`"):
        admission.take(found(task("a", user=user)), UID, settings())


def test_a_folder_in_dockers_group_gives_its_tasks_no_part_in_it() -> None:
    assert policy.usual_user(Owner(1000, DOCKER), settings()) == Owner(1000, 1000)
    assert policy.usual_user(Owner(1000, 0), settings()) == Owner(1000, 1000)


def test_a_record_from_before_that_asks_for_it_does_not_get_it_either() -> None:
    for user in ("23456:105", "1000:0", "23456"):
        assert policy.grant(task("a", user=user), OWNER, "net", settings()).user == str(OWNER)


def test_a_task_may_not_queue_one_as_another_user_not_even_as_one_that_jobs_may_ask_for() -> None:
    job = live_job(task("a", network="none"))
    job.apply(claimed(key("a")))
    spec = TaskSpec(id="b", command="true", user="23456")
    fact = TaskRequested(uid=UID, request="r", spec=spec, parent=key("a"), at=at(3))
    with pytest.raises(BadInput, match=r"user: '23456' is not who task 'a' runs as, .*: 1000:1000"):
        admission.requested(fact, job, settings(users=("23456",)))
