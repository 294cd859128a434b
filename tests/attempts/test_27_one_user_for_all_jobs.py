"""Jobs that run as the same user share what the kernel counts by user: one takes all inotify instances.

Where the operator sets `job_uids`, no two live jobs run as the same user, whatever they say of themselves.
"""

import pytest

from air_executor.errors import BadInput
from manager.core import admission
from manager.core.scheduler import Scheduler
from tests.unit.manager.builders import UID, live_job, no_pool, settings, take, task
from tests.unit.manager.core.test_admission import found

RULES = settings(job_uids="100000-165535", max_runners=20)


def test_every_live_job_has_a_user_of_its_own_and_its_record_says_which() -> None:
    jobs = [live_job(task("a"), task("b"), uid=f"{number:032x}", name=f"j{number}") for number in range(5)]
    who = Scheduler("home", RULES, no_pool())
    take(jobs, 10, who)
    users = {job.uid: {each.attempts[0].grant.user for each in job.tasks.values()} for job in jobs}
    assert all(len(of_one) == 1 for of_one in users.values()), "all tasks of a job are one user's"
    assert len(set.union(*users.values())) == 5
    assert {job.job.runs_as for job in jobs} == set.union(*users.values())


def test_it_stays_the_same_when_another_manager_takes_the_job_up() -> None:
    job = live_job(task("a"), task("b"), max_parallel=1, runs_as="100007:100007")
    who = Scheduler("home", RULES, no_pool())
    who.take_up(job)
    take([job], 10, who)
    assert job.tasks["a"].attempts[0].grant.user == "100007:100007"


def test_a_job_says_neither_as_whom_it_runs_nor_as_whom_its_tasks_do() -> None:
    assert admission.take(found(task("a"), runs_as="0:0"), UID, RULES).job.runs_as is None
    for user in ("1000", "100000", "65534"):
        with pytest.raises(BadInput, match="setting `users`"):
            admission.take(found(task("a", user=user)), UID, RULES)
