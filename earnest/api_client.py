"""Talks to Earnest's own API as a partner's first script would: JSON over HTTP with the standard library.

The demo talks through it and nothing else, so that whatever it does, anybody can do.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from earnest.run.refusing import CannotStart

TIMEOUT_SECONDS: Final = 30.0
PORTS: Final = {"http": 80, "https": 443}


class ApiError(Exception):
    """The API did not do what it was asked; the message is one line."""


class Unreachable(ApiError):
    """Nobody answered, or something that is not Earnest did."""


class Refused(ApiError):
    """A `userError` or a top-level error, with its code, and the field of the input that it is about."""

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.field = field


class Api:
    """The API at one address, with one key. Refuses with `CannotStart` an address and a key that are none."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._port = _parts(url)
        if not _is_word(key):
            raise CannotStart("what was given as the key is none; one looks like ek_…")
        self._key = key

    async def ask(self, document: str, **variables: object) -> dict[str, Any]:
        """The data that a document gives. Raises `Refused` for an error, `Unreachable` if nobody answers."""
        answer = await self.answer(document, variables)
        for error in answer.get("errors") or ():
            raise Refused(error.get("extensions", {}).get("code", "ERROR"), error.get("message", ""))
        data = answer.get("data")
        if not isinstance(data, dict):
            raise self._not_earnest()
        return data

    async def answer(self, document: str, variables: Mapping[str, object]) -> dict[str, Any]:
        """The whole answer, errors and all. Raises `Unreachable` if nobody answers."""
        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        connection = kind(self._url.hostname or "", self._port, timeout=TIMEOUT_SECONDS)
        try:
            return await asyncio.to_thread(self._post, connection, {"query": document, "variables": dict(variables)})
        except asyncio.CancelledError:
            _hang_up(connection)  # else the thread waits for the answer, and whoever pressed Ctrl-C for the thread
            raise

    async def do(self, mutation: str, answer: str, **given: object) -> dict[str, Any]:
        """The fields of `answer` after a mutation with this input. Raises `Refused` if it was refused."""
        return await self._do(mutation, "", answer, given)

    async def do_once(self, key: str, mutation: str, answer: str, **given: object) -> dict[str, Any]:
        """The same, done once however often it is asked for by this key. Raises `Refused` if it was refused."""
        return await self._do(mutation, f" @idempotent(key: {json.dumps(key)})", answer, given)

    async def _do(self, mutation: str, directive: str, answer: str, given: Mapping[str, object]) -> dict[str, Any]:
        input_type = f"{mutation[0].upper()}{mutation[1:]}Input"
        document = (
            f"mutation Do($input: {input_type}!) {{ {mutation}(input: $input){directive} {{ {answer} "
            "userErrors { code message field } } }"
        )
        payload: dict[str, Any] = (await self.ask(document, input=given))[mutation]
        for error in payload["userErrors"]:
            raise Refused(error["code"], f"{error['message']} ({mutation})", field=error["field"])
        return payload

    def _post(self, connection: HTTPConnection, body: object) -> dict[str, Any]:
        headers = {
            "authorization": f"Bearer {self._key}",
            "content-type": "application/json",
            "accept": "application/graphql-response+json, application/json",
        }
        try:
            connection.request("POST", self._url.path, json.dumps(body), headers)
            text = connection.getresponse().read()
        except (OSError, HTTPException, ValueError) as error:
            raise Unreachable(f"no answer from {self._url.geturl()}: {error}") from None
        finally:
            connection.close()
        with suppress(ValueError):
            answer = json.loads(text)
            if isinstance(answer, dict):
                return answer
        raise self._not_earnest()

    def _not_earnest(self) -> Unreachable:
        return Unreachable(f"what answers at {self._url.geturl()} is not Earnest")


def _hang_up(connection: HTTPConnection) -> None:
    """Have whoever waits for its answer wait no more."""
    if connection.sock is not None:
        with suppress(OSError):  # it is over
            connection.sock.shutdown(socket.SHUT_RDWR)


def _parts(url: str) -> tuple[SplitResult, int]:
    """An address with its port, be it the usual one; refuses with `CannotStart` what is none."""
    with suppress(ValueError):
        parts = urlsplit(url.rstrip("/").removesuffix("/graphql") + "/graphql")
        port = parts.port if parts.port is not None else PORTS.get(parts.scheme)
        if _is_word(url) and parts.hostname and parts.scheme in PORTS and port:
            return parts, port
    raise CannotStart(f"“{url}” is no address such as http://127.0.0.1:8000")


def _is_word(text: str) -> bool:
    """Whether HTTP can carry it in a line: ASCII, without spaces and what isn't seen."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
