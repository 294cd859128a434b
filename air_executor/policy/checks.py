"""PURE. Whether the operator allows what a task asks for."""

from air_executor.errors import BadInput
from air_executor.format.models import TaskFields
from air_executor.format.networks import OF_ALL
from air_executor.format.users import Owner
from air_executor.policy import image_use, mounts, scratch
from air_executor.policy.ceilings import check_ceilings
from air_executor.policy.devices import check_devices
from air_executor.policy.host_names import check_host_names
from air_executor.policy.images import SHOWN, check_image
from air_executor.policy.results import check_results
from air_executor.policy.rules import Policy
from air_executor.policy.ulimits import check_ulimits
from air_executor.policy.users import check_user


def check(task: TaskFields, owner: Owner, settings: Policy, field: str = "") -> None:
    """Whether the task may have all that it asks for, in a job whose folder is `owner`'s. Raises BadInput."""
    check_user(task, owner, settings, field)
    check_ceilings(task, settings, field)
    check_results(task, settings, field)
    check_devices(task, settings, field)
    check_ulimits(task, settings, field)
    check_host_names(task, field)
    if task.image is not None:
        check_image(task.image, settings, field)
    image_use.check(task, settings, field)
    networks = (*OF_ALL, *settings.networks)
    if task.network is not None and task.network not in networks:
        allowed = ", ".join(networks)
        raise BadInput(
            f"{task.network[:SHOWN]!r} is not allowed here; allowed are {allowed} (setting `networks`)",
            field=f"{field}network",
        )
    mounts.check(task, owner, settings, field)
    scratch.check(task, settings, field)
