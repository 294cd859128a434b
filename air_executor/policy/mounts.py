"""PURE. Which of the operator's mounts a task may ask for."""

from air_executor.errors import LONGEST_VALUE, BadInput, cut
from air_executor.format.models import TaskFields
from air_executor.format.mounts import USUAL_PLACE, AskedMount, MountRule
from air_executor.format.nearest import did_you_mean
from air_executor.format.users import Owner
from air_executor.policy import users
from air_executor.policy.rules import Policy

DECLARES = "the operator declares mounts, in the home's config.toml as [mounts.NAME] (setting `mounts`)"


def check(task: TaskFields, owner: Owner, settings: Policy, field: str = "") -> None:
    """Raises BadInput where the task asks for one that it can't have."""
    for name, asked in task.mounts.items():
        place = f"{field}mounts.{cut(name, LONGEST_VALUE)}"
        declared = settings.mounts.get(name)
        if declared is None:
            raise BadInput(f"is no mount here; {DECLARES}{did_you_mean(name, settings.mounts)}", field=place)
        # Which user a job has for itself, nobody knows before its turn.
        if not settings.job_uids and not declared.serves(*users.user_of(task, owner, settings)):
            raise BadInput(
                f"is not for user {users.user_of(task, owner, settings)}, as whom the task runs (setting "
                f"`mounts.{name}.users`)",
                field=place,
            )
        if asked.read_only is False and not declared.writable:
            raise BadInput(
                "can't be written to: the operator has declared it to be read "
                f"(setting `mounts.{name}.read_only`)",
                field=f"{place}.read_only",
            )


def places(task: TaskFields, settings: Policy) -> list[str]:
    """Where those that it asks for are in its container."""
    return [place_of(name, asked, settings.mounts.get(name)) for name, asked in task.mounts.items()]


def place_of(name: str, asked: AskedMount, declared: MountRule | None) -> str:
    """Where it is in its container."""
    return asked.path or (declared.place(name) if declared else f"{USUAL_PLACE}/{name}")
