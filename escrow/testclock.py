"""Moves a sandbox's domain time forward from deadline to deadline, and applies each on the way (the test clock).

It only ever adds to the offset in `deployment`, so domain time never goes back and the clock survives restarts. Commands
and workers go on meanwhile: whoever applies a deadline first, it happens at its own due time.
"""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from escrow import acts, bell, clock, codec, database, sweep
from escrow.access import Actor, ActorKind, Scope
from escrow.bell import Topic
from escrow.errors import Forbidden, InvalidInput, InvalidState
from escrow.idempotency import Idempotency, first_result, store

DEADLINES_MAX: Final = 200
"""Deadlines applied in one call: a second or so."""

EVENTS_MAX: Final = 1_000
"""After so many events a call ends, too: a proposal of 200 milestones that expires makes 201."""

SPAN_MAX: Final = timedelta(days=3660)
"""One call's longest way: ten years, more than any window, and a slip of the finger stays bearable."""

LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Where the clock ends: windows must still fit in behind it."""

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""What lies behind is no error, but there is no need to tell one millennium from another."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """How far the clock came, and what happened on the way."""

    to: datetime
    """Where it was sent."""
    reached_at: datetime
    """Domain time at the end of the call."""
    has_more: bool
    """Whether there was more on the way than one call does: the same `to` again goes on from here."""
    event_ids: tuple[str, ...]
    """What the clock brought about, by whoever applied it, in the order of its happening."""
    replayed: bool = False


async def advance(
    *,
    by: Actor,
    sandbox: bool,
    span: timedelta | None = None,
    to: datetime | None = None,
    idempotency: Idempotency | None = None,
) -> Advanced:
    """Move domain time forward by `span`, or until `to`, for the operator of a sandbox.

    Everything that falls due on the way is applied in due order across contracts, each at its own due time. A `to` that
    lies behind is no error: time has come there. With `idempotency` a repetition is sent where the first call was.
    Refuses with `Forbidden` anybody but the operator, with `InvalidState` outside of a sandbox, with `InvalidInput`
    both or neither, a span that isn't positive, and what is too far.
    """
    _refuse(by, sandbox=sandbox)
    first = await first_result(by, idempotency)
    target = _target(span, to, await clock.now()) if first is None else codec.read_time(first["to"])
    # The key is stored before the clock moves.
    kept = {"to": codec.print_time(target)}
    if idempotency is not None and first is None and not await store(by, idempotency, kept):
        return await advance(by=by, sandbox=sandbox, span=span, to=to, idempotency=idempotency)
    _log.info("test clock advances", extra={"to": codec.print_time(target), "key": by.key_id or ""})
    async with acts.noted("AdvanceClock", by=by, subject=codec.print_time(target)):
        versions, has_more = await _go(target)
    await bell.ring(Topic.DEADLINES)
    rows = await database.fetch(_HAPPENED, list(versions), list(versions.values()))
    return Advanced(
        to=target,
        reached_at=await clock.now(),
        has_more=has_more,
        event_ids=tuple(row["id"] for row in rows),
        replayed=first is not None,
    )


def _refuse(by: Actor, *, sandbox: bool) -> None:
    if by.kind is not ActorKind.OPERATOR or Scope.OPERATOR not in by.scopes or by.contract_ids is not None:
        raise Forbidden("Only the operator moves the test clock: it moves for everybody.")
    if not sandbox:
        raise InvalidState("The test clock is only in a sandbox: this deployment runs on real time.")


def _target(span: timedelta | None, to: datetime | None, now: datetime) -> datetime:
    if (span is None) == (to is None):
        raise InvalidInput("Say either `by` or `to`, not both and not neither.", field="by")
    if span is not None:
        if not timedelta(0) < span <= SPAN_MAX:
            raise InvalidInput(f"The clock goes forward by up to {SPAN_MAX.days} days at once.", field="by")
        to = now + span
    if to is not None and to < now:
        return max(to, EARLIEST)
    if to is None or to > LATEST or to - now > SPAN_MAX:
        latest = min(LATEST, now + SPAN_MAX)
        raise InvalidInput(f"The clock goes as far as {codec.print_time(latest)} at once.", field="to")
    return to


async def _go(target: datetime) -> tuple[Mapping[str, int], bool]:
    """Step from deadline to deadline; gives the versions that contracts had before, and whether something is left."""
    rows = await database.fetch(_AHEAD, target, DEADLINES_MAX)
    versions: dict[str, int] = {row["id"]: row["version"] for row in rows}
    failed: list[str] = []
    steps = events = 0
    arrived = False
    while steps < DEADLINES_MAX and events < EVENTS_MAX:
        due = await database.fetch_row(_STEP, target, failed)
        if due is not None:
            # A contract of which a clock started since has its version from before this step.
            versions.setdefault(due["contract_id"], due["version"])
            events += await _apply(due["contract_id"], failed)
            steps += 1
        elif arrived:
            return versions, False
        else:
            # Once more after arriving: a command may have started a clock that ends on the way.
            await database.execute(_ARRIVE, target)
            arrived = True
    return versions, True


async def _apply(contract_id: str, failed: list[str]) -> int:
    """Apply what is due on a contract; one that fails is left to the sweep, which tries again, and passed by."""
    try:
        return (await sweep.fire(contract_id)).total()
    except database.AWAY:
        raise
    except Exception as error:  # noqa: BLE001 - one contract must not stand in the others' way
        said = {"contract": contract_id, "error": error}
        _log.error("deadlines not applied, passed by", extra=said)
        failed.append(contract_id)
        return 0


# A product with an interval, not a difference of times: that one counts in days, whose length the session's zone decides.
_OFFSET: Final = """greatest(clock_offset,
    (extract(epoch FROM {at} - clock_timestamp()) * 1000000 + 1)::float8 * interval '1 microsecond')"""

_AHEAD: Final = """
SELECT DISTINCT contract.id, contract.version
FROM (SELECT contract_id FROM deadlines WHERE due_at <= $1 ORDER BY due_at, contract_id LIMIT $2) AS clock
JOIN contracts AS contract ON contract.id = clock.contract_id
"""

_STEP: Final = f"""
WITH first AS MATERIALIZED (
    SELECT clock.contract_id, clock.due_at FROM deadlines AS clock
    WHERE clock.due_at <= $1 AND clock.contract_id <> ALL ($2::text[])
    ORDER BY clock.due_at, clock.contract_id LIMIT 1
), moved AS (
    UPDATE deployment SET clock_offset = {_OFFSET.format(at="first.due_at")} FROM first WHERE id = 1
)
SELECT first.contract_id, contract.version
FROM first JOIN contracts AS contract ON contract.id = first.contract_id
"""

_ARRIVE: Final = f"UPDATE deployment SET clock_offset = {_OFFSET.format(at='$1::timestamptz')} WHERE id = 1"

_HAPPENED: Final = """
SELECT event.id FROM unnest($1::text[], $2::bigint[]) AS before (id, version)
JOIN events AS event ON event.stream_id = before.id AND event.sequence > before.version
WHERE event.body::json->'actor'->>'kind' = 'CLOCK'
ORDER BY event.occurred_at, event.stream_id, event.sequence
"""
