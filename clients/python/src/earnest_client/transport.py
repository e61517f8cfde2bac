"""Requests and streams: one operation in, its data out, tried again while that is safe and may help."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Self, TypeVar

import httpx
import websockets
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from earnest_client.errors import Unreachable, UnsafeToRepeat, failed, refused
from earnest_client.retrying import Patience, is_repeatable, retry_after_seconds

Answer = TypeVar("Answer")

MAY_COME_BACK: Final = frozenset({502, 503, 504})
PROTOCOL: Final = Subprotocol("graphql-transport-ws")
SILENCE_SECONDS_MAX: Final = 60.0
"""A stream on which nothing came for so long is dead: the service says something every 20 seconds."""
OPENING_SECONDS_MAX: Final = 15.0
BUSY: Final = frozenset({4429, "RATE_LIMITED"})
BUSY_SECONDS: Final = 1.0
"""A stream that was refused or ended because there is too much isn't asked for again before that."""


UPDATING_SECONDS: Final = 1.0
"""A process of the former release did nothing; one of the new release may answer the next time."""


@asynccontextmanager
async def closing(stream: AsyncIterator[Answer]) -> AsyncIterator[AsyncIterator[Answer]]:
    """A stream whose connection ends with the block."""
    try:
        yield stream
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()


class StreamEnded(Exception):
    """A stream was closed: `code` is the WebSocket's, or that of the operation's error."""

    def __init__(self, code: int | str | None, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
        self.wait_seconds = BUSY_SECONDS if code in BUSY else 0.0
        """How long to wait at least before it is opened again."""


class Transport:
    """A key at a deployment. Close it, or use it with `async with`.

    `url` is the deployment's, such as `https://escrow.example`; `timeout_seconds` bounds one attempt, `patience_seconds` a
    request with all its attempts. Whatever else is given goes to httpx; `verify` and `cert` hold for streams, too.
    """

    def __init__(
        self, url: str, key: str, *, timeout_seconds: float = 30.0, patience_seconds: float = 60.0, **http: Any
    ) -> None:
        self.url = url.rstrip("/").removesuffix("/graphql") + "/graphql"
        self._authorization = f"Bearer {key}"
        self._patience_seconds = patience_seconds
        self._http = httpx.AsyncClient(timeout=timeout_seconds, **http)
        trusted = {name: http[name] for name in ("verify", "cert", "trust_env") if name in http}
        self._tls: dict[str, Any] = (
            {"ssl": httpx.create_ssl_context(**trusted)} if self.url.startswith("https:") else {}
        )
        """Streams trust whom requests trust: else they were opened for ever where an authority of one's own vouches."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connections."""
        await self._http.aclose()

    async def execute(
        self, query: str, operation_name: str | None = None, variables: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The `data` of an operation's answer.

        Raises `OperationFailed` for errors of the answer, `Unreachable` and `RateLimited` when patience is over. A mutation
        without `@idempotent` is sent again only where it certainly wasn't done: else `UnsafeToRepeat`.
        """
        body = {"query": query, "operationName": operation_name, "variables": self.plain(variables or {})}
        patience = Patience(self._patience_seconds)
        while True:
            trouble, at_least = await self._attempt(body)
            if isinstance(trouble, dict):
                return trouble
            wait = patience.wait_seconds(at_least)
            if wait is None:
                raise trouble
            await asyncio.sleep(wait)

    async def _attempt(self, body: Mapping[str, Any]) -> tuple[dict[str, Any] | Exception, float]:
        """The data; or what stands in the way for now, and for how many seconds at least."""
        try:
            answer = await self._http.post(self.url, json=body, headers=self._headers())
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as nobody:
            return Unreachable(f"{type(nobody).__name__}: {nobody}"), 0.0
        except httpx.TransportError as broken:
            return self._unknown(body, f"{type(broken).__name__}: {broken}"), 0.0
        wait = retry_after_seconds(answer.headers)
        if answer.status_code in MAY_COME_BACK:
            return self._unknown(body, f"status {answer.status_code}"), wait
        told = _told(answer)
        errors = told.get("errors")
        if not errors:
            return told["data"], 0.0
        trouble = _failure(errors[0])
        if trouble.code == "UPDATING" and is_repeatable(body["query"]):
            return trouble, max(wait, UPDATING_SECONDS)
        if trouble.code != "RATE_LIMITED":
            raise trouble
        return trouble, wait

    @staticmethod
    def _unknown(body: Mapping[str, Any], why: str) -> Unreachable:
        """Nobody knows whether it arrived: repeatable operations go on, others end here."""
        if not is_repeatable(body["query"]):
            raise UnsafeToRepeat(why)
        return Unreachable(why)

    def get_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """The data, unless a mutation was refused: then its `Refused`."""
        for payload in data.values():
            if isinstance(payload, dict) and payload.get("userErrors"):
                raise refused(payload["userErrors"], payload)
        return data

    def plain(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The variables as JSON."""
        return variables

    async def execute_ws(
        self, query: str, operation_name: str | None = None, variables: dict[str, Any] | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """The data of each answer of a subscription, on a connection of its own.

        Raises `StreamEnded` when the stream ends, whyever; `follow` is what goes on then.
        """
        payload = {"query": query, "operationName": operation_name, "variables": self.plain(variables or {})}
        try:
            # However long an answer is: one that were refused would come again after each connection, and nothing behind it.
            async with websockets.connect(
                self.url.replace("http", "ws", 1),
                subprotocols=[PROTOCOL],
                open_timeout=OPENING_SECONDS_MAX,
                max_size=None,
                **self._tls,
            ) as socket:
                await _begin(socket, self._authorization, payload)
                async for data in _answers(socket):
                    yield data
        except websockets.ConnectionClosed as closed:
            received = closed.rcvd
            code, reason = (received.code, received.reason) if received else (None, "the connection broke")
            raise StreamEnded(code, reason) from None
        except (OSError, TimeoutError, websockets.InvalidHandshake) as nobody:
            raise StreamEnded(None, f"{type(nobody).__name__}: {nobody}") from None

    def _headers(self) -> dict[str, str]:
        return {"authorization": self._authorization, "accept": "application/graphql-response+json, application/json"}


async def _begin(socket: ClientConnection, authorization: str, payload: Mapping[str, Any]) -> None:
    await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": authorization}}))
    async with asyncio.timeout(OPENING_SECONDS_MAX):
        while json.loads(await socket.recv())["type"] != "connection_ack":
            pass
    await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))


async def _answers(socket: ClientConnection) -> AsyncIterator[dict[str, Any]]:
    while True:
        async with asyncio.timeout(SILENCE_SECONDS_MAX):
            message = json.loads(await socket.recv())
        match message["type"]:
            case "ping":
                await socket.send('{"type": "pong"}')
            case "next":
                yield _data_of(message["payload"])
            case "error":
                raise _ended(message["payload"])
            case "complete":
                raise StreamEnded(None, "the stream is complete")


def _data_of(payload: Mapping[str, Any]) -> dict[str, Any]:
    if payload.get("errors"):
        raise _ended(payload["errors"])
    data: dict[str, Any] = payload["data"]
    return data


def _ended(errors: list[dict[str, Any]]) -> StreamEnded:
    return StreamEnded(errors[0].get("extensions", {}).get("code"), errors[0].get("message", ""))


def _told(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        told = None
    if isinstance(told, dict) and _is_answer(told.get("data"), told.get("errors")):
        return told
    code = "RATE_LIMITED" if answer.status_code == httpx.codes.TOO_MANY_REQUESTS else f"HTTP_{answer.status_code}"
    return {"errors": [{"message": answer.text[:200], "extensions": {"code": code}}]}


def _is_answer(data: object, errors: object) -> bool:
    """Whether these are GraphQL's, and not what a wall in between calls so."""
    if not errors:
        return isinstance(data, dict)
    return isinstance(errors, list) and all(isinstance(error, dict) for error in errors)


def _failure(error: Mapping[str, Any]) -> Any:
    extensions = error.get("extensions", {})
    return failed(extensions.get("code", "UNKNOWN"), error.get("message", ""), extensions)
