"""PURE. Which secrets a task may have: those that the operator has declared, for whose jobs they are meant.

Whoever writes a job can have it print what it gets. So it counts whose folder the job's is, and not who its
tasks run as.
"""

from difflib import get_close_matches

from air_executor.errors import BadInput, quoted
from air_executor.format.attempts import Grant
from air_executor.format.models import Task, TaskFields
from manager.model.values import Owner
from manager.settings import CONFIG_FILE, Settings


def check_secrets(task: TaskFields, writer: Owner, settings: Settings, field: str = "") -> None:
    """Raises BadInput where the task may not have a secret that it asks for, in a job of `writer`'s."""
    for name in task.secrets:
        _check(name, writer, settings, f"{field}secrets")
    for variable, name in task.secret_env.items():
        _check(name, writer, settings, f"{field}secret_env.{variable}")


def with_secrets(grant: Grant, task: Task, writer: Owner, settings: Settings) -> Grant:
    """The grant, with the secrets that the task asks for and may have."""
    if not task.secrets and not task.secret_env:
        return grant
    mine = _may_have(writer, settings)
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
                f"{quoted(name)} is a secret that task {parent!r} does not have, which asks for it; a task "
                "gets no more than the one that queues it",
                field=field,
            )


def _check(name: str, writer: Owner, settings: Settings, field: str) -> None:
    mine = _may_have(writer, settings)
    if name in mine:
        return
    if name in settings.secrets:
        raise BadInput(
            f"{quoted(name)} is not for jobs of user {writer.uid}; whose may have it, the operator says in "
            f"{CONFIG_FILE} (setting `secrets.{name}.users`)",
            field=field,
        )
    nearest = get_close_matches(name, mine, 1)
    meant = f", unlike {nearest[0]!r}" if nearest else ""
    raise BadInput(
        f"{quoted(name)} is no secret here{meant}; the operator declares them in {CONFIG_FILE}, each as "
        "[secrets.NAME] (setting `secrets`)",
        field=field,
    )


def _may_have(writer: Owner, settings: Settings) -> frozenset[str]:
    return frozenset(name for name, secret in settings.secrets.items() if secret.may_be_had_by(writer.uid))
