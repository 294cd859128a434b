"""Whether the folders that the operator has declared as mounts are what they look like, on this machine.

The engine follows links when it mounts a folder. A link is fine, as long as where it leads could have been
declared itself; that is looked at when the manager starts. What becomes of it later, and of links within the
folder, is the operator's: only who may write there can change it. A manager in a container sees none of it;
that nothing is mounted of its own home, the engine's side sees to (`engine/docker/declared`).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from air_executor.errors import BadInput
from air_executor.format.mounts import DeclaredMount, check_source
from air_executor.format.places import is_in

IN_A_CONTAINER = Path("/.dockerenv")
"""Where that is there, a folder of the engine's host that is not to be seen may be there all the same."""


def check(mounts: Mapping[str, DeclaredMount], home: Path) -> None:
    """Raises BadInput for the first that can't be handed out."""
    for name, folder in _folders(mounts):
        try:
            _check(folder, home)
        except ValueError as error:
            raise BadInput(f"{folder} {error}", field=f"mounts.{name}.path") from None


def missing(mounts: Mapping[str, DeclaredMount]) -> list[str]:
    """What is to be said of those that are not there."""
    if IN_A_CONTAINER.exists():
        return []
    return [
        f"{name}: {folder} is not there, so tasks that name it fail: make it, or take it out of config.toml"
        for name, folder in _folders(mounts)
        if not folder.exists()
    ]


def _folders(mounts: Mapping[str, DeclaredMount]) -> Iterator[tuple[str, Path]]:
    for name, declared in mounts.items():
        if declared.path is not None:
            yield name, Path(declared.path)


def _check(folder: Path, home: Path) -> None:
    try:
        reached = folder.resolve()
    except (OSError, RuntimeError):
        raise ValueError("can't be handed out: its links lead nowhere") from None
    if reached != folder:
        try:
            check_source(str(reached))
        except ValueError as error:
            raise ValueError(f"leads to {reached}, which {error}") from None
    own = str(home.resolve())
    if is_in(str(reached), own) or is_in(own, str(reached)):
        raise ValueError(f"can't be handed out: it is the manager's own home {own}, or in or above it")
    if reached.exists() and not reached.is_dir():
        raise ValueError("can't be handed out: it is no folder")
