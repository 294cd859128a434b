"""The engine itself, behind its socket."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx


class Engine:
    """One client for all connections of the manager."""

    def __init__(self, socket: Path) -> None:
        limits = httpx.Limits(max_connections=None)
        transport = httpx.AsyncHTTPTransport(uds=str(socket), limits=limits)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://engine", timeout=None)

    async def ask(
        self, method: str, path: str, parameters: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> httpx.Response:
        """The beginning of its answer, to be read on and closed. Raises httpx.TransportError."""
        headers = {**headers, "accept-encoding": "identity"}
        request = self._client.build_request(
            method, quote(path, safe="/:@"), params=parameters, headers=headers, content=body
        )
        return await self._client.send(request, stream=True)

    async def look(self, container: str) -> dict[str, Any] | None:
        """What it knows of a container, or None where it has none of that name or id."""
        answer = await self._client.get(f"/containers/{container}/json")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        found: dict[str, Any] = answer.raise_for_status().json()
        return found
