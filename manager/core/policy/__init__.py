"""PURE. What a task may have, and what its attempt gets, by the operator's settings: decided here alone.

What is asked for is checked when a task is taken (`check`, and `bounded` where another task asks). What an
attempt gets (`grant`) holds to the same rules whatever a record says: it may come from older settings.
"""

from air_executor.policy import check, check_count, check_job, check_secrets, user_of, usual_user
from manager.core.policy.bounds import Parent, as_parent, bounded
from manager.core.policy.ceilings import check_host, job_runners
from manager.core.policy.devices import is_made_late, lack
from manager.core.policy.grants import grant, is_usual, may_pull, must_ask, usual_grant, with_grant
from manager.core.policy.job_users import JobUsers
from manager.core.policy.jobs import priority, time_left, time_limit
from manager.core.policy.memory import on_host
from manager.core.policy.secrets import with_secrets
from manager.core.policy.sharing import check_joining, check_sharing, sharers

__all__ = [
    "JobUsers",
    "Parent",
    "as_parent",
    "bounded",
    "check",
    "check_count",
    "check_host",
    "check_job",
    "check_joining",
    "check_secrets",
    "check_sharing",
    "grant",
    "is_made_late",
    "is_usual",
    "job_runners",
    "lack",
    "may_pull",
    "must_ask",
    "on_host",
    "priority",
    "sharers",
    "time_left",
    "time_limit",
    "user_of",
    "usual_grant",
    "usual_user",
    "with_grant",
    "with_secrets",
]
