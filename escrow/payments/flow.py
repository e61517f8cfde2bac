"""Brings one order forward at the provider: which call comes next, and what has become of the ones before.

What may have been called is looked up before anything else, and called again only with the same key, and only while the
provider is sure to remember it. A new key comes after a definite failure alone: a fault that the provider stored under a key
is none, since what it had done by then may turn up later than a look-up tells. What can't be told by either way raises
`Uncertain`: a person finds out.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from escrow.payments import leases
from escrow.payments.calls import (
    CALL_SECONDS_MAX,
    ChargeRequest,
    PayoutRequest,
    RefundRequest,
    Sought,
    Step,
    TakeBackRequest,
    TransferRequest,
    key_of,
)
from escrow.payments.leases import Call, Claimed, Learned, LeaseLost
from escrow.payments.movements import MovementKind
from escrow.payments.provider import Provider
from escrow.payments.results import (
    Answer,
    Failed,
    Found,
    NeedsAction,
    NotYet,
    Pending,
    Prepared,
    ProviderError,
    StoredFault,
    Succeeded,
    Unknown,
)
from escrow.payments.tokens_at_rest import unseal
from escrow.states import OrderKind, OrderState

TRY_AGAIN_SECONDS: Final = 60.0
"""A refund that failed gets another attempt after this long, doubled for each; never sooner than after half of it."""

FORGETTING_MARGIN: Final = timedelta(hours=1)
"""So long before a key may be forgotten it isn't used any more: our clock and the provider's differ, and calls take time."""

PAYEE_PATIENCE: Final = timedelta(minutes=15)
"""How long a payout whose payee can't be paid yet is left alone at most."""

MOVES: Final = {Step.REFUND: MovementKind.REFUND, Step.TRANSFER: MovementKind.TRANSFER}
"""What the steps that take money out of the platform's balance are in the provider's books."""


class Uncertain(Exception):
    """Nobody here can find out what became of the order, or set right what did: it takes a person. The message is for everybody
    who sees the order, and none of it is the provider's."""

    def __init__(self, call: Call | None, message: str, *, said: str | None = None) -> None:
        super().__init__(message)
        self.call = call
        """What is over once the person said that nothing came of it."""
        self.said = said
        """The provider's own words, for whose money it is and for the operator."""


@dataclass(slots=True)
class Work:
    """An order under way, with what was learned of its newest call and isn't noted yet."""

    order: Claimed
    provider: Provider
    learned: Learned | None = None
    moved: bool = False
    """Whether a call was made that may have moved money."""
    is_held_up: bool = False
    """Whether it is only looked up: it must wait since money has left its contract for orders that were lost, or since the client
    may have the money from the bank."""
    ids: dict[Step, str] = field(default_factory=dict)
    """What the provider calls what this worker had it make."""

    @property
    def may_call(self) -> bool:
        """Whether money may be moved for it now."""
        return self.order.wanted and not self.is_held_up

    async def carry_out(self) -> Found | NotYet:
        """As far as it goes now. Raises `Uncertain`, `LeaseLost`, and whatever a provider raises."""
        match self.order.kind:
            case OrderKind.DEPOSIT:
                return await self._deposit()
            case OrderKind.REFUND:
                return await self._refund()
            case OrderKind.PAYOUT:
                return await self._payout()

    # -- deposits: prepared, stored, confirmed ------------------------------------------------------------------------

    async def _deposit(self) -> Found | NotYet:
        order = self.order
        call = order.last(Step.PREPARE)
        if order.may_be_known and (call is None or call.provider_id is None):
            call = await self._charge_that_moved(call)
        if call is None or call.provider_id is None:
            return (
                await self._make_charge(call) if order.wanted else Failed("it was given up before anything was taken")
            )
        found = await self._look_up(call, Step.CONFIRM)
        if order.wanted:
            return await self._confirm(call.provider_id) if isinstance(found, Prepared) else found
        if isinstance(found, Prepared | NeedsAction) and order.state is not OrderState.PAID:
            async with self._time_limit():
                return await self.provider.cancel(call.provider_id, key=self._fresh_key(Step.CANCEL))
        return found

    async def _charge_that_moved(self, call: Call | None) -> Call | None:
        """The charge that a cut of the log lost, as the provider's books name it; what is known already if they don't."""
        moved = await leases.what_moved(self.order, MovementKind.CHARGE)
        if not moved:
            return call
        call = call or await self._begin(Step.PREPARE, 1)
        await leases.go_on(self.order, learned=Learned(call=call, provider_id=moved[0]))
        return replace(call, provider_id=moved[0])

    async def _make_charge(self, call: Call | None) -> Found | NotYet:
        """Preparing moves nothing, so it may be repeated, with another key once the first one is of no use: after a fault that
        is stored under it, too."""
        if self._may_have_been_lost(call or Call(Step.PREPARE, 1)):
            return Failed(
                "the deployment was restored, and whether it was charged can't be told any more: deposit it anew"
            )
        if call is None or call.is_over:
            call = await self._begin(Step.PREPARE, call.attempt + 1 if call is not None else 1)
        try:
            async with self._time_limit():
                prepared = await self.provider.prepare(self._charge_request(self.order.key(call)))
        except StoredFault:
            self.learned = Learned(call=call, is_over=True)
            raise
        if isinstance(prepared, Failed):
            return prepared
        await leases.go_on(self.order, learned=Learned(call=call, provider_id=prepared.provider_id))
        return await self._confirm(prepared.provider_id)

    async def _confirm(self, provider_id: str) -> Answer:
        """With a key of its own each time, so that no stored fault is repeated: its identifier keeps it from moving twice."""
        async with self._time_limit():
            return await self.provider.confirm(provider_id, self._charge_request(self._fresh_key(Step.CONFIRM)))

    def _charge_request(self, key: str) -> ChargeRequest:
        order = self.order
        return ChargeRequest(
            key=key,
            order_id=order.name,
            group=order.contract_id,
            amount=order.amount,
            token=unseal(order.payment_token, order_id=order.id) if order.payment_token is not None else None,
            client_id=order.client_id,
        )

    def _fresh_key(self, step: Step) -> str:
        return key_of(self.order.name, self.order.attempts, step)

    # -- refunds: one call, found by their charge ---------------------------------------------------------------------

    async def _refund(self) -> Found | NotYet:
        found = await self._obtain(Step.REFUND, may_call=self.may_call)
        call = self.order.last(Step.REFUND)
        if not isinstance(found, Failed) or call is None or call.is_fresh or not self.may_call or self.moved:
            return found
        if call.is_over and call.seconds_ago >= TRY_AGAIN_SECONDS / 2:
            return await self._call_first(await self._begin(Step.REFUND, call.attempt + 1))
        return found

    # -- payouts: a transfer to the payee, then the payout from there ---------------------------------------------------

    async def _payout(self) -> Found | NotYet:
        order = self.order
        if self.provider.terms.needs_payees and not order.payee_can_be_paid and not order.calls:
            return _waits_for_the_payee(order)
        # What a person looks into may turn up: then it goes on, but nothing that was called is called again.
        goes_on = order.wanted or (order.is_stuck and order.state is OrderState.STARTED)
        if order.last(Step.PAYOUT) is None:
            brought = await self._obtain(Step.TRANSFER, may_call=self.may_call)
            if not isinstance(brought, Succeeded) or order.state is OrderState.PAID:
                return brought
            if not goes_on:
                return await self._take_back(Failed("it turned up after it was given up"))
            if brought.amount != order.amount:
                raise Uncertain(None, f"its transfer moved {brought.amount} instead of {order.amount}")
        paid = await self._obtain(Step.PAYOUT, may_call=self.may_call, may_begin=goes_on and not self.is_held_up)
        call = order.last(Step.PAYOUT)
        if isinstance(paid, Unknown) and order.state is OrderState.FAILED and call is not None and call.is_over:
            return await self._take_back(Failed("a person said that it never happened"))
        return await self._take_back(paid) if isinstance(paid, Failed) else paid

    async def _take_back(self, failed: Failed) -> Found | NotYet:
        """A payout has failed once its money is back in the platform's balance: only then the books may call it payable. While a
        person looks into it that may begin, too, but isn't called again."""
        if await self._is_back():
            return failed
        before = self.order.last(Step.TAKE_BACK)
        taken = await self._obtain(Step.TAKE_BACK, may_call=not self.order.is_stuck, may_begin=True)
        if isinstance(taken, Failed):
            if self.order.state is OrderState.FAILED and before is not None and before.is_over:
                return failed  # a person was told already, and said so
            raise Uncertain(
                None,
                "the payout failed, and its transfer doesn't come back from the payee",
                said=f"{failed.reason}; {taken.reason}",
            )
        if not isinstance(taken, Succeeded):
            return taken
        if taken.amount != self.order.amount and self.order.state is not OrderState.FAILED:
            raise Uncertain(None, f"its transfer came back as {taken.amount} instead of {self.order.amount}")
        return failed

    async def _is_back(self) -> bool:
        """Whether the provider says that the transfer has come back already, whoever took it: a person may have."""
        brought = self.order.last(Step.TRANSFER)
        return brought is not None and isinstance(await self._look_up(brought, Step.TRANSFER), Failed)

    # -- any call that moves money by itself --------------------------------------------------------------------------

    async def _obtain(self, step: Step, *, may_call: bool, may_begin: bool = False) -> Found | NotYet:
        """What came of a step; it is called if nobody has, and again if that is safe."""
        call = self.order.last(step)
        if call is None:
            return await self._call_first(await self._begin(step, 1)) if may_call or may_begin else Unknown()
        if call.is_fresh:
            return await self._call_first(call)
        found = await self._look_up(call, step)
        if not isinstance(found, Unknown):
            self._learn(call, found)
            return found
        if not may_call:
            return found
        if call.is_over:
            return await self._call_first(await self._begin(step, call.attempt + 1))
        if call.provider_id is not None:
            raise Uncertain(call, "the provider no longer knows what it said that it made")
        if self._may_be_forgotten(call):
            raise Uncertain(
                call, "the provider knows nothing of it and may have forgotten the key: another call could pay twice"
            )
        return await self._call_what_is_unknown(call)

    async def _call_first(self, call: Call) -> Found | NotYet:
        """For the first time by these books, which may have lost that it was made already: then it is looked up first."""
        if self.order.may_be_known and not isinstance(found := await self._look_up(call, call.step), Unknown):
            self._learn(call, found)
            return found
        return await self._call_what_is_unknown(call)

    async def _call_what_is_unknown(self, call: Call) -> Found | NotYet:
        """A call that the provider doesn't know by its key, unless the books lost that it was made by another one.

        That a call was noted says nothing of that: whoever noted it may have been interrupted before this was looked at.
        """
        if self.order.may_be_known:
            call, found = await self._later_attempt(call)
            if not isinstance(found, Unknown):
                self._learn(call, found)
                return found
            if self._may_have_been_lost(call):
                raise Uncertain(
                    call, "the deployment was restored, and the provider may have forgotten its key: it could pay twice"
                )
        return await self._call(call)

    async def _later_attempt(self, call: Call) -> tuple[Call, Found]:
        """What another attempt moved of which these books know nothing; it becomes this call's, whatever attempt it was. The call
        itself if none did.

        The provider's books name it, or the provider finds it by the order.
        """
        known = {one.provider_id for one in self.order.calls}
        moved = await leases.what_moved(self.order, MOVES[call.step]) if call.step in MOVES else []
        for provider_id in moved:
            named = replace(call, provider_id=provider_id)
            if provider_id not in known and _has_moved(found := await self._look_up(named, call.step)):
                return named, found
        found = await self._look_up(call, call.step, of_any_attempt=True)
        return (call, found) if _has_moved(found) else (call, Unknown())

    def _may_have_been_lost(self, call: Call) -> bool:
        """Whether a call with this key may be one that the provider has forgotten, unless a person has said that it isn't."""
        lifetime, order = self.provider.terms.key_lifetime, self.order
        if lifetime is None or order.lost_for_seconds is None or order.is_known_as_uncalled:
            return False
        if order.was_begun_since_the_cut(call.step, call.attempt):
            return False
        return timedelta(seconds=order.lost_for_seconds) > lifetime - FORGETTING_MARGIN

    async def _call(self, call: Call) -> Answer:
        self.moved = True
        async with self._time_limit():
            answer = await self._send(call)
        self._learn(call, answer)
        return answer

    async def _send(self, call: Call) -> Answer:
        order, provider = self.order, self.provider
        key, group = order.key(call), order.contract_id
        match call.step:
            case Step.REFUND:
                return await provider.refund(
                    RefundRequest(
                        key=key, order_id=order.name, group=group, amount=order.amount, charge_id=order.charge_id
                    )
                )
            case Step.TRANSFER:
                return await provider.transfer(
                    TransferRequest(
                        key=key,
                        order_id=order.name,
                        group=group,
                        amount=order.amount,
                        payee_id=order.payee,
                        charge_ids=tuple(order.charge_ids),
                    )
                )
            case _:
                kind = PayoutRequest if call.step is Step.PAYOUT else TakeBackRequest
                request = kind(
                    key=key,
                    order_id=order.name,
                    group=group,
                    amount=order.amount,
                    payee_id=order.payee,
                    transfer_id=self._transfer_id(),
                )
                if isinstance(request, PayoutRequest):
                    return await provider.payout(request)
                return await provider.take_back(request)

    def _transfer_id(self) -> str:
        brought = self.order.last(Step.TRANSFER)
        known = self.ids.get(Step.TRANSFER) or (brought.provider_id if brought is not None else None)
        if known is None:
            raise ProviderError("what the provider calls the transfer is not known")
        return known

    async def _look_up(self, call: Call, step: Step, *, of_any_attempt: bool = False) -> Found:
        order = self.order
        transfer = order.last(Step.TRANSFER)
        sought = Sought(
            step=step,
            key=order.key(call),
            order_id=order.name,
            group=order.contract_id,
            amount=order.amount,
            provider_id=call.provider_id,
            charge_id=order.charge_id,
            payee_id=order.payee if order.kind is OrderKind.PAYOUT else None,
            transfer_id=transfer.provider_id if transfer is not None else None,
            of_any_attempt=of_any_attempt,
        )
        async with self._time_limit():
            return await self.provider.look_up(sought)

    async def _begin(self, step: Step, attempt: int) -> Call:
        begun = await leases.go_on(self.order, learned=self.learned, begin=(step, attempt))
        assert begun is not None  # noqa: S101 - for the type checker: it was to begin
        return begun

    def _learn(self, call: Call, found: Found | NotYet) -> None:
        provider_id = getattr(found, "provider_id", "") or None
        over = isinstance(found, Failed | NotYet)
        self.learned = Learned(call=call, provider_id=provider_id, is_over=over)
        if provider_id is not None:
            self.ids[call.step] = provider_id

    def _may_be_forgotten(self, call: Call) -> bool:
        lifetime = self.provider.terms.key_lifetime
        return lifetime is not None and timedelta(seconds=call.seconds_ago) > lifetime - FORGETTING_MARGIN

    def _time_limit(self) -> asyncio.Timeout:
        if time.monotonic() + CALL_SECONDS_MAX > self.order.lease_ends:
            raise LeaseLost(self.order.id)
        return asyncio.timeout(CALL_SECONDS_MAX)


def _has_moved(found: Found) -> bool:
    return isinstance(found, Succeeded | Pending)


def _waits_for_the_payee(order: Claimed) -> NotYet:
    """Nothing was called; whoever notes that the payee can be paid wakes the order sooner."""
    waits = f", it waits for {', '.join(order.payee_misses)}" if order.payee_misses else ""
    return NotYet(f"the provider can't pay the payee yet{waits}", datetime.now(UTC) + PAYEE_PATIENCE)
