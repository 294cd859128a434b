"""PURE. How a task may ask for its image to be fetched and named, and for itself to be stopped."""

from air_executor.errors import BadInput
from air_executor.format.images import split_version
from air_executor.format.models import TaskFields
from air_executor.policy.rules import Policy


def check(task: TaskFields, settings: Policy, field: str = "") -> None:
    """Raises BadInput where the task asks for what the operator does not allow."""
    if task.pull == "always" and not settings.pull:
        raise BadInput(
            "'always' asks the image of its registry, and nothing is pulled here (setting `pull`)",
            field=f"{field}pull",
        )
    most = longest_grace(settings)
    if task.stop_grace is not None and task.stop_grace > most:
        raise BadInput(
            f"{task.stop_grace:.10g} is more than a task may ask for here: {most:.10g} "
            "(setting `max_stop_grace`)",
            field=f"{field}stop_grace",
        )
    if settings.require_digest and task.image is not None and not _is_pinned(task.image, settings):
        raise BadInput(
            f"{task.image[:80]!r} may change under its name; name images by digest here, as in "
            "debian@sha256:… (setting `require_digest`)",
            field=f"{field}image",
        )


def longest_grace(settings: Policy) -> float:
    """Seconds that any task may ask for."""
    return max(settings.max_stop_grace, settings.cancel_grace)


def _is_pinned(image: str, settings: Policy) -> bool:
    digest = split_version(image)[1] or ""
    return image == settings.runner_image or ("@" in image and ":" in digest)
