"""Reads the sync feed: what happened, in the order of the log, and which milestones each event touched.

A page costs what it shows, however long the log is: positions name the parties, so that each role is one scan of an index
from the cursor on, and the scans are merged. Who may see is asked anew for each page, event by event.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar, overload

from escrow import cursors, cuts, database
from escrow.access import Actor
from escrow.agreement.events import CATALOGUE
from escrow.database import Record, unseen
from escrow.queries import events
from escrow.queries.events import EventView
from escrow.queries.reading import STATEMENTS_MAX, Reading
from escrow.queries.scans import Viewed, viewed

T = TypeVar("T")

# Whoever asks, and from where on: a page is best read by the same scans.
_ACCOUNT: Final = unseen("$1::text")
_AFTER: Final = unseen("$2::bigint")
_LIMIT: Final = unseen("$3::int")
_WITHIN: Final = unseen("$4::text[]")

TOUCHED_MAX: Final = 500
"""A page ends before the event with which it would touch more milestones; every page has one event."""

NAMES_ITS_MILESTONES: Final = frozenset({"milestone_id", "milestone_ids", "to_milestone_id", "deposit_id"})
"""Fields of events that tell which milestones an event is about, a deposit's being those that it is for."""

TOUCHES_NO_MILESTONE: Final = frozenset(
    {
        "contract.proposed", "contract.revised", "contract.accepted", "contract.declined", "contract.withdrawn",
        "contract.expired", "contract.completed", "contract.end_requested", "contract.end_withdrawn", "contract.ended",
        "contract.dormant", "change_request.filed", "change_request.accepted", "change_request.declined",
        "change_request.withdrawn", "change_request.stale", "refund.paid", "refund.failed", "payout.started", "payout.paid",
        "payout.failed", "payouts.changed", "order.stuck", "order.resolved", "cost.booked",
    }
)  # fmt: skip
"""Events of contracts that name no milestone because they change none; what goes with them has events of its own."""

MOVES_OTHERS: Final = frozenset({"milestone.moved", "milestone.added"})
"""Events after which other milestones than the one that they name stand in another place."""


class BeyondTheEnd(ValueError):
    """A cursor of a position that the log doesn't have yet: another deployment's, or from before a restore."""


@dataclass(frozen=True, slots=True)
class ChangeView:
    """An event at its position, and the milestones that are not as they were before it."""

    position: int
    stream_id: str
    event: EventView
    milestone_ids: tuple[str, ...]


def _view(row: Record) -> ChangeView:
    return ChangeView(row["position"], row["stream_id"], events.event_view(row), tuple(row["touched"]))


WHOLE: Final = Reading(events.COLUMNS, _view)
"""The whole event of each change."""


@dataclass(frozen=True, slots=True)
class ChangesPage(Generic[T]):
    """Some events in the order of the log, the position from which to go on, and whether more is there already."""

    changes: list[T]
    position: int
    has_more: bool


@overload
async def changes_page(actor: Actor, *, after: int, limit: int) -> ChangesPage[ChangeView]: ...
@overload
async def changes_page(actor: Actor, *, after: int, limit: int, reading: Reading[T]) -> ChangesPage[T]: ...
async def changes_page(actor: Actor, *, after: int, limit: int, reading: Reading[Any] = WHOLE) -> ChangesPage[Any]:
    """At most `limit` events after a position that the actor may see; one statement. `after=0` is the beginning.

    `reading` has the columns of the event; beside them a row has its `position`, the `stream_id`, and the milestones as
    `touched`. A page may be shorter than `limit` although more follows. Raises `BeyondTheEnd` for a position that the log doesn't
    have, and `LogWasCut` for one that it has no longer.
    """
    within = sorted(actor.contract_ids) if actor.contract_ids is not None else None
    rows = await database.fetch(statement(actor, reading), actor.account_id, after, limit + 1, within)
    if rows[0]["is_void"]:
        await cuts.check(after)
    last: int = rows[0]["last_position"]
    if after > last:
        raise BeyondTheEnd(
            f"The cursor {cursors.print_cursor(after)} lies beyond the end of this log. Another deployment gave it, or the log "
            "was restored from a backup: begin anew without `after`."
        )
    found = rows if rows[0]["position"] is not None else []
    shown = found[: min(limit, _fitting(found))]
    position = shown[-1]["position"] if shown else after
    return ChangesPage([reading.make(row) for row in shown], position, len(found) > len(shown))


def statement(actor: Actor, reading: Reading[Any] = WHOLE) -> str:
    """What reads a page of the actor's: $1 is its account, $2 the position, $3 the limit, $4 the contracts that it is limited
    to."""
    return _statement(reading, viewed(actor), is_limited=actor.contract_ids is not None)


@lru_cache(maxsize=STATEMENTS_MAX)
def _statement(reading: Reading[Any], who: Viewed, *, is_limited: bool) -> str:
    """Written once for all who look so: it is long, and as the same text it is also found sooner among what is prepared."""
    columns = reading.sql("e", "stream_id", beside={"texts": events.TEXTS_SQL})
    return _PAGE.format(scans=_scans(who, is_limited=is_limited), columns=columns)


def _fitting(found: list[Record]) -> int:
    """How many of the events from the first on touch no more milestones than a page may; at least one."""
    touched = 0
    for index, change in enumerate(found):
        touched += len(change["touched"])
        if touched > TOUCHED_MAX and index > 0:
            return index
    return len(found)


def _scans(who: Viewed, *, is_limited: bool) -> str:
    """Scans of positions that somebody may see; each parameter is named in every variant, so that its type is known."""
    if is_limited:
        parties = f"({_ACCOUNT} IN (client_id, freelancer_id){_disputed(who)})"
        party = "" if who.is_operator else f"AND {parties}"
        return f"""
        SELECT found.* FROM unnest({_WITHIN}) AS limited (id) CROSS JOIN LATERAL (
            SELECT position, event_id, stream_id FROM log_positions
            WHERE stream_id = limited.id AND position > {_AFTER} AND {_ACCOUNT} IS NOT NULL {party}
            ORDER BY position LIMIT {_LIMIT}
        ) AS found"""  # noqa: S608 - our own text
    if who.is_operator:
        return f"""
        SELECT position, event_id, stream_id FROM log_positions
        WHERE position > {_AFTER} AND {_ACCOUNT} IS NOT NULL AND {_WITHIN} IS NULL ORDER BY position LIMIT {_LIMIT}"""  # noqa: S608 - our own text
    # Said so that no other index can give this order: one that walks the whole log looks cheap where accounts are few.
    own = " UNION ALL ".join(
        f"""(
        SELECT position, event_id, stream_id FROM log_positions
        WHERE ({role}, position) > ({_ACCOUNT}, {_AFTER}) AND {role} <= {_ACCOUNT} AND {_WITHIN} IS NULL
        ORDER BY {role}, position LIMIT {_LIMIT})"""  # noqa: S608 - our own text
        for role in ("client_id", "freelancer_id", "stream_id")
    )
    return f"{own} UNION ALL {_MEDIATED}" if who.is_mediator else own


def _disputed(who: Viewed) -> str:
    """For a mediator: or the contract is or was disputed."""
    if not who.is_mediator:
        return ""
    return " OR EXISTS (SELECT FROM contracts WHERE id = stream_id AND was_disputed)"


# Few contracts are disputed: each is looked at by itself.
_MEDIATED: Final = f"""(
    SELECT found.* FROM contracts AS disputed CROSS JOIN LATERAL (
        SELECT position, event_id, stream_id FROM log_positions
        WHERE stream_id = disputed.id AND position > {_AFTER} ORDER BY position LIMIT {_LIMIT}) AS found
    WHERE disputed.was_disputed AND {_ACCOUNT} NOT IN (disputed.client_id, disputed.freelancer_id) AND {_WITHIN} IS NULL
    ORDER BY found.position LIMIT {_LIMIT})"""  # noqa: S608 - our own text


def _naming_one() -> list[str]:
    """The types of events that in each of their versions touch no other milestone than the one that they name."""
    named: dict[str, set[str]] = {}
    for event in CATALOGUE.values():
        named.setdefault(event.type, set()).update(NAMES_ITS_MILESTONES.intersection(one.name for one in fields(event)))
    return sorted(kind for kind, names in named.items() if names == {"milestone_id"} and kind not in MOVES_OTHERS)


# Most events name the one milestone that they touch, which takes a tenth of looking in all the places.
TOUCHED_SQL: Final = f"""CASE WHEN e.type = ANY (ARRAY{_naming_one()})
THEN array_remove(ARRAY[e.body::json #>> ARRAY['data', 'milestoneId']], NULL) ELSE ARRAY(
    SELECT touched.id FROM (SELECT e.body::json->'data' AS data OFFSET 0) AS said CROSS JOIN LATERAL (
    SELECT said.data->>'milestoneId' AS id WHERE said.data->>'milestoneId' IS NOT NULL
    UNION SELECT said.data->>'toMilestoneId' WHERE said.data->>'toMilestoneId' IS NOT NULL
    UNION SELECT json_array_elements_text(said.data->'milestoneIds')
    UNION SELECT part->>'milestone_id' FROM deposits, jsonb_array_elements(deposits.parts) AS part
        WHERE deposits.contract_id = e.stream_id AND deposits.id = said.data->>'depositId'
    UNION SELECT other.id FROM milestones AS moved
        JOIN milestones AS other ON other.contract_id = moved.contract_id AND other.revision = moved.revision
        WHERE e.type = 'milestone.moved' AND moved.contract_id = e.stream_id AND moved.id = said.data->>'milestoneId'
    UNION SELECT other.id FROM milestones AS other
        WHERE e.type = 'milestone.added' AND other.contract_id = e.stream_id
        AND other.revision = (said.data->>'revision')::int AND other.position > (said.data->>'position')::int
        AND NOT EXISTS (
            SELECT FROM events AS before
            WHERE before.stream_id = e.stream_id AND before.sequence = e.sequence - 1
            AND before.occurred_at = e.occurred_at
            AND (before.type IN ('contract.proposed', 'contract.revised') OR before.type = 'milestone.added'
                AND (before.body::json->'data'->>'position')::int < (said.data->>'position')::int))
    ) AS touched
) END"""  # noqa: S608 - our own text
"""The milestones that the event `e` touched: those that it names, the whole plan of one that
was moved, and those behind one that was added among them. One that a plan was laid out with has none behind, and what is
behind one that was added right after another, and behind it, the other touched."""

_PAGE: Final = f"""
SELECT last.position AS last_position, last.is_void, page.*
FROM (SELECT coalesce(max(position), 0) AS position,
    EXISTS (SELECT FROM log_cuts WHERE {cuts.VOID.format(position=_AFTER)}) AS is_void FROM log_positions) AS last
LEFT JOIN LATERAL (
    SELECT placed.position, {{columns}}, {TOUCHED_SQL} AS touched
    FROM (SELECT * FROM ({{scans}}) AS scanned ORDER BY position LIMIT {_LIMIT}) AS placed
    CROSS JOIN LATERAL (
        SELECT * FROM events WHERE stream_id = placed.stream_id AND id = placed.event_id OFFSET 0) AS e
) AS page ON true
ORDER BY page.position
"""  # noqa: S608 - our own text
