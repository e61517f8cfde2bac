"""Is all that Earnest needs for the other provider: the port's `Provider` over its escrow objects, in one file.

A reference is our key, and what is refused because it was used is found by it. A transfer takes from escrow after escrow, each
part under a reference of its own, so that whoever repeats it goes on where it was cut off. What the provider would release by
itself has to have left before that: its days are the hold limit. What it did release came all the same, and lies in the
operator's wallet: no refund and no transfer takes it from there, a person does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from escrow.currencies import EXPONENTS
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
from escrow.payments.movements import Movement, MovementKind
from escrow.payments.results import (
    Answer,
    Failed,
    Found,
    Hint,
    NoticeRefused,
    OnboardingLink,
    PayeeState,
    Prepared,
    ProviderError,
    Reversal,
    ReversalStage,
    Reversed,
    Succeeded,
    Unknown,
)
from escrow.terms import Terms
from tests.stand_ins.vault.service import RELEASED, Json, LostAnswer, Vault

KINDS: Final = {
    "payment": MovementKind.CHARGE,
    "refund": MovementKind.REFUND,
    "release": MovementKind.TRANSFER,
    "return": MovementKind.TRANSFER_RETURNED,
}


class VaultProvider:
    """A `Provider` that keeps nothing: everything is found at the provider."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._terms = Terms(
            provider="vault", usual_hold_limit=timedelta(days=vault.release_after_days), needs_payees=True
        )

    @property
    def terms(self) -> Terms:
        """Money leaves before the provider releases it by itself."""
        return self._terms

    async def close(self) -> None:
        """It keeps no connections."""

    async def own_account(self) -> str | None:
        """One vault, one platform."""
        return None

    async def prepare(self, request: ChargeRequest) -> Prepared | Failed:
        """An escrow that nobody has paid into; it is known by the order, whichever attempt asks."""
        asked = {
            "reference": request.key,
            "amount": request.amount.amount,
            "currency": request.amount.currency,
            "group": request.group,
        }
        return Prepared(str((await self._made("/escrows", asked, request.key))["id"]))

    async def confirm(self, provider_id: str, request: ChargeRequest) -> Answer:
        """Paid into once: an escrow that isn't open any more says what it has become."""
        await self._call("POST", f"/escrows/{provider_id}/fund", {"token": request.token or "none"})
        return _as_answer(await self._escrow(provider_id))

    async def cancel(self, provider_id: str, *, key: str) -> Found:
        """Closed, unless it was paid into."""
        await self._call("POST", f"/escrows/{provider_id}/close")
        return await self._escrow(provider_id)

    async def refund(self, request: RefundRequest) -> Answer:
        """Out of the escrow that the money came into."""
        if request.charge_id is None:
            return Failed("there is no escrow that it came into", again=False)
        answer = await self._left(f"/escrows/{request.charge_id}/refunds", request, request.key, {})
        if not isinstance(answer, Failed):
            return answer
        _, escrow = await self._call("GET", f"/escrows/{request.charge_id}")
        return replace(answer, again=escrow["status"] != RELEASED)

    async def transfer(self, request: TransferRequest) -> Answer:
        """From as many escrows as it takes, newest first."""
        missing = request.amount.minor - await self._sum_of(request.key, "release")
        for name in request.charge_ids:
            _, escrow = await self._call("GET", f"/escrows/{name}")
            part = min(missing, _money(escrow["left"], escrow["currency"]).minor)
            if part <= 0:
                continue
            asked = {"amount": Money(part, request.amount.currency).amount, "wallet": request.payee_id}
            answer = await self._left(f"/escrows/{name}/releases", request, f"{request.key}/{name}", asked)
            if not isinstance(answer, Succeeded):
                return answer
            missing -= part
        return Succeeded(request.amount, request.key) if missing == 0 else Failed("the escrows have less")

    async def _sum_of(self, key: str, kind: str) -> int:
        """What parts of this call there are already, together."""
        _, found = await self._call("GET", "/movements")
        parts = [one for one in found["items"] if one["kind"] == kind and one["reference"].startswith(f"{key}/")]
        return abs(sum(_money(one["amount"], one["currency"]).minor for one in parts))

    async def payout(self, request: PayoutRequest) -> Answer:
        """From the payee's wallet to its bank."""
        asked = {"wallet": request.payee_id}
        return await self._left(f"/wallets/{request.payee_id}/withdrawals", request, request.key, asked)

    async def take_back(self, request: TakeBackRequest) -> Answer:
        """Into the escrows that it came from."""
        _, found = await self._call("GET", "/movements")
        for one in [one for one in found["items"] if one["reference"].startswith(f"{request.transfer_id}/")]:
            escrow = one["reference"].rpartition("/")[2]
            asked = {"escrow": escrow, "amount": one["amount"].removeprefix("-")}
            answer = await self._left(f"/wallets/{request.payee_id}/returns", request, f"{request.key}/{escrow}", asked)
            if not isinstance(answer, Succeeded):
                return answer
        return Succeeded(request.amount, request.key)

    async def look_up(self, sought: Sought) -> Found:
        """By the reference; a transfer by the parts that it has, of which too few mean that it was cut off."""
        if sought.of_any_attempt:
            return await self._of_any_attempt(sought)
        key = sought.provider_id or sought.key
        match sought.step:
            case Step.PREPARE | Step.CONFIRM | Step.CANCEL:
                return Unknown() if sought.provider_id is None else await self._escrow(sought.provider_id)
            case Step.TRANSFER | Step.TAKE_BACK:
                kind = "release" if sought.step is Step.TRANSFER else "return"
                whole = await self._sum_of(key, kind) == sought.amount.minor
                return Succeeded(sought.amount, key) if whole else Unknown()
            case Step.REFUND | Step.PAYOUT:
                status, made = await self._call("GET", "/by-reference", {"reference": key})
                if status == 404:
                    return Unknown()
                bounced = made.get("status") == "bounced"
                paid = Succeeded(_money(made["amount"], sought.amount.currency), key)
                return Failed("it bounced", key) if bounced else paid

    async def _of_any_attempt(self, sought: Sought) -> Found:
        _, found = await self._call("GET", "/references", {"begins": f"{sought.order_id}/"})
        keys = {"/".join(one.split("/")[:3]): None for one in reversed(found["items"])}
        for key in [one for one in keys if one.endswith(f"/{sought.step.value.lower()}")]:
            came = await self.look_up(replace(sought, key=key, of_any_attempt=False))
            if isinstance(came, Succeeded):
                return came
        return Unknown()

    async def open_payee(self, account_id: str, *, key: str) -> str:
        """A wallet, by the account's own identifier: there is never a second."""
        return str((await self._made("/wallets", {"reference": account_id}, account_id))["id"])

    async def payee(self, payee_id: str) -> PayeeState:
        """Paid when it is known whose wallet it is."""
        _, wallet = await self._call("GET", f"/wallets/{payee_id}")
        return PayeeState(can_be_paid=wallet["known"], missing=() if wallet["known"] else ("identity",))

    async def onboarding_link(self, payee_id: str, *, return_url: str | None) -> OnboardingLink:
        """The provider's own page, always the same."""
        return OnboardingLink(f"https://vault.example/wallets/{payee_id}")

    async def movements(self, since: datetime) -> AsyncIterator[Movement]:
        """As they are listed: oldest first."""
        _, found = await self._call("GET", "/movements", {"since": int(since.timestamp())})
        for one in found["items"]:
            yield _movement(one)

    async def balance(self) -> Sequence[Money]:
        """It tells none but by its movements."""
        return [_money(str(self._vault.balance()), "USD")]

    @property
    def ahead(self) -> timedelta:
        """It doesn't say."""
        return timedelta(0)

    def notice(self, body: bytes, headers: Mapping[str, str]) -> Sequence[Hint]:
        """It sends none: whoever says so is a stranger."""
        raise NoticeRefused("this provider sends no notices")

    async def notices(self) -> Sequence[Hint]:
        """It is asked for news."""
        _, found = await self._call("GET", "/news")
        return [
            Hint(payee_id=one["wallet"]) if "wallet" in one else Hint(order_id=one["reference"].partition("/")[0])
            for one in found["items"]
        ]

    async def _call(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        try:
            return await self._vault.call(method, path, body)
        except LostAnswer:
            raise ProviderError("the answer was lost") from None

    async def _made(self, path: str, asked: Json, reference: str) -> Json:
        """What the call made, or what one before it made with the same reference."""
        status, answer = await self._call("POST", path, asked)
        if status == 409:
            _, answer = await self._call("GET", "/by-reference", {"reference": reference})
        return answer

    async def _left(self, path: str, request: Request, reference: str, asked: Json) -> Answer:
        """Money left, now or by the same reference before."""
        told = {
            "amount": request.amount.amount,
            "currency": request.amount.currency,
            "reference": reference,
            "group": request.group,
        }
        status, answer = await self._call("POST", path, told | asked)
        if status in (201, 409):
            return Succeeded(request.amount, reference)
        return Failed(str(answer["error"]))

    async def _escrow(self, name: str) -> Found:
        status, escrow = await self._call("GET", f"/escrows/{name}")
        if status == 404:
            return Unknown()
        came = Succeeded(_money(escrow["amount"], escrow["currency"]), name)
        match escrow["status"]:
            case "open":
                return Prepared(name)
            case "refused" | "closed" as why:
                return Failed(f"the escrow is {why}", name)
            case _ if "chargeback" in escrow:
                stage = ReversalStage(escrow["chargeback"].upper())
                return Reversed(came, Reversal(stage=stage, amount=came.amount, provider_id=f"{name}/chargeback"))
            case _:
                return came


def _as_answer(found: Found) -> Answer:
    match found:
        case Reversed(charge):
            return charge
        case Unknown() | Prepared():
            raise ProviderError("the escrow was not paid into")
        case _:
            return found


def _money(text: str, currency: str) -> Money:
    return Money(int(Decimal(text).scaleb(EXPONENTS[currency])), currency)


def _movement(one: Json) -> Movement:
    amount, fee = _money(one["amount"], one["currency"]), _money(one["fee"], one["currency"])
    kind = KINDS.get(one["kind"])
    if kind is None:
        kind = MovementKind.REVERSAL if amount.minor < 0 else MovementKind.REVERSAL_RETURNED
    return Movement(
        id=one["id"],
        kind=kind,
        at=datetime.fromtimestamp(one["at"], UTC),
        amount=amount,
        fee=fee,
        net=Money(amount.minor - fee.minor, amount.currency),
        source_id=one["reference"],
        order_id=one["reference"].partition("/")[0],
        group=one["group"],
    )
