"""The engine proxy as it stands before a real engine, in a thread of the test."""

import asyncio
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine_proxy.engine import Engine
from engine_proxy.guard import Guard
from engine_proxy.home import Home
from engine_proxy.mounts import Mounts
from engine_proxy.server import Server
from tests.engine_proxy import engine_socket
from tests.waiting import until


@contextmanager
def guarded_engine(
    home: Path, folder: Path, networks: Collection[str] = (), mounts: str = ""
) -> Iterator[str]:
    """Its address, for DOCKER_HOST; it serves the manager of `home`."""
    address = folder / "guarded.sock"
    loop = asyncio.new_event_loop()
    engine = Engine(Path(engine_socket()))
    server = Server(
        Guard(Home(home, lambda: str(home)), engine, networks, mounts=Mounts.parse(mounts)), engine
    )
    serving = loop.create_task(server.run(address))

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(_until_cancelled(serving))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    until(lambda: _is_listening(address), 10)
    try:
        yield f"unix://{address}"
    finally:
        loop.call_soon_threadsafe(serving.cancel)
        thread.join(10)


def _is_listening(path: Path) -> bool:
    """Its name is there a moment before it takes connections."""
    with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
        client.connect(str(path))
        return True
    return False


async def _until_cancelled(task: "asyncio.Task[None]") -> None:
    await asyncio.wait([task])
