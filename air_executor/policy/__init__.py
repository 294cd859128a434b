"""PURE. What the operator allows tasks to ask for: checked where jobs are made, and where they are taken.

The manager's settings are such a `Policy`. What an attempt gets, the manager alone decides
(`manager/core/policy`).
"""

from air_executor.policy.checks import check
from air_executor.policy.inputs import check_inputs
from air_executor.policy.jobs import check_count, check_job, check_tasks
from air_executor.policy.rules import Policy
from air_executor.policy.secrets import check_secrets
from air_executor.policy.users import user_named, user_of, usual_user

__all__ = [
    "Policy",
    "check",
    "check_count",
    "check_inputs",
    "check_job",
    "check_secrets",
    "check_tasks",
    "user_named",
    "user_of",
    "usual_user",
]
