"""PURE. Which secrets a task may ask for: those that the operator has declared for its writer's jobs.

Whoever writes a job can have it print what it gets. So it counts whose folder the job's is, and not who its
tasks run as.
"""

from air_executor.errors import BadInput, quoted
from air_executor.format.models import TaskFields
from air_executor.format.nearest import did_you_mean
from air_executor.format.runtimes import DEFAULT
from air_executor.format.users import Owner
from air_executor.policy.rules import Policy


def check_secrets(task: TaskFields, writer: Owner, settings: Policy, field: str = "") -> None:
    """Raises BadInput where the task may not have a secret that it asks for, in a job of `writer`'s."""
    for name in task.secrets:
        _check(name, writer, settings, f"{field}secrets")
    for variable, name in task.secret_env.items():
        _check(name, writer, settings, f"{field}secret_env.{variable}")
    if (task.secrets or task.secret_env) and task.runtime not in (None, DEFAULT):
        raise BadInput(
            f"{quoted(task.runtime)} is for tasks without secrets: these come by a task's gate, and gates "
            "are for the engine's own runtime",
            field=f"{field}runtime",
        )


def _check(name: str, writer: Owner, settings: Policy, field: str) -> None:
    mine = may_have(writer, settings)
    if name in mine:
        return
    if name in settings.secrets:
        raise BadInput(
            f"{quoted(name)} is not for jobs of user {writer.uid}; whose may have it, the operator says in "
            f"config.toml (setting `secrets.{name}.users`)",
            field=field,
        )
    raise BadInput(
        f"{quoted(name)} is no secret here; the operator declares them in config.toml, each as "
        f"[secrets.NAME] (setting `secrets`){did_you_mean(name, sorted(mine))}",
        field=field,
    )


def may_have(writer: Owner, settings: Policy) -> frozenset[str]:
    """Names of the secrets that jobs of `writer`'s may have."""
    return frozenset(name for name, secret in settings.secrets.items() if secret.may_be_had_by(writer.uid))
