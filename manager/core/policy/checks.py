"""PURE. Whether the operator allows what a task asks for."""

from air_executor.errors import BadInput
from air_executor.format.models import TaskFields
from air_executor.format.networks import OF_ALL
from manager.core.policy.ceilings import check_ceilings
from manager.core.policy.devices import check_devices
from manager.core.policy.host_names import check_host_names
from manager.core.policy.images import SHOWN, check_image
from manager.core.policy.ulimits import check_ulimits
from manager.core.policy.users import check_user
from manager.model.values import Owner
from manager.settings import Settings


def check(task: TaskFields, owner: Owner, settings: Settings, field: str = "") -> None:
    """Whether the task may have all that it asks for, in a job whose folder is `owner`'s. Raises BadInput."""
    check_user(task, owner, settings, field)
    check_ceilings(task, settings, field)
    check_devices(task, settings, field)
    check_ulimits(task, settings, field)
    check_host_names(task, field)
    if task.image is not None:
        check_image(task.image, settings, field)
    networks = (*OF_ALL, *settings.networks)
    if task.network is not None and task.network not in networks:
        allowed = ", ".join(networks)
        raise BadInput(
            f"{task.network[:SHOWN]!r} is not allowed here; allowed are {allowed} (setting `networks`)",
            field=f"{field}network",
        )
