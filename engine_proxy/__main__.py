"""`python -m engine_proxy`: what is set, and the wiring.

ENGINE_PROXY_LISTEN     the socket for the manager
ENGINE_PROXY_ENGINE     the engine's socket; default /var/run/docker.sock
AIR_EXECUTOR_HOME       the home folder of the manager, read only
AIR_EXECUTOR_NETWORKS   as for the manager: a list of the engine's networks that tasks may join
AIR_EXECUTOR_MOUNTS     as for the manager: what tasks may have mounted beside the home's folders
AIR_EXECUTOR_RUNTIMES   likewise, of its runtimes
AIR_EXECUTOR_GPUS       likewise, of its GPUs; or their number
"""

import asyncio
import json
import logging
import os
import signal
from pathlib import Path

import httpx

from engine_proxy.engine import Engine
from engine_proxy.guard import Guard
from engine_proxy.home import Home
from engine_proxy.mounts import Mounts
from engine_proxy.server import Server
from manager.engine.docker.own_container import own_container_ids
from manager.engine.docker.translate import PathTable


def host_path(home: Path, engine: Path) -> str:
    """Where the engine sees `home`: where this is one of its containers, its own mounts tell."""
    transport = httpx.HTTPTransport(uds=str(engine))
    with httpx.Client(transport=transport, base_url="http://engine", timeout=30) as client:
        for candidate in own_container_ids():
            answer = client.get(f"/containers/{candidate}/json")
            if answer.is_success:
                mounts = answer.json()["Mounts"]
                table = PathTable((mount["Destination"], mount["Source"]) for mount in mounts)
                return table.host_path(str(home))
    return str(home)


async def serve(
    listen: Path, socket: Path, path: Path, allowed: dict[str, list[str]], mounts: Mounts
) -> None:
    """Until SIGTERM or SIGINT."""
    engine = Engine(socket)
    home = Home(path, lambda: host_path(path, socket))
    listen.unlink(missing_ok=True)
    guard = Guard(home, engine, **allowed, mounts=mounts)
    serving = asyncio.ensure_future(Server(guard, engine).run(listen))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        logging.info("stopped")


def listed(variable: str) -> list[str]:
    """What an environment variable lists; a number stands for as many, from "0" on."""
    found = json.loads(os.environ.get(variable) or "[]")
    return [str(number) for number in range(found)] if isinstance(found, int) else found


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each question would be too much
    asyncio.run(
        serve(
            Path(os.environ["ENGINE_PROXY_LISTEN"]),
            Path(os.environ.get("ENGINE_PROXY_ENGINE", "/var/run/docker.sock")),
            Path(os.environ["AIR_EXECUTOR_HOME"]),
            {name: listed(f"AIR_EXECUTOR_{name.upper()}") for name in ("networks", "runtimes", "gpus")},
            Mounts.parse(os.environ.get("AIR_EXECUTOR_MOUNTS", "")),
        )
    )


if __name__ == "__main__":
    main()
