"""Is the port's `Provider` over Stripe: what each of its calls asks of Stripe, and what the answers mean.

Three things keep money safe beside the port's own rules. A decline is definite only when the PaymentIntent is canceled, since
the payer's page could still pay it. A transfer asks charge after charge, newest first, and at last the balance, each under a
key of its own, numbered: whoever repeats it meets its own success first, and if another charge has come in between, a key that
was used for something else, which is no answer. And everything that we make bears its key, order and contract as metadata, by
which it is found again when its answer was lost.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from escrow.money import Money
from escrow.payments.calls import (
    ChargeRequest,
    PayoutRequest,
    RefundRequest,
    Request,
    Sought,
    Step,
    TakeBackRequest,
    TransferRequest,
)
from escrow.payments.movements import Movement
from escrow.payments.results import (
    Answer,
    Failed,
    Found,
    Hint,
    NotYet,
    OnboardingLink,
    PayeeState,
    Prepared,
    ProviderError,
    Reversed,
    Succeeded,
    Unknown,
)
from escrow.payments.stripe import objects, signed, transactions
from escrow.payments.stripe.amounts import to_stripe
from escrow.payments.stripe.client import (
    NEVER_CODES,
    PAGE,
    PAYEE_CODES,
    UNKNOWN_CODES,
    Client,
    Json,
    Refused,
    made_by,
    refused,
)
from escrow.stripe_access import PayoutsBy, StripeAccess
from escrow.terms import Terms

CHARGES_MAX: Final = 5
"""Of how many charges a transfer is asked, before the balance is."""

WITH_MONEY: Final = ["latest_charge.balance_transaction"]


class Stripe:
    """A `Provider`. It keeps connections: `close` when nobody calls it any more."""

    def __init__(self, access: StripeAccess) -> None:
        self._access = access
        self._client = Client(access)
        self._v1 = self._client.v1
        self._terms = objects.terms_of(access)

    @property
    def terms(self) -> Terms:
        """What Stripe allows a platform of this country."""
        return self._terms

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.close()

    async def own_account(self) -> str | None:
        """The one that the key is of."""
        return await self._client.own_account()

    # Charges.

    async def prepare(self, request: ChargeRequest) -> Prepared | Failed:
        """A PaymentIntent that nobody has confirmed."""
        by = objects.BY_US if request.token is not None else objects.BY_PAYER
        params: Json = {
            "amount": to_stripe(request.amount),
            "currency": request.amount.currency.lower(),
            "transfer_group": request.group,
            "metadata": {**_metadata(request), "client": request.client_id, "confirmed_by": by},
            "automatic_payment_methods": {"enabled": True},
        }
        try:
            intent = await self._client.asked(self._v1.payment_intents.create_async(_params(params), _key(request.key)))
        except Refused as refusal:
            return Failed(refusal.reason)
        return Prepared(intent["id"])

    async def confirm(self, provider_id: str, request: ChargeRequest) -> Answer:
        """Take the money, or say what the payer must do; a payer who gives the means of payment confirms it too."""
        if request.token is None:
            return _answer(await self._charge(provider_id, request.key))
        params: Json = {
            "payment_method": request.token,
            "return_url": request.return_url or self._access.return_url,
            "expand": WITH_MONEY,
        }
        try:
            call = self._v1.payment_intents.confirm_async(provider_id, _params(params), _key(request.key))
            intent = await self._client.asked(call)
        except Refused as refusal:
            return await self._after_refusal(provider_id, request.key, refusal)
        return _answer(await self._known(intent, request.key))

    async def _after_refusal(self, provider_id: str, key: str, refusal: Refused) -> Answer:
        """What was confirmed already says so; what was declined, or can't be confirmed at all, is given up."""
        found = await self._charge(provider_id, key)
        if isinstance(found, Prepared):
            found = await self._give_up(provider_id, key)
        if isinstance(found, Failed):
            return Failed(refusal.reason, provider_id)
        return _answer(found)

    async def cancel(self, provider_id: str, *, key: str) -> Found:
        """Give it up, unless it has succeeded or is on its way."""
        return await self._give_up(provider_id, key)

    async def _give_up(self, provider_id: str, key: str) -> Found:
        params: Json = {"cancellation_reason": "abandoned"}
        try:
            # Whatever is canceled already, or succeeded, refuses: what it says of itself is the answer.
            call = self._v1.payment_intents.cancel_async(provider_id, _params(params), _fresh(f"{key}/give-up"))
            await self._client.asked(call)
        except Refused:
            pass
        intent = await self._intent(provider_id)
        return Unknown() if intent is None else await self._with_disputes(intent)

    async def _charge(self, provider_id: str, key: str) -> Found:
        intent = await self._intent(provider_id)
        return Unknown() if intent is None else await self._known(intent, key)

    async def _intent(self, provider_id: str) -> Json | None:
        params: Json = {"expand": WITH_MONEY}
        try:
            return await self._client.asked(self._v1.payment_intents.retrieve_async(provider_id, _params(params)))
        except Refused:
            return None

    async def _known(self, intent: Json, key: str) -> Found:
        """What a PaymentIntent has come to; one that failed is given up first, so that nobody pays it later."""
        if objects.charge_state(intent) is None:
            return await self._give_up(intent["id"], key)
        return await self._with_disputes(intent)

    async def _with_disputes(self, intent: Json) -> Found:
        state = objects.charge_state(intent)
        if state is None:
            raise ProviderError("a payment that failed could not be given up")
        if not isinstance(state, Succeeded):
            return state
        charge = objects.with_hold(state, intent, self._terms)
        latest = intent.get("latest_charge")
        if not isinstance(latest, dict) or not latest.get("disputed"):
            return charge
        params: Json = {"payment_intent": intent["id"], "limit": PAGE}
        disputes = [one async for one in self._client.all(self._v1.disputes.list_async(_params(params)))]
        return objects.reversed_by(charge, disputes)

    # Money out.

    async def refund(self, request: RefundRequest) -> Answer:
        """Of the payment that the money came by."""
        if request.charge_id is None:
            return Failed("The money came by no charge that Stripe knows.", again=False)
        params: Json = {
            "payment_intent": request.charge_id,
            "amount": to_stripe(request.amount),
            "metadata": _metadata(request),
        }
        try:
            made = await self._client.asked(self._v1.refunds.create_async(_params(params), _key(request.key)))
        except Refused as refusal:
            return refused(refusal, again=refusal.code not in NEVER_CODES)
        return objects.refund_state(made)

    async def transfer(self, request: TransferRequest) -> Answer:
        """From a charge of this contract that is large enough, whose money may still be on its way; else from the balance."""
        params: Json = {
            "amount": to_stripe(request.amount),
            "currency": request.amount.currency.lower(),
            "destination": request.payee_id,
            "transfer_group": request.group,
            "metadata": _metadata(request),
        }
        number = 0
        async for charge in self._charges(request):
            source: Json = {**params, "source_transaction": charge["id"]}
            number += 1
            try:
                call = self._v1.transfers.create_async(_params(source), _key(f"{request.key}/{number}"))
                return objects.moved(await self._client.asked(call), available_at=objects.available_at(charge))
            except Refused as refusal:
                if refusal.code in PAYEE_CODES:
                    return refused(refusal)
        try:
            call = self._v1.transfers.create_async(_params(params), _key(f"{request.key}/{number + 1}"))
            return objects.moved(await self._client.asked(call))
        except Refused as refusal:
            return refused(refusal)

    async def _charges(self, request: TransferRequest) -> AsyncIterator[Json]:
        """The charges that could pay for it by themselves, newest first; a deposit that comes may be one more."""
        for provider_id in request.charge_ids[:CHARGES_MAX]:
            intent = await self._intent(provider_id)
            charge = (intent or {}).get("latest_charge")
            if isinstance(charge, dict) and charge["paid"] and charge["amount"] >= to_stripe(request.amount):
                yield charge

    async def payout(self, request: PayoutRequest) -> Answer:
        """From the payee's balance to its bank, unless Stripe does so by the payee's own schedule."""
        if self._access.payouts_by is PayoutsBy.SCHEDULE:
            return Succeeded(request.amount)
        params: Json = {
            "amount": to_stripe(request.amount),
            "currency": request.amount.currency.lower(),
            "metadata": _metadata(request),
        }
        options: Json = {**_key(request.key), "stripe_account": request.payee_id}
        try:
            made = await self._client.asked(self._v1.payouts.create_async(_params(params), _params(options)))
        except Refused as refusal:
            answer = refused(refusal)
            return answer if isinstance(answer, Failed) else NotYet(answer.reason, await self._arrival_of(request))
        return objects.payout_state(made)

    async def _arrival_of(self, request: PayoutRequest) -> datetime | None:
        """When what the transfer brought can be paid out, if that is to come."""
        transfer = await self._client.asked(self._v1.transfers.retrieve_async(request.transfer_id))
        return (await self._moved(transfer)).available_at

    async def take_back(self, request: TakeBackRequest) -> Answer:
        """As far as the payee's balance covers it."""
        params: Json = {"amount": to_stripe(request.amount), "metadata": _metadata(request)}
        call = self._v1.transfers.reversals.create_async(request.transfer_id, _params(params), _key(request.key))
        try:
            return objects.moved(await self._client.asked(call))
        except Refused as refusal:
            return refused(refusal)

    # What became of it.

    async def look_up(self, sought: Sought) -> Found:
        """By the identifier, else by what was sent with the call. A charge without one may be prepared again. Of what another
        provider made, before this one was chosen, Stripe knows nothing."""
        try:
            return await self._found(sought)
        except Refused as refusal:
            if refusal.code in UNKNOWN_CODES:
                return Unknown()
            raise ProviderError(f"Stripe tells nothing of it: {refusal.code}") from None

    async def _found(self, sought: Sought) -> Found:
        match sought.step:
            case Step.PREPARE | Step.CONFIRM | Step.CANCEL:
                return Unknown() if sought.provider_id is None else await self._charge(sought.provider_id, sought.key)
            case Step.REFUND:
                found = await self._refund_of(sought)
                return Unknown() if found is None else objects.refund_state(found)
            case Step.TRANSFER:
                found = await self._transfer_of(sought)
                return Unknown() if found is None else await self._transferred(found)
            case Step.PAYOUT:
                if self._access.payouts_by is PayoutsBy.SCHEDULE:
                    return Succeeded(sought.amount)
                found = await self._payout_of(sought)
                return Unknown() if found is None else objects.payout_state(found)
            case Step.TAKE_BACK:
                found = await self._reversal_of(sought)
                return Unknown() if found is None else objects.moved(found)

    async def _refund_of(self, sought: Sought) -> Json | None:
        if sought.provider_id is not None:
            return await self._client.asked(self._v1.refunds.retrieve_async(sought.provider_id))
        if sought.charge_id is None:
            return None
        params: Json = {"payment_intent": sought.charge_id, "limit": PAGE}
        return await made_by(sought, self._client.all(self._v1.refunds.list_async(_params(params))))

    async def _transfer_of(self, sought: Sought) -> Json | None:
        if sought.provider_id is not None:
            return await self._client.asked(self._v1.transfers.retrieve_async(sought.provider_id))
        params: Json = {"transfer_group": sought.group, "limit": PAGE}
        return await made_by(sought, self._client.all(self._v1.transfers.list_async(_params(params))))

    async def _transferred(self, transfer: Json) -> Succeeded | Failed:
        """What was taken back as a whole, by us or by hand, is with the platform."""
        if transfer["reversed"]:
            return Failed("The transfer was taken back.", transfer["id"])
        return await self._moved(transfer)

    async def _moved(self, transfer: Json) -> Succeeded:
        source = transfer.get("source_transaction")
        if source is None:
            return objects.moved(transfer)
        params: Json = {"expand": ["balance_transaction"]}
        charge = await self._client.asked(self._v1.charges.retrieve_async(source, _params(params)))
        return objects.moved(transfer, available_at=objects.available_at(charge))

    async def _payout_of(self, sought: Sought) -> Json | None:
        if sought.payee_id is None:
            return None
        options: Json = {"stripe_account": sought.payee_id}
        if sought.provider_id is not None:
            call = self._v1.payouts.retrieve_async(sought.provider_id, None, _params(options))
            return await self._client.asked(call)
        params: Json = {"limit": PAGE}
        if sought.transfer_id is not None:
            transfer = await self._client.asked(self._v1.transfers.retrieve_async(sought.transfer_id))
            params["created"] = {"gte": transfer["created"]}
        found = self._client.all(self._v1.payouts.list_async(_params(params), _params(options)))
        return await made_by(sought, found)

    async def _reversal_of(self, sought: Sought) -> Json | None:
        if sought.transfer_id is None:
            return None
        params: Json = {"limit": PAGE}
        call = self._v1.transfers.reversals.list_async(sought.transfer_id, _params(params))
        return await made_by(sought, self._client.all(call))

    # Payees.

    async def open_payee(self, account_id: str, *, key: str) -> str:
        """An account whose owner gives Stripe what it wants on Stripe's own pages. Losses and fees are the platform's."""
        params: Json = {
            "controller": {
                "fees": {"payer": "application"},
                "losses": {"payments": "application"},
                "requirement_collection": "stripe",
                "stripe_dashboard": {"type": "express"},
            },
            "capabilities": {"transfers": {"requested": True}},
            "metadata": {"account": account_id},
        }
        if self._access.payouts_by is PayoutsBy.ORDER:
            params["settings"] = {"payouts": {"schedule": {"interval": "manual"}}}
        try:
            return str((await self._client.asked(self._v1.accounts.create_async(_params(params), _key(key))))["id"])
        except Refused as refusal:
            raise ProviderError(f"Stripe made no account: {refusal.code}") from None

    async def payee(self, payee_id: str) -> PayeeState:
        """As Stripe says now."""
        try:
            return objects.payee_state(await self._client.asked(self._v1.accounts.retrieve_async(payee_id)))
        except Refused as refusal:
            raise ProviderError(f"Stripe tells nothing of the account: {refusal.code}") from None

    async def onboarding_link(self, payee_id: str, *, return_url: str | None) -> OnboardingLink:
        """An address for minutes; who comes too late is sent back as well, and asks for another."""
        back = return_url or self._access.return_url
        params: Json = {"account": payee_id, "type": "account_onboarding", "return_url": back, "refresh_url": back}
        try:
            call = self._v1.account_links.create_async(_params(params), _fresh(f"{payee_id}/link"))
            return objects.link(await self._client.asked(call))
        except Refused as refusal:
            raise ProviderError(f"Stripe made no link: {refusal.code}") from None

    # Books and news.

    def movements(self, since: datetime) -> AsyncIterator[Movement]:
        """Stripe lists the newest first: all of them are read before the oldest is given."""
        return transactions.movements(self._client, since)

    async def balance(self) -> Sequence[Money]:
        """What is available and what isn't yet, together."""
        return await transactions.balance(self._client)

    @property
    def ahead(self) -> timedelta:
        """By the date of its last answer."""
        return self._client.ahead

    def notice(self, body: bytes, headers: Mapping[str, str]) -> Sequence[Hint]:
        """Signed by one of the secrets, and not too old."""
        return signed.hints(body, headers.get("stripe-signature", ""), self._access.webhook_secrets)

    async def notices(self) -> Sequence[Hint]:
        """None: Stripe sends its notices."""
        return ()


def _answer(found: Found) -> Answer:
    """What a call may answer, of what a look-up may find."""
    match found:
        case Reversed(charge):
            return charge
        case Unknown():
            raise ProviderError("Stripe doesn't know the payment")
        case Prepared(provider_id):
            raise ProviderError(f"the payment {provider_id} was not confirmed")
        case _:
            return found


def _metadata(request: Request) -> Json:
    return {"key": request.key, "order": request.order_id, "group": request.group}


def _key(key: str) -> Any:
    return {"idempotency_key": key}


def _fresh(key: str) -> Any:
    """For what comes to the same however often it is done: a fault that Stripe stores under a key would bar it for a day."""
    return _key(f"{key}/{datetime.now(UTC).timestamp()}")


def _params(params: Json) -> Any:
    """Stripe's library describes parameters as typed dicts; what we send is checked against its own description in the tests."""
    return params
