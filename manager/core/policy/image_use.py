"""PURE. How a task may have its image fetched, named and stopped."""

from air_executor.errors import BadInput
from air_executor.format.images import split_version
from air_executor.format.models import TaskFields
from manager.settings import Settings


def check(task: TaskFields, settings: Settings, field: str = "") -> None:
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


def may_pull(task: TaskFields, queued: bool) -> bool:
    """Whether its image may be fetched where it is missing: not for what a task has queued."""
    return not queued and task.pull != "never"


def must_ask(task: TaskFields, queued: bool) -> bool:
    """Whether its registry is asked first, although the image is here."""
    return not queued and task.pull == "always"


def stop_grace(task: TaskFields, settings: Settings) -> float | None:
    """Seconds that its attempt gets; None where it does not say so."""
    return None if task.stop_grace is None else min(task.stop_grace, longest_grace(settings))


def longest_grace(settings: Settings) -> float:
    """Seconds that any task may ask for."""
    return max(settings.max_stop_grace, settings.cancel_grace)


def bounded_pull(asked: str | None, parent: str) -> None:
    """Raises BadInput where what the task `parent` queues asks for more than is ever done for that."""
    if asked == "always":
        raise BadInput(
            f"'always' asks a registry, and nothing is pulled for what a task queues, as {parent!r} does",
            field="pull",
        )


def _is_pinned(image: str, settings: Settings) -> bool:
    digest = split_version(image)[1] or ""
    return image == settings.runner_image or ("@" in image and ":" in digest)
