"""Serves the manager's connections: on each, one question after the other, each with the engine's answer.

Where the engine breaks off, the manager's connection breaks as well: it tells an engine that is gone from one
that refuses, and so it must see the one it has.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from contextlib import aclosing, suppress
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import h11
import httpx

from engine_proxy.engine import Engine
from engine_proxy.guard import Guard, Missing
from engine_proxy.refusal import Refused

log = logging.getLogger(__name__)

A_BODY = 16 << 20
"""Bytes that a request may have: a command with its environment is a few MiB at most."""
A_READ = 1 << 16
TO_ENGINE = ("content-type", "x-registry-auth")
TO_MANAGER = ("content-type", "api-version", "server", "x-docker-container-path-stat")


class BrokenOff(Exception):
    """The manager's connection is over."""


class Server:
    """Listens on a UNIX socket."""

    def __init__(self, guard: Guard, engine: Engine) -> None:
        self._guard = guard
        self._engine = engine

    async def run(self, socket: Path) -> None:
        """Serve until cancelled."""
        server = await asyncio.start_unix_server(self._serve, socket)
        # The folder decides who comes here: it is mounted by the manager alone.
        socket.chmod(0o666)
        log.info("listening on %s", socket)
        async with server:
            await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(reader, writer)
        try:
            while await self._answer_next(connection):
                pass
        except (BrokenOff, h11.ProtocolError, httpx.HTTPError, OSError, asyncio.CancelledError) as error:
            log.debug("connection ended: %r", error)
        finally:
            writer.transport.abort()

    async def _answer_next(self, connection: "_Connection") -> bool:
        request = await connection.request()
        if request is None:
            return False
        answering = asyncio.create_task(self._answer(connection, request))
        leaving = asyncio.create_task(connection.left())
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise BrokenOff
            await answering
        finally:
            for task in (answering, leaving):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task
        return connection.ready_for_next()

    async def _answer(self, connection: "_Connection", request: "_Request") -> None:
        try:
            question = await self._guard.question(
                request.method, request.path, request.parameters, request.body
            )
        except Refused as refusal:
            log.warning("refused: %s", refusal)
            await connection.say(HTTPStatus.FORBIDDEN, f"refused by the engine proxy: {refusal}")
            return
        except Missing as missing:
            await connection.say(HTTPStatus.NOT_FOUND, str(missing))
            return
        headers = {name: request.headers[name] for name in TO_ENGINE if name in request.headers}
        answer = await self._engine.ask(
            question.method, question.path, question.parameters, headers, question.body
        )
        async with aclosing(answer):
            await connection.relay(answer)


class _Request:
    """One request of the manager's, read whole."""

    def __init__(self, head: h11.Request, body: bytes) -> None:
        target = urlsplit(head.target.decode("ascii"))
        said = parse_qsl(target.query, keep_blank_values=True)
        self.method = head.method.decode("ascii")
        self.path = unquote(target.path)
        self.parameters: Mapping[str, str] = dict(said)
        self.headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
        self.body = body


class _Connection:
    """HTTP/1.1, as h11 understands it, over a pair of streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)

    async def request(self) -> _Request | None:
        """The next request; None where there is none."""
        head, body = None, bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    await self._send(h11.InformationalResponse(status_code=100, headers=[]))
                self._http.receive_data(await self._reader.read(A_READ))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > A_BODY:
                    raise BrokenOff
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                return _Request(head, bytes(body))
            else:
                return None

    async def left(self) -> None:
        """Returns when the manager hangs up, or talks out of turn for long."""
        ahead = 0
        while ahead < A_READ:
            data = await self._reader.read(A_READ)
            self._http.receive_data(data)
            if not data:
                return
            ahead += len(data)

    async def say(self, status: HTTPStatus, message: str) -> None:
        """Answer as the engine answers where it refuses."""
        body = json.dumps({"message": message}).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        await self._send(h11.Response(status_code=status, headers=headers))
        await self._send(h11.Data(data=body))
        await self._send(h11.EndOfMessage())

    async def relay(self, answer: httpx.Response) -> None:
        """Answer as the engine does, at its pace."""
        headers = [(name, answer.headers[name]) for name in TO_MANAGER if name in answer.headers]
        await self._send(h11.Response(status_code=answer.status_code, headers=headers))
        async for part in answer.aiter_raw():
            await self._send(h11.Data(data=part))
        await self._send(h11.EndOfMessage())

    def ready_for_next(self) -> bool:
        """Whether another request may come on this connection."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def _send(self, event: h11.Event) -> None:
        self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()
