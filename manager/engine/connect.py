"""The container engine that the settings name: the one place where an engine's class is chosen."""

from collections.abc import Callable

from manager.engine.contract import Engine, Pull
from manager.engine.docker.engine import DockerEngine
from manager.engine.docker.logins import Logins
from manager.engine.registries import Registries
from manager.settings import Settings


def connect(settings: Settings, on_pull: Callable[[Pull], None] = lambda _: None) -> Engine:
    """Nothing is asked of the engine yet.

    `on_pull` hears of each image that is fetched, now and then, from any thread; and when that has ended.
    """
    registries = Registries(settings.registries, settings.runner_image)
    return DockerEngine(
        settings.engine_timeout,
        settings.pull,
        registries,
        on_pull,
        settings.seccomp,
        settings.open_files,
        settings.tmp_exec,
        Logins(settings.docker_config),
    )
