"""What containers know of hosts, where an engine can't be told: in the network of another container.

There a container has that one's /etc/hosts and /etc/resolv.conf. One with names of its own gets files of ours
in their place, with all that the other one's say, and what was asked for.
"""

from manager.engine.contract import Engine, EngineError
from manager.engine.docker.account_files import AccountFiles
from manager.engine.docker.names import NameFiles
from manager.model import containers
from manager.model.container_spec import ContainerSpec, Mount


def of(spec: ContainerSpec, holder: str | None, engine: Engine, files: AccountFiles) -> NameFiles | None:
    """Those of a container in the network of `holder`; None where it needs none. Raises EngineError."""
    if spec.names is None or holder is None:
        return None
    contents: dict[str, bytes] = {}
    places = {path.rpartition("/")[2]: path for path in spec.names.files}
    for name, path in places.items():
        usual = engine.read_file(holder, path) or b""
        contents[name] = spec.names.written(path, usual.decode(errors="replace")).encode()
    if not contents:
        return None
    try:
        folder = files.folder_with(contents, containers.home_of(spec))
    except OSError as error:
        raise EngineError(f"its {' and '.join(places.values())} can't be written down: {error}") from None
    mounts = tuple(Mount(str(folder / name), path, read_only=True) for name, path in places.items())
    return NameFiles(folder.name, mounts)
