"""Stands before a payment provider and watches: each call is counted, timed, marked as a span and told by a line of the log.

What it says of an answer is its kind alone; the words of providers and payers stay out of the log. Only asking for news
(`notices`), which happens several times a second and mostly asks nobody, is no call.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from escrow import meters, spans
from escrow.money import Money
from escrow.payments import own_account
from escrow.payments.calls import (
    ChargeRequest,
    PayoutRequest,
    RefundRequest,
    Sought,
    TakeBackRequest,
    TransferRequest,
)
from escrow.payments.movements import Movement
from escrow.payments.provider import Provider
from escrow.payments.results import Answer, Failed, Found, Hint, OnboardingLink, PayeeState, Prepared
from escrow.spans import Kind
from escrow.terms import Terms

T = TypeVar("T")

NO_ANSWER: Final = "no_answer"
"""What a call came to that raised: nobody knows yet."""

READ: Final = "Read"
"""What a call came to that was answered by plain words or sums."""

_CALLS: Final = meters.Counter(
    "earnest_provider_calls", "Calls to the payment provider by what was asked and what was answered", "call", "outcome"
)
_SECONDS: Final = meters.Histogram("earnest_provider_seconds", "How long the payment provider took to answer", "call")

_log = logging.getLogger(__name__)


class _Call:
    """One call while it goes on, and what is noted of it when it ends."""

    def __init__(self, name: str, answered: str | None = None, **said: str) -> None:
        self.name, self._answered, self._said = name, answered, said
        self.outcome = NO_ANSWER
        self._seconds = 0.0

    async def wait_for(self, answer: Awaitable[T]) -> T:
        """Wait for the provider; what its caller does between two parts of an answer is not on the clock."""
        began, self.outcome = time.perf_counter(), NO_ANSWER
        try:
            found = await answer
        finally:
            self._seconds += time.perf_counter() - began
        self.outcome = self._answered or type(found).__name__
        return found

    def end(self) -> None:
        """Count it, and tell the log."""
        _CALLS.add(self.name, self.outcome)
        _SECONDS.observe(self._seconds, self.name)
        told = {"call": self.name, "outcome": self.outcome, "ms": round(self._seconds * 1000, 1)}
        _log.info("provider", extra={**told, **self._said})


class Watched:
    """A `Provider` that asks another one."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._terms = provider.terms
        self._is_settled = False

    @property
    def terms(self) -> Terms:
        """The other's, under the name that its calls bear once it was asked anything."""
        return self._terms

    async def settle(self) -> None:
        """Find out whose money the key moves, once: nothing that is of an order is asked before. Raises `ProviderError`."""
        if not self._is_settled:
            self._terms = await own_account.settled(self)
            self._is_settled = True

    async def close(self) -> None:
        await self._provider.close()

    async def _watch(self, call: str, answer: Coroutine[Any, Any, T], **said: str) -> T:
        try:
            await self.settle()
        except BaseException:
            answer.close()
            raise
        return await self._mark(_Call(call, **said), answer)

    async def _mark(self, call: _Call, answer: Coroutine[Any, Any, T]) -> T:
        with spans.span(f"provider {call.name}", Kind.CLIENT, earnest_provider=self.terms.provider) as span:
            try:
                return await call.wait_for(answer)
            except Exception as error:
                span.failed(type(error).__name__)
                raise
            finally:
                span.say(earnest_outcome=call.outcome)
                call.end()

    async def own_account(self) -> str | None:
        return await self._mark(_Call("own_account", READ), self._provider.own_account())

    async def prepare(self, request: ChargeRequest) -> Prepared | Failed:
        return await self._watch("prepare", self._provider.prepare(request), key=request.key)

    async def confirm(self, provider_id: str, request: ChargeRequest) -> Answer:
        return await self._watch("confirm", self._provider.confirm(provider_id, request), key=request.key)

    async def cancel(self, provider_id: str, *, key: str) -> Found:
        return await self._watch("cancel", self._provider.cancel(provider_id, key=key), key=key)

    async def refund(self, request: RefundRequest) -> Answer:
        return await self._watch("refund", self._provider.refund(request), key=request.key)

    async def transfer(self, request: TransferRequest) -> Answer:
        return await self._watch("transfer", self._provider.transfer(request), key=request.key)

    async def payout(self, request: PayoutRequest) -> Answer:
        return await self._watch("payout", self._provider.payout(request), key=request.key)

    async def take_back(self, request: TakeBackRequest) -> Answer:
        return await self._watch("take_back", self._provider.take_back(request), key=request.key)

    async def look_up(self, sought: Sought) -> Found:
        return await self._watch("look_up", self._provider.look_up(sought), key=sought.key)

    async def open_payee(self, account_id: str, *, key: str) -> str:
        return await self._watch("open_payee", self._provider.open_payee(account_id, key=key), key=key)

    async def payee(self, payee_id: str) -> PayeeState:
        return await self._watch("payee", self._provider.payee(payee_id))

    async def onboarding_link(self, payee_id: str, *, return_url: str | None) -> OnboardingLink:
        return await self._watch("onboarding_link", self._provider.onboarding_link(payee_id, return_url=return_url))

    async def movements(self, since: datetime) -> AsyncIterator[Movement]:
        """One reading is one call. It is no span: whatever its reader does between two movements would stand below it."""
        await self.settle()
        told, call = aiter(self._provider.movements(since)), _Call("movements", READ)
        try:
            while (movement := await call.wait_for(anext(told, None))) is not None:
                yield movement
        finally:
            call.end()

    async def balance(self) -> Sequence[Money]:
        """Asked by whoever only looks as well, so before it is known whose money it is."""
        return await self._mark(_Call("balance", READ), self._provider.balance())

    @property
    def ahead(self) -> timedelta:
        """The other's."""
        return self._provider.ahead

    def notice(self, body: bytes, headers: Mapping[str, str]) -> Sequence[Hint]:
        return self._provider.notice(body, headers)

    async def notices(self) -> Sequence[Hint]:
        return await self._provider.notices()


async def name_of(provider: Provider) -> str:
    """The name that its calls and its movements bear, which is known once it has told whose money the key moves. Raises
    `ProviderError`."""
    if isinstance(provider, Watched):
        await provider.settle()
    return provider.terms.provider
