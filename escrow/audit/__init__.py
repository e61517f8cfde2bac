"""Folds the whole log again and compares: nothing in the tables but what the events say, and nothing in the events changed.

It reads stream by stream, in one short snapshot for each batch, so it may run beside a working deployment. What it finds
it yields as differences; that it finds none is the proof that the tables are what the log makes of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final

from escrow import database, ledger
from escrow.audit.accounts import audit_accounts
from escrow.audit.contracts import audit_contracts
from escrow.audit.differences import Difference

__all__ = ["Difference", "audit"]

BATCH_STREAMS: Final = 100
"""Streams of one snapshot: a long one would keep PostgreSQL from clearing up behind busy tables."""

BATCH_EVENTS: Final = 10_000
"""Events of one snapshot, at most, unless a single stream has more: they are all in memory at once."""


async def audit(*, batch: int = BATCH_STREAMS) -> AsyncIterator[Difference]:
    """Everything that is not as it should be, in no particular order; nothing if all is well."""
    for difference in await _whole():
        yield difference
    for audit_streams, table in ((audit_contracts, "contracts"), (audit_accounts, "accounts")):
        after = ""
        while stream_ids := await _streams(table, after, batch):
            async with database.transaction(snapshot=True):
                differences = await audit_streams(stream_ids)
            # They are folded now: PostgreSQL ends a session that leaves its transaction alone for long.
            for difference in differences:
                yield difference
            after = stream_ids[-1]


async def _streams(table: str, after: str, limit: int) -> list[str]:
    """The next streams: as many as their events let be looked at together."""
    rows = await database.fetch(
        f"SELECT id, version FROM {table} WHERE id > $1 ORDER BY id LIMIT $2",  # noqa: S608 - one of two names
        after,
        limit,
    )
    chosen: list[str] = []
    events = 0
    for row in rows:
        events += row["version"]
        if chosen and events > BATCH_EVENTS:
            break
        chosen.append(row["id"])
    return chosen


async def _whole() -> list[Difference]:
    """What no single stream can tell: dense positions but for cuts, events of nobody, rows that lead nowhere, and books that
    add up to zero."""
    async with database.transaction(snapshot=True):
        return [*await _gaps(), *await _strays(), *await _lost(), *await _unbalanced()]


async def _gaps() -> Iterator[Difference]:
    rows = await database.fetch(
        "SELECT position, before FROM (SELECT position, lag(position, 1, 0::bigint) OVER (ORDER BY position) AS before "
        "FROM log_positions) AS place WHERE position <> before + 1 AND NOT EXISTS ("
        "SELECT FROM log_cuts WHERE first_position = place.position AND kept_position = place.before)"
    )
    return (Difference("log", "positions", row["before"] + 1, row["position"]) for row in rows)


async def _strays() -> Iterator[Difference]:
    rows = await database.fetch(
        "SELECT DISTINCT stream_id FROM events WHERE NOT EXISTS (SELECT FROM contracts WHERE id = stream_id) "
        "AND NOT EXISTS (SELECT FROM accounts WHERE id = stream_id)"
    )
    return (Difference(row["stream_id"], "events", "a contract or an account of that id", "none") for row in rows)


async def _lost() -> list[Difference]:
    """Rows whose foreign key leads to another server, once there are several, and there to nothing (`Place.crossing`)."""
    return [
        Difference(row["of"], name, row["leads_to"], "none")
        for name, sql in CROSSING.items()
        for row in await database.fetch(sql)
    ]


CROSSING: Final = {
    "log_positions_event": """
        SELECT 'position ' || position AS of, event_id AS leads_to FROM log_positions AS place
        WHERE NOT EXISTS (SELECT FROM events WHERE (stream_id, id) = (place.stream_id, place.event_id))""",
    "idempotency_keys_contract": """
        SELECT account_id AS of, contract_id AS leads_to FROM idempotency_keys AS used
        WHERE contract_id IS NOT NULL AND NOT EXISTS (SELECT FROM contracts WHERE id = used.contract_id)""",
    "external_references_contract": """
        SELECT account_id AS of, contract_id AS leads_to FROM external_references AS reference
        WHERE NOT EXISTS (SELECT FROM contracts WHERE id = reference.contract_id)""",
    "external_references_milestone": """
        SELECT account_id AS of, milestone_id AS leads_to FROM external_references AS reference
        WHERE milestone_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM milestones WHERE (contract_id, id) = (reference.contract_id, reference.milestone_id))""",
}
"""By foreign key: the rows that it would have refused, and what they lead to."""


async def _unbalanced() -> Iterator[Difference]:
    """The sum over all ledger accounts of a currency: stored balances, and the platform's from their transfers."""
    sums: dict[str, int] = {}
    for row in await database.fetch("SELECT currency, sum(balance_minor) AS balance FROM balances GROUP BY currency"):
        sums[row["currency"]] = int(row["balance"])
    for (_, currency), balance in (await ledger.platform_balances()).items():
        sums[currency] = sums.get(currency, 0) + balance
    return (
        Difference("books", f"the sum over all accounts in {currency}", 0, total)
        for currency, total in sorted(sums.items())
        if total
    )
