"""The client: every operation by its name, events that go on where they stopped, and lists to their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from earnest_client.api import EventFields, Operations
from earnest_client.errors import EarnestError, failed
from earnest_client.places import LATEST, Place
from earnest_client.retrying import Patience
from earnest_client.transport import StreamEnded, closing

KEY_ENDED: Final = frozenset({4401, 4403, "UNAUTHENTICATED"})
NEVER_RIGHT: Final = frozenset(
    {4400, 4406, "BAD_REQUEST", "DOCUMENT_NOT_FOUND", "FORBIDDEN", "NOT_FOUND", "QUERY_TOO_COMPLEX"}
)
FOR_EVER: Final = 10.0**9
"""Seconds for which a stream is opened again and again."""


class BeyondTheLog(EarnestError):
    """The cursor is none of this log: another deployment's, or from after the moment that the log was restored to. Begin anew."""


class Earnest(Operations):
    """A key at a deployment of Earnest. Each operation of `clients/operations` is a method, by its name in snake_case.

    A mutation takes its `input` and an idempotency `key` (`Keys`, `new_key`), raises `Refused` if the service says no, and
    answers with what it changed. Whatever comes is typed; values that a later release adds are kept as they are.
    """

    async def follow(
        self, place: Place, *, begin: str = LATEST, contract_id: str | None = None, types: list[str] | None = None
    ) -> AsyncGenerator[EventFields, None]:
        """Each event after the place, in order, once, for ever: whenever the stream ends it is opened again from there.

        Without a cursor in the place it begins at `begin`: `LATEST`, or `BEGINNING`. An event counts as handled when the next
        one is asked for; its cursor is written then. Raises `Unauthenticated` when the key has ended, and `BeyondTheLog`.
        """
        after = await place.read()
        if after is None:
            after = (await self.latest()).cursor if begin == LATEST else begin
            await place.write(after)
        patience = Patience(FOR_EVER)
        while True:
            at_least = 0.0
            try:
                async with closing(self.events(after=after, contract_id=contract_id, types=types)) as events:
                    async for event in events:
                        patience = Patience(FOR_EVER)
                        yield event
                        if event.cursor is not None:
                            after = event.cursor
                            await place.write(after)
            except StreamEnded as ended:
                raise_if_final(ended)
                at_least = ended.wait_seconds
            await asyncio.sleep(patience.wait_seconds(at_least) or 0.0)


def raise_if_final(ended: StreamEnded) -> None:
    """Raise what can't be helped by opening the stream again."""
    if ended.code in KEY_ENDED:
        raise failed("UNAUTHENTICATED", ended.reason) from None
    if is_beyond(ended.code, ended.reason):
        raise BeyondTheLog(ended.reason) from None
    if ended.code in NEVER_RIGHT:
        raise failed(str(ended.code), ended.reason) from None


def is_beyond(code: object, message: str) -> bool:
    """Whether a refusal says that the cursor is none of this log, or none of it any more."""
    if code == "LOG_CUT":
        return True
    return code == "BAD_REQUEST" and ("beyond the end of this log" in message or "has not reached" in message)
