"""PURE. Which secrets a task gets. Whose folder its job's is, counts, and not who it runs as."""

from air_executor.errors import BadInput, quoted
from air_executor.format.attempts import Grant
from air_executor.format.models import Task, TaskFields
from air_executor.policy.secrets import may_have
from manager.core.policy.refusals import NO_MORE
from manager.model.values import Owner
from manager.settings import Settings


def with_secrets(grant: Grant, task: Task, writer: Owner, settings: Settings) -> Grant:
    """The grant, with the secrets that the task asks for and may have."""
    if not task.secrets and not task.secret_env:
        return grant
    mine = may_have(writer, settings)
    files = {name: place for name, place in task.secrets.items() if name in mine}
    variables = {variable: name for variable, name in task.secret_env.items() if name in mine}
    return grant.model_copy(update={"secrets": files, "secret_env": variables})


def granted(grant: Grant) -> frozenset[str]:
    """The names of all secrets that an attempt has."""
    return frozenset((*grant.secrets, *grant.secret_env.values()))


def check_below(task: TaskFields, parent: str, has: frozenset[str]) -> None:
    """Raises BadInput where a task asks for a secret that the `parent` does not have, which queues it."""
    asked = [("secrets", name) for name in task.secrets]
    asked += [(f"secret_env.{variable}", name) for variable, name in task.secret_env.items()]
    for field, name in asked:
        if name not in has:
            raise BadInput(
                f"{quoted(name)} is a secret that task {parent!r} does not have, which asks for it; "
                f"{NO_MORE}",
                field=field,
            )
