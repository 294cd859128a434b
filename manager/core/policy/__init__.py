"""PURE. What a task may have, and what its attempt gets, by the operator's settings: decided here alone.

What is asked for is checked when a task is taken (`check`, and `bounded` where another task asks). What an
attempt gets (`grant`) holds to the same rules whatever a record says: it may come from older settings.
"""

from manager.core.policy.bounds import Parent, bounded
from manager.core.policy.ceilings import check_host, job_runners
from manager.core.policy.checks import check
from manager.core.policy.grants import grant, is_usual, may_pull, usual_grant, with_grant
from manager.core.policy.job_users import JobUsers
from manager.core.policy.secrets import check_secrets, with_secrets
from manager.core.policy.sharing import check_joining, check_sharing, sharers
from manager.core.policy.users import user_of, usual_user

__all__ = [
    "JobUsers",
    "Parent",
    "bounded",
    "check",
    "check_host",
    "check_joining",
    "check_secrets",
    "check_sharing",
    "grant",
    "is_usual",
    "job_runners",
    "may_pull",
    "sharers",
    "user_of",
    "usual_grant",
    "usual_user",
    "with_grant",
    "with_secrets",
]
