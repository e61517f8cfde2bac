"""Runs `earnest listen`: a webhook endpoint on this machine that prints each event and passes it to a program under development.

It is an endpoint like any other, so whatever the program gets here it will get in production: the same bytes, signatures,
order and retries. While the program or the listener is away the endpoint is disabled, and nothing is lost meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from earnest.api_client import Api, ApiError, Refused, Unreachable
from earnest.engines.lock import DirectoryLock
from earnest.engines.processes import read_private, write_private
from earnest.run.refusing import CannotStart

STATE_FILE: Final = "listen.json"
DESCRIPTION: Final = "earnest listen"
PATH: Final = "/earnest-listen"

FORWARD_SECONDS: Final = 14.0
"""A little less than a receiver has, so that our own answer still arrives."""

POLL_SECONDS: Final = 0.25
ANSWER_BYTES_MAX: Final = 16 * 1024

_PASSED_ON: Final = ("content-type", "user-agent", "webhook-id", "webhook-timestamp", "webhook-signature")

_FOUND: Final = "query Found($id: ID!) { node(id: $id) { ... on WebhookEndpoint { id url state eventTypes } } }"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The endpoint of an account that this machine listens at, as the file remembers it from one run to the next."""

    endpoint_id: str
    secret: str
    port: int


class Listener:
    """One run of `earnest listen` for one account. `forward_to` may be None: then it only prints."""

    def __init__(
        self, api: Api, *, account_id: str, directory: Path, forward_to: str | None, event_types: list[str], say: Say
    ) -> None:
        self._api = api
        self._account_id = account_id
        self._path = directory / STATE_FILE
        self._forward_to = forward_to
        self._event_types = event_types
        self._say = say
        self._endpoint_id = ""
        self._program_is_back: asyncio.Task[None] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until told to stop. Refuses with `CannotStart` if there can be no such endpoint, or if it is listened at;
        raises `ApiError`."""
        with self._alone():
            await self._listen(stop)

    def _alone(self) -> DirectoryLock:
        """A second one of the account would move the endpoint to its own port, and disable it under the first when it ends."""
        self._path.parent.mkdir(exist_ok=True)
        return DirectoryLock(
            self._path.with_name(f"listen-{self._account_id}.lock"),
            refusal=f"somebody listens as {self._account_id} here already (process {{holder}}): stop that with Ctrl-C, "
            "or listen as another one (--as)",
        )

    async def _listen(self, stop: asyncio.Event) -> None:
        known = self._remembered()
        async with (
            aiohttp.ClientSession(trust_env=False, auto_decompress=False) as self._session,
            served(self._receive, known.port if known is not None else 0) as port,
        ):
            place = await self._endpoint(known, f"http://127.0.0.1:{port}{PATH}", port)
            self._endpoint_id = place.endpoint_id
            self._remember(place)
            self._say(f"Listening as {self._account_id}, endpoint {place.endpoint_id}; Ctrl-C stops.")
            self._say(f"Check signatures with the secret {place.secret}")
            if self._forward_to is not None:
                self._say(f"Forwarding to {self._forward_to}")
            await self._enable(True)
            try:
                await stop.wait()
            finally:
                await self._end()

    async def _end(self) -> None:
        if self._program_is_back is not None:
            self._program_is_back.cancel()
            await asyncio.gather(self._program_is_back, return_exceptions=True)
        with suppress(ApiError):  # the deployment may have ended first: then nothing is sent anyway
            await self._enable(False)
        self._say("Stopped. What happens now is kept, and comes with the next `earnest listen`.")

    async def _endpoint(self, known: Place | None, url: str, port: int) -> Place:
        """The endpoint of the last time, at the URL of today, or a new one."""
        if known is not None:
            found = (await self._api.ask(_FOUND, id=known.endpoint_id))["node"]
            if found is not None:
                if found["url"] != url or sorted(found["eventTypes"]) != sorted(self._event_types):
                    await self._api.do(
                        "updateWebhookEndpoint", "webhookEndpoint { id }",
                        endpointId=known.endpoint_id, url=url, eventTypes=self._event_types,
                    )  # fmt: skip
                return replace(known, port=port)
        try:
            made = await self._api.do(
                "createWebhookEndpoint", "webhookEndpoint { id } secret",
                url=url, description=DESCRIPTION, eventTypes=self._event_types,
            )  # fmt: skip
        except Refused as refusal:
            if refusal.field != "url":
                raise
            raise CannotStart(
                f"This deployment takes no endpoint on this machine ({refusal}). It must run here, and with "
                "EARNEST_WEBHOOK_ALLOW_PRIVATE=loopback"
            ) from None
        return Place(endpoint_id=made["webhookEndpoint"]["id"], secret=made["secret"], port=port)

    async def _enable(self, enabled: bool) -> None:
        mutation = "enableWebhookEndpoint" if enabled else "disableWebhookEndpoint"
        await self._api.do(mutation, "webhookEndpoint { id }", endpointId=self._endpoint_id)

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        event = json.loads(body)["data"]
        if event["event"]["data"].get("endpointId") == self._endpoint_id:
            return web.Response(status=204)  # about this listener itself: nothing that a program waits for
        began = time.perf_counter()
        status, answer = await self._forward({name: request.headers[name] for name in _PASSED_ON}, body)
        self._say(line(event, status=status, milliseconds=(time.perf_counter() - began) * 1000))
        return web.Response(status=status, body=answer)

    async def _forward(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """What the program answered; 503 while it isn't there, 504 if it doesn't answer."""
        if self._forward_to is None:
            return 204, b""
        try:
            async with asyncio.timeout(FORWARD_SECONDS):
                async with self._session.post(
                    self._forward_to, data=body, headers=headers, allow_redirects=False
                ) as response:
                    return response.status, await response.content.read(ANSWER_BYTES_MAX)
        except TimeoutError:
            return 504, b"The program did not answer in time."
        except aiohttp.ClientError:
            if self._program_is_back is None or self._program_is_back.done():
                self._program_is_back = asyncio.create_task(self._wait(self._forward_to))
            return 503, b"The program is not there."

    async def _wait(self, program: str) -> None:
        """Have nothing sent until somebody listens at the program's port again."""
        self._say(f"Nobody answers at {program}; events wait until somebody does ...")
        try:
            await self._enable_at_last(False)
            while not await _listens(program):  # noqa: ASYNC110 - nobody tells when it is back
                await asyncio.sleep(POLL_SECONDS)
            await self._enable_at_last(True)
        except ApiError as error:
            self._say(f"Earnest does not let the endpoint go on: {error}")
        else:
            self._say("It is back; going on where it stopped.")

    async def _enable_at_last(self, enabled: bool) -> None:
        """The same, however long Earnest is away meanwhile: nobody else would enable it again."""
        is_told = False
        while True:
            try:
                await self._enable(enabled)
                return
            except Unreachable as error:
                if not is_told:
                    self._say(f"Earnest does not answer ({error}); asking again until it does ...")
                is_told = True
                await asyncio.sleep(POLL_SECONDS)

    def _remembered(self) -> Place | None:
        try:
            found: dict[str, Any] = json.loads(read_private(self._path))
            return Place(**found[self._account_id])
        except (FileNotFoundError, KeyError):
            return None
        except (ValueError, TypeError):
            raise CannotStart(f"{self._path} is damaged: remove it, and listening begins anew") from None

    def _remember(self, place: Place) -> None:
        try:
            found: dict[str, Any] = json.loads(read_private(self._path))
        except FileNotFoundError:
            found = {}
        write_private(self._path, json.dumps(found | {self._account_id: asdict(place)}, indent=2) + "\n")


def line(data: dict[str, Any], *, status: int, milliseconds: float) -> str:
    """What came and what was answered, on one line."""
    event = data["event"]
    marks = [mark for mark in ("replay", "test") if data.get(mark)]
    said = f"{event['occurredAt'][11:19]}  {event['type']:<28} {event['stream']} #{event['sequence']}"
    return f"{said}  -> {status} in {milliseconds:.0f} ms{''.join(f'  ({mark})' for mark in marks)}"


@asynccontextmanager
async def served(receive: Callable[[web.Request], Any], port: int) -> AsyncIterator[int]:
    """A server for webhooks on loopback, at this port if it is free; gives the port."""
    application = web.Application()
    application.router.add_post(PATH, receive)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    listening = _bound(port)
    await web.SockSite(runner, listening).start()
    try:
        yield listening.getsockname()[1]
    finally:
        await runner.cleanup()


def _bound(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError:
        listening.bind(("127.0.0.1", 0))
    return listening


async def _listens(url: str) -> bool:
    parts = urlsplit(url)
    try:
        _, writer = await asyncio.open_connection(
            parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
        )
    except OSError:
        return False
    writer.close()
    return True
