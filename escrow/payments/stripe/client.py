"""Calls Stripe: one place for its key, its time limit, the version of its API, and for what its errors mean.

A definite refusal is `Refused`; everything else that goes wrong is a `ProviderError`, which says that the outcome is unknown.
No message repeats what Stripe's error says in its own words beyond its code, unless it is meant for the payer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import aiohttp
import stripe

from escrow import traces
from escrow.payments.calls import CALL_SECONDS_MAX, Sought
from escrow.payments.results import Failed, NotYet, ProviderError, StoredFault
from escrow.stripe_access import StripeAccess

API_VERSION: Final = "2026-08-26.dahlia"
"""The version of the API that this adapter is written for and checked against."""

REFUSALS: Final = frozenset({400, 402, 404})
"""Statuses that are about the call, and say that nothing was done. 401 and 403 are about our key: whoever runs the deployment
mends it, and until then no order fails for it."""

PAYEE_CODES: Final = frozenset({"insufficient_capabilities_for_transfer", "account_invalid", "resource_missing"})
"""Refusals that are about the payee, whatever the money comes from."""

LATER_CODES: Final = frozenset({"balance_insufficient", "insufficient_funds"})
"""Refusals that say: not yet."""

UNKNOWN_CODES: Final = frozenset({"resource_missing", "404"})
"""Refusals that say: there is no such thing."""

NEVER_CODES: Final = UNKNOWN_CODES | {"charge_already_refunded"}
"""Refusals of a refund that another attempt meets as well."""

NOTHING: Final = frozenset({"failed", "canceled"})
"""What refunds and payouts are that moved nothing, or whose money came back."""

PAGE: Final = 100

SAME_TIME: Final = timedelta(seconds=2)
"""Dates of answers are whole seconds, and answers take their time."""

READ_AGAIN_SECONDS: Final = (0.2, 1.0, 3.0)
"""How long one waits before a reading of the books that got no answer is repeated: many thousand make one look, and a look that
began anew with each that is lost, or is one too many in its second, would hardly end."""

Json = dict[str, Any]


class KeyRefused(ProviderError):
    """Stripe doesn't take the key, and won't before somebody has mended that."""


class NotAllowed(KeyRefused):
    """The key lacks a permission."""


class Refused(Exception):
    """Stripe said no, and nothing was done."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Client:
    """Stripe's own client, asynchronous, with its retries off: orders are tried again by whoever keeps them."""

    def __init__(self, access: StripeAccess) -> None:
        # At lower levels the library logs whole requests, means of payment and client secrets among them.
        logging.getLogger("stripe").setLevel(logging.WARNING)
        stripe.enable_telemetry = False
        self._http = _Http(timeout=aiohttp.ClientTimeout(total=CALL_SECONDS_MAX))
        client = stripe.StripeClient(
            access.key,
            stripe_version=API_VERSION,
            base_addresses={"api": access.base_url} if access.base_url else None,
            max_network_retries=0,
            http_client=self._http,
        )
        self.v1: Final = client.v1
        self.ahead = timedelta(0)
        """How far Stripe's clock is ahead of ours, by the date of its last answer; a second more or less is none."""

    async def asked(self, call: Awaitable[stripe.StripeObject]) -> Json:
        """What Stripe answered, as plain JSON. Raises `Refused`, `ProviderError`."""
        try:
            found = await call
            self._note_the_time(found)
            return dict(found.to_dict())
        except stripe.StripeError as error:
            raise _understood(error) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProviderError(f"no answer from Stripe: {type(error).__name__}") from None

    async def patiently(self, ask: Callable[[], Awaitable[stripe.StripeObject]]) -> Json:
        """The same for a reading that nobody else repeats: without an answer it is asked again, some times. Raises as `asked`."""
        for seconds in READ_AGAIN_SECONDS:
            try:
                return await self.asked(ask())
            except KeyRefused:
                raise
            except ProviderError:
                await asyncio.sleep(seconds)
        return await self.asked(ask())

    async def all(self, call: Awaitable[stripe.ListObject[Any]]) -> AsyncIterator[Json]:
        """Every object of a list, page after page, the newest first."""
        try:
            found = await call
            self._note_the_time(found)
            async for one in found.auto_paging_iter():
                yield dict(one.to_dict())
        except stripe.StripeError as error:
            raise _understood(error) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProviderError(f"no answer from Stripe: {type(error).__name__}") from None

    async def own_account(self) -> str | None:
        """The account that the key is of; `None` if the key lacks the permission to tell it."""
        try:
            return str((await self.asked(self.v1.accounts.retrieve_current_async()))["id"])
        except NotAllowed:
            return None
        except Refused as refusal:
            raise ProviderError(f"Stripe tells nothing of its account: {refusal.code}") from None

    def _note_the_time(self, answer: stripe.StripeObject) -> None:
        response = answer.last_response
        date = response.headers.get("date") if response is not None else None
        if date is not None:
            ahead = parsedate_to_datetime(date) - datetime.now(UTC)
            self.ahead = ahead if abs(ahead) > SAME_TIME else timedelta(0)

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.close_async()  # type: ignore[no-untyped-call]


class _Http(stripe.AIOHTTPClient):
    """Stripe's own requests, each with the trace that it belongs to: a stand-in or a proxy in between may tell of it."""

    async def request_stream_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[Any, int, Mapping[str, str]]:
        traced = {**headers, traces.TRACEPARENT: traces.current().header()}
        return await super().request_stream_async(method, url, traced, post_data)


async def made_by(sought: Sought, found: AsyncIterator[Json]) -> Json | None:
    """What the call that is looked up made, of a list; every call writes its key and its order into what it makes. Of all
    attempts' the newest that didn't come to nothing."""
    async for one in found:
        says = one.get("metadata") or {}
        if sought.of_any_attempt:
            if says.get("order") == sought.order_id and not (one.get("status") in NOTHING or one.get("reversed")):
                return one
        elif says.get("key") == sought.key:
            return one
    return None


def refused(refusal: Refused, *, again: bool = True) -> Failed | NotYet:
    """What a refusal means for money that was to move; `again`, whether another attempt may come to something else."""
    return NotYet(refusal.reason) if refusal.code in LATER_CODES else Failed(refusal.reason, again=again)


def _understood(error: stripe.StripeError) -> Exception:
    status = error.http_status
    said = f"Stripe answered {status} {error.code or ''}".strip()
    if isinstance(error, stripe.IdempotencyError):
        return ProviderError(f"{said}: the key was used for another request")
    if isinstance(error, stripe.RateLimitError) or status is None:
        return ProviderError(said if status else "no answer from Stripe: APIConnectionError")
    if status in (401, 403):
        return NotAllowed(said) if status == 403 else KeyRefused(said)
    if status in REFUSALS:
        return Refused(error.code or str(status), _reason(error))
    if status >= 500 and _header(error, "idempotent-replayed") == "true":
        return StoredFault(said)
    return ProviderError(said)


def _reason(error: stripe.StripeError) -> str:
    """In words for people. A decline's own message is written for the payer; others are written for programmers."""
    if isinstance(error, stripe.CardError):
        return error.user_message or "The card was declined."
    return f"Stripe refused: {error.code or error.http_status}"


def _header(error: stripe.StripeError, name: str) -> str:
    headers: dict[str, Any] = {str(key).lower(): value for key, value in dict(error.headers or {}).items()}
    return str(headers.get(name, "")).lower()
