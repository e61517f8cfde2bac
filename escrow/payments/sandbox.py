"""A payment provider that moves no money: it keeps its books in our database and behaves as it is told.

Like a real one it accepts a call and tells the result later, by notices that may be lost, doubled or late; it loses answers,
stores faults under a key, and forgets keys after a day. It runs on the real clock; the test clock means nothing to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

import orjson

from escrow.database import Record, fetch, fetch_row
from escrow.ids import Kind, is_a
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
    NoticeMalformed,
    NotYet,
    OnboardingLink,
    PayeeState,
    Prepared,
    ProviderError,
    Reversed,
    StoredFault,
    Unknown,
)
from escrow.payments.sandbox_behaviours import (
    AT_ONCE,
    ON_THE_TRANSFER,
    ONLY_THE_FIRST,
    Behaviour,
    FirstCall,
    Pace,
    Payer,
    Result,
    by_amount,
    by_token,
)
from escrow.payments.sandbox_books import CHANGE_OF_MIND_SECONDS, found, movements
from escrow.terms import Terms

SETTLE_SECONDS: Final = 0.3
"""From the call to the result, unless told otherwise."""

SLOW_SECONDS: Final = 10.0
"""The same for what is told to be slow: long enough to cancel, to expire by the test clock, or to kill a worker."""

ACT_SECONDS: Final = 2.0
"""How long a payer takes who has to do something."""

KEY_LIFETIME: Final = timedelta(hours=24)
"""After so long a key is forgotten, and a call with it moves money again."""

ACTION_SECONDS: Final = 600.0
"""How long payers have to act who do: so long that on a busy machine nobody's time is over before they were heard."""

LINK_LIFETIME: Final = timedelta(minutes=5)

_KINDS: Final = {
    Step.PREPARE: "DEPOSIT",
    Step.CONFIRM: "DEPOSIT",
    Step.REFUND: "REFUND",
    Step.TRANSFER: "TRANSFER",
    Step.PAYOUT: "PAYOUT",
    Step.TAKE_BACK: "TAKE_BACK",
}


class KeyReused(ProviderError):
    """The same idempotency key came with another input; nothing was done."""


class Sandbox:
    """A `Provider` over the table `sandbox_charges`. Times are seconds; tests may shorten them."""

    def __init__(
        self,
        *,
        settle_seconds: float = SETTLE_SECONDS,
        slow_seconds: float = SLOW_SECONDS,
        act_seconds: float = ACT_SECONDS,
        hold_limit: timedelta | None = None,
        terms: Terms | None = None,
    ) -> None:
        self._seconds = {Pace.AT_ONCE: 0.0, Pace.SOON: settle_seconds, Pace.SLOW: slow_seconds}
        self._act_seconds = act_seconds
        self._terms = terms or Terms(provider="sandbox", key_lifetime=KEY_LIFETIME, usual_hold_limit=hold_limit)

    @property
    def terms(self) -> Terms:
        """As the port says."""
        return self._terms

    async def close(self) -> None:
        """As the port says: it has none of its own."""

    async def own_account(self) -> str | None:
        """Its books are the deployment's own."""
        return None

    async def prepare(self, request: ChargeRequest) -> Prepared | Failed:
        """As the port says; the token chooses among `TOKENS`."""
        row = await self._take(request, "DEPOSIT", request.token, by_token(request.token))
        return Prepared(row["id"])

    async def confirm(self, provider_id: str, request: ChargeRequest) -> Answer:
        """As the port says: a charge that was confirmed stays as it was."""
        behaviour = by_token(request.token)
        settles, notices = self._times(behaviour)
        acts = None
        if behaviour.action is not None:
            acts = self._act_seconds if behaviour.payer is not Payer.SLEEPS else None
            settles = None if acts is None or settles is None else acts + settles
            notices = [] if acts is None else [acts, *(acts + one for one in notices)]
        is_lost = behaviour.first_call is FirstCall.NOT_RECEIVED
        action = behaviour.action.value if behaviour.action is not None else None
        until = self._seconds[Pace.SLOW] if behaviour.payer is Payer.SLEEPS else ACTION_SECONDS
        row = await fetch_row(_CONFIRM, provider_id, is_lost, settles, notices, action, acts, until)
        if row is None:
            raise ProviderError(f"there is no charge {provider_id}")
        if row["calls"] == 1 and behaviour.first_call is not FirstCall.ANSWERED:
            raise ProviderError("the sandbox was told to lose this call or its answer")
        return _answered(row)

    async def cancel(self, provider_id: str, *, key: str) -> Found:
        """As the port says."""
        row = await fetch_row(_CANCEL, provider_id)
        return _looked_up(row)

    async def refund(self, request: RefundRequest) -> Answer:
        """As the port says; the amount chooses among `AMOUNTS`."""
        return await self._call(request, "REFUND", request.charge_id, by_amount(request.amount.minor))

    async def transfer(self, request: TransferRequest) -> Answer:
        """As the port says; it is done at once unless `AMOUNTS` says that it is lost, can't be yet, or ends with a fault."""
        told = by_amount(request.amount.minor)
        result = told.result if told.result in ON_THE_TRANSFER else Result.SUCCEEDS
        behaviour = Behaviour(told.meaning, result, Pace.AT_ONCE, 0, told.first_call)
        return await self._call(request, "TRANSFER", request.payee_id, behaviour)

    async def payout(self, request: PayoutRequest) -> Answer:
        """As the port says; the amount chooses among `AMOUNTS`."""
        told = by_amount(request.amount.minor)
        result = Result.SUCCEEDS if told.result in ON_THE_TRANSFER else told.result
        behaviour = Behaviour(told.meaning, result, told.pace, told.notices)
        return await self._call(request, "PAYOUT", request.payee_id, behaviour)

    async def take_back(self, request: TakeBackRequest) -> Answer:
        """As the port says: at once."""
        return await self._call(request, "TAKE_BACK", request.transfer_id, AT_ONCE)

    async def look_up(self, sought: Sought) -> Found:
        """As the port says: always answered, from the books as they are now, whatever became of the key."""
        if sought.provider_id is not None:
            return _looked_up(await fetch_row(_BY_ID, sought.provider_id))
        key = None if sought.of_any_attempt else sought.key
        nothing: tuple[type[Unknown | Failed], ...] = (Unknown, Failed) if sought.of_any_attempt else (Unknown,)
        rows = await fetch(_BY_ORDER, sought.order_id, key, _KINDS[sought.step])
        return next((one for one in map(_looked_up, rows) if not isinstance(one, nothing)), Unknown())

    async def open_payee(self, account_id: str, *, key: str) -> str:
        """As the port says."""
        return f"sandbox_{account_id}"

    async def payee(self, payee_id: str) -> PayeeState:
        """As the port says: everybody can be paid."""
        return PayeeState(can_be_paid=True)

    async def onboarding_link(self, payee_id: str, *, return_url: str | None) -> OnboardingLink:
        """As the port says."""
        return OnboardingLink(return_url or f"https://sandbox.invalid/onboarding/{payee_id}")

    async def movements(self, since: datetime) -> AsyncIterator[Movement]:
        """As the port says."""
        made = [one for row in await fetch(_EVERYTHING) for one in movements(row) if one.at >= since]
        for movement in sorted(made, key=lambda one: (one.at, one.id)):
            yield movement

    async def balance(self) -> Sequence[Money]:
        """As the port says."""
        total: Counter[str] = Counter()
        for row in await fetch(_EVERYTHING):
            for movement in movements(row):
                total[movement.net.currency] += movement.net.minor
        return [Money(minor, currency) for currency, minor in sorted(total.items())]

    @property
    def ahead(self) -> timedelta:
        """None: it dates movements by the database's clock, as everything that they are compared with."""
        return timedelta(0)

    def notice(self, body: bytes, headers: Mapping[str, str]) -> Sequence[Hint]:
        """As the port says: an object with `orderId`, from anybody, since a sandbox's hints cost nothing."""
        try:
            order_id = str(orjson.loads(body)["orderId"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise NoticeMalformed("a notice of the sandbox is an object with an orderId") from None
        if not is_a(Kind.ORDER, order_id):
            raise NoticeMalformed("an orderId names an order")
        return [Hint(order_id=order_id)]

    async def notices(self) -> Sequence[Hint]:
        """As the port says: each notice is taken out of the books, and is lost with whoever took it."""
        return [Hint(row["order_id"], row["id"]) for row in await fetch(_NOTICES)]

    async def _call(self, request: Request, kind: str, subject: str | None, behaviour: Behaviour) -> Answer:
        row = await self._take(request, kind, subject, behaviour)
        if row["calls"] == 1 and behaviour.first_call is not FirstCall.ANSWERED and row["attempts"] == 1:
            raise ProviderError("the sandbox was told to lose this call or its answer")
        return _answered(row)

    async def _take(self, request: Request, kind: str, subject: str | None, behaviour: Behaviour) -> Record:
        settles, notices = self._times(behaviour)
        received = behaviour.first_call is not FirstCall.NOT_RECEIVED or kind == "DEPOSIT"
        asked = (kind, request.amount.minor, request.amount.currency, subject)
        row = await fetch_row(
            _TAKE,
            *(f"sbx_{uuid4().hex}", request.key, request.order_id, request.group, *asked),
            *(behaviour.result.value, [one.value for one in ONLY_THE_FIRST], settles, notices, received),
        )
        assert row is not None  # noqa: S101 - for the type checker: an upsert returns its row
        if (row["kind"], row["amount_minor"], row["currency"], row["token"]) != asked:
            raise KeyReused(f"the key {request.key} was used for something else")
        if row["outcome"] == Result.FAULT:
            raise StoredFault("the sandbox was told to fail and to keep that as its answer")
        return row

    def _times(self, behaviour: Behaviour) -> tuple[float | None, list[float]]:
        """When it settles and when it says so, in seconds from the call that moves money."""
        settles = None if behaviour.result is Result.NEVER else self._seconds[behaviour.pace]
        return settles, [(settles or 0.0) + n * CHANGE_OF_MIND_SECONDS for n in range(behaviour.notices)]


def _looked_up(row: Record | None) -> Found:
    if row is None or not row["received"] or row["outcome"] == Result.FAULT:
        return Unknown()
    was = found(row)
    return Unknown() if isinstance(was, NotYet) else was


def _answered(row: Record) -> Answer:
    """The same call again, after all that: what it once answered stays its answer."""
    was = found(row)
    if isinstance(was, Reversed):
        return was.charge
    if isinstance(was, Prepared | Unknown):
        raise ProviderError(f"the charge {row['id']} was not confirmed")
    return was


_NOTED: Final = "ARRAY(SELECT now() + at * interval '1 second' FROM unnest($12::float8[]) AS at ORDER BY at)"

# A key that is forgotten is another key. The second call with one that isn't finds the books as the first one left them, but
# for one that never arrived: it does now.
_TAKE: Final = f"""
    WITH forgotten AS (
        UPDATE sandbox_charges SET is_forgotten = true
        WHERE key = $2 AND NOT is_forgotten AND created_at <= now() - interval '{KEY_LIFETIME.total_seconds()} seconds'
        RETURNING id
    ), before AS (
        SELECT count(*) AS forgotten,
            EXISTS (SELECT FROM sandbox_charges AS one WHERE one.order_id = $3 AND one.kind = $5 AND one.key <> $2) AS tried
        FROM forgotten
    )
    INSERT INTO sandbox_charges AS c
        (id, key, order_id, group_id, kind, amount_minor, currency, token, outcome, settles_at, notices, received, calls,
        created_at)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8,
        CASE WHEN tried AND $9 = ANY ($10::text[]) THEN 'SUCCEEDS' ELSE $9 END,
        CASE WHEN $5 <> 'DEPOSIT' THEN now() + $11::float8 * interval '1 second' END,
        CASE WHEN $5 <> 'DEPOSIT' THEN {_NOTED} ELSE '{{}}' END,
        $13 OR tried, CASE WHEN $5 <> 'DEPOSIT' THEN 1 ELSE 0 END, now()
    FROM before
    ON CONFLICT (key) WHERE NOT is_forgotten DO UPDATE SET
        calls = CASE WHEN c.kind <> 'DEPOSIT' THEN c.calls + 1 ELSE c.calls END,
        received = true,
        settles_at = CASE WHEN c.received THEN c.settles_at ELSE excluded.settles_at END,
        notices = CASE WHEN c.received THEN c.notices ELSE excluded.notices END
    RETURNING *, now() AS at, false AS was_taken_back,
        (SELECT count(*) FROM sandbox_charges AS one WHERE one.order_id = $3 AND one.kind = $5 AND one.id <> c.id) + 1 AS attempts
"""  # noqa: S608 - no input in it

_CONFIRM: Final = """
    UPDATE sandbox_charges AS c SET
        (calls, confirmed_at, settles_at, notices, action, acts_at, action_until) = (
            SELECT c.calls + 1,
                CASE WHEN now_ THEN now() ELSE c.confirmed_at END,
                CASE WHEN now_ THEN now() + $3::float8 * interval '1 second' ELSE c.settles_at END,
                CASE WHEN now_ THEN ARRAY(
                    SELECT now() + at * interval '1 second' FROM unnest($4::float8[]) AS at ORDER BY at) ELSE c.notices END,
                CASE WHEN now_ THEN $5 ELSE c.action END,
                CASE WHEN now_ THEN now() + $6::float8 * interval '1 second' ELSE c.acts_at END,
                CASE WHEN now_ AND $5::text IS NOT NULL THEN now() + $7::float8 * interval '1 second' ELSE c.action_until END
            FROM (SELECT c.confirmed_at IS NULL AND NOT c.is_cancelled AND NOT ($2 AND c.calls = 0) AS now_) AS it)
    WHERE id = $1 RETURNING *, now() AS at, false AS was_taken_back
"""

_CANCEL: Final = """
    UPDATE sandbox_charges SET
        is_cancelled = is_cancelled OR confirmed_at IS NULL OR (action IS NOT NULL AND (acts_at IS NULL OR acts_at > now()))
    WHERE id = $1 RETURNING *, now() AS at, false AS was_taken_back
"""

_BY_ID: Final = "SELECT *, now() AS at, false AS was_taken_back FROM sandbox_charges WHERE id = $1"

_BY_ORDER: Final = """
    SELECT *, now() AS at, false AS was_taken_back FROM sandbox_charges
    WHERE order_id = $1 AND ($2::text IS NULL OR key = $2) AND kind = $3 ORDER BY created_at
"""

_EVERYTHING: Final = """
    SELECT *, now() AS at, EXISTS (SELECT FROM sandbox_charges AS one
        WHERE one.order_id = sandbox_charges.order_id AND one.kind = 'TAKE_BACK') AS was_taken_back
    FROM sandbox_charges WHERE received
"""

_NOTICES: Final = """
    UPDATE sandbox_charges SET notices = notices[2:]
    WHERE id IN (
        SELECT id FROM sandbox_charges WHERE notices <> '{}' AND notices[1] <= now() AND received
        LIMIT 100 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, order_id
"""
