"""What one would write by hand for just these operations: Starlette, asyncpg, orjson, and nothing between.

It reads the columns that are asked for, prepared and with plans that are kept, checks the same rights (the key, its scopes, who
sees what), and answers what Earnest answers. Commands are Earnest's own from the command on: the law is not written twice, so
they share the two statements and the decision, and what is compared is everything before and after.
A token that comes as `Kept` rather than `Bearer` is remembered for a second, and nobody looks whether it was revoked meanwhile.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from escrow import bell, database, ids, pipeline, statements, vault
from escrow.access import Actor, ActorKind, Role, Scope
from escrow.agreement import commands as c
from escrow.cursors import print_cursor, read_cursor
from escrow.ids import Kind
from escrow.money import RawMoney
from escrow.queries.feed import TOUCHED_SQL
from escrow.settings import Settings
from tests.benchmarks.peers.serving import POOL, database_url, serve

PAGE: Final = 50
KEEP_SECONDS: Final = 1.0

_pool: asyncpg.Pool[asyncpg.Record]
_kept: Final[dict[str, tuple[float, Actor]]] = {}


class Refused(Exception):
    """The request can't be answered; the status says why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Connection(statements.Connection):
    """A connection that needs no round trip to be given back."""

    def get_reset_query(self) -> str:
        return ""


# --- rights ----------------------------------------------------------------------------------------------------------

_KEY: Final = """
SELECT key.id AS key_id, key.account_id, key.member_id, key.scopes, key.contract_ids, member.role, account.is_operator,
    account.is_mediator
FROM api_keys AS key
JOIN accounts AS account ON account.id = key.account_id
LEFT JOIN members AS member ON member.id = key.member_id
WHERE key.secret_sha256 = $1 AND key.revoked_at IS NULL AND member.removed_at IS NULL
AND (key.expires_at IS NULL OR key.expires_at > clock_timestamp())
"""


async def _actor(request: Request, scope: Scope | None = None) -> Actor:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    kept = _kept.get(token) if scheme == "Kept" else None
    if kept is not None and kept[0] > time.monotonic():
        actor = kept[1]
    else:
        row = await _pool.fetchrow(_KEY, sha256(token.encode()).digest())
        if row is None:
            raise Refused(401)
        actor = _actor_of(row)
        if scheme == "Kept":
            _kept[token] = (time.monotonic() + KEEP_SECONDS, actor)
    if scope is not None and scope not in actor.scopes:
        raise Refused(403)
    return actor


def _actor_of(row: database.Record) -> Actor:
    scopes = frozenset(Scope(scope) for scope in row["scopes"])
    return Actor(
        kind=ActorKind.OPERATOR if Scope.OPERATOR in scopes and row["is_operator"] else ActorKind.ACCOUNT,
        account_id=row["account_id"],
        key_id=row["key_id"],
        member_id=row["member_id"],
        role=Role(row["role"]) if row["role"] is not None else Role.OWNER,
        scopes=scopes,
        contract_ids=frozenset(row["contract_ids"]) if row["contract_ids"] is not None else None,
        is_mediator=row["is_mediator"],
    )


def _sees(actor: Actor, row: database.Record) -> bool:
    if actor.contract_ids is not None and row["id"] not in actor.contract_ids:
        return False
    if actor.kind is ActorKind.OPERATOR or (actor.is_mediator and row["was_disputed"]):
        return True
    return actor.account_id in (row["client_id"], row["freelancer_id"])


# --- answers ---------------------------------------------------------------------------------------------------------


def _answer(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _contract(row: database.Record, milestones: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "title": row["title"],
        "state": row["state"],
        "currency": row["currency"],
        "updatedAt": _time(row["updated_at"]),
        "milestones": milestones,
    }


def _milestone(row: database.Record, currency: str) -> dict[str, Any]:
    minor = row["amount_minor"]
    return {
        "id": row["m_id"],
        "title": row["m_title"],
        "state": row["m_state"],
        "position": row["position"],
        "dueOn": row["due_on"],
        "amount": {"amount": f"{minor // 100}.{minor % 100:02}", "currency": currency},
    }


# --- reading ---------------------------------------------------------------------------------------------------------

_MILESTONE: Final = "m.id AS m_id, m.title AS m_title, m.state AS m_state, m.position, m.due_on, m.amount_minor"

_ONE: Final = f"""
SELECT c.id, c.client_id, c.freelancer_id, c.was_disputed, c.title, c.state, c.currency, c.updated_at, {_MILESTONE}
FROM contracts AS c LEFT JOIN milestones AS m ON m.contract_id = c.id AND m.revision = c.revision
WHERE c.id = $1 ORDER BY m.position
"""


async def contract(request: Request) -> Response:
    actor = await _actor(request, Scope.CONTRACTS_READ)
    rows = await _pool.fetch(_ONE, request.path_params["id"])
    if not rows or not _sees(actor, rows[0]):
        return _answer({"contract": None})
    currency = rows[0]["currency"]
    return _answer({"contract": _contract(rows[0], [_milestone(row, currency) for row in rows if row["m_id"]])})


_PAGE: Final = " UNION ALL ".join(
    f"""(SELECT c.id, c.title, c.state, c.currency, c.updated_at FROM contracts AS c
    WHERE (c.{role}, c.id) <= ($1, 'ctr_~') AND (c.{role}) >= ($1) ORDER BY c.{role} DESC, c.id DESC LIMIT $2)"""
    for role in ("client_id", "freelancer_id")
)
_NEWEST: Final = f"SELECT * FROM ({_PAGE}) AS found ORDER BY id DESC LIMIT $2"
_PLANS: Final = f"""
SELECT m.contract_id, {_MILESTONE}
FROM contracts AS c JOIN milestones AS m ON m.contract_id = c.id AND m.revision = c.revision
WHERE c.id = ANY ($1::text[]) ORDER BY m.contract_id, m.position
"""


async def contracts(request: Request) -> Response:
    actor = await _actor(request, Scope.CONTRACTS_READ)
    found = await _pool.fetch(_NEWEST, actor.account_id, PAGE + 1)
    shown = {row["id"]: row for row in found[:PAGE]}
    plans: dict[str, list[dict[str, Any]]] = {one: [] for one in shown}
    for row in await _pool.fetch(_PLANS, list(shown)):
        contract_id = row["contract_id"]
        plans[contract_id].append(_milestone(row, shown[contract_id]["currency"]))
    nodes = [_contract(row, plans[contract_id]) for contract_id, row in shown.items()]
    return _answer({"contracts": {"nodes": nodes, "pageInfo": {"hasNextPage": len(found) > PAGE}}})


_DUE: Final = " UNION ALL ".join(
    f"""(SELECT {_MILESTONE}, c.currency FROM milestones AS m CROSS JOIN LATERAL (
        SELECT currency FROM contracts WHERE id = m.contract_id AND revision = m.revision OFFSET 0) AS c
    WHERE (m.{role}, m.state) >= ($1, $2) AND (m.{role}, m.state) <= ($1, $2)
    ORDER BY m.{role}, m.state, m.due_on, m.id LIMIT $3)"""
    for role in ("client_id", "freelancer_id")
)
_BY_STATE: Final = f"SELECT * FROM ({_DUE}) AS found ORDER BY due_on, m_id LIMIT $3"


async def milestones(request: Request) -> Response:
    actor = await _actor(request, Scope.CONTRACTS_READ)
    found = await _pool.fetch(_BY_STATE, actor.account_id, request.query_params["state"], PAGE + 1)
    nodes = [_milestone(row, row["currency"]) for row in found[:PAGE]]
    return _answer({"milestones": {"nodes": nodes, "pageInfo": {"hasNextPage": len(found) > PAGE}}})


_SCANS: Final = " UNION ALL ".join(
    f"""(SELECT position, event_id FROM log_positions
    WHERE ({role}, position) > ($1, $2) AND {role} <= $1 ORDER BY {role}, position LIMIT $3)"""
    for role in ("client_id", "freelancer_id", "stream_id")
)
_CHANGES: Final = f"""
SELECT placed.position, e.id, e.type, e.occurred_at, e.sequence, e.stream_id, {TOUCHED_SQL} AS touched
FROM (SELECT * FROM ({_SCANS}) AS scanned ORDER BY position LIMIT $3) AS placed
CROSS JOIN LATERAL (SELECT * FROM events WHERE id = placed.event_id OFFSET 0) AS e
ORDER BY placed.position
"""
_TOUCHED: Final = """
SELECT m.id, m.state, c.client_id, c.freelancer_id, c.was_disputed
FROM milestones AS m JOIN contracts AS c ON c.id = m.contract_id WHERE m.id = ANY ($1::text[])
"""


async def changes(request: Request) -> Response:
    actor = await _actor(request, Scope.CONTRACTS_READ)
    found = await _pool.fetch(_CHANGES, actor.account_id, read_cursor(request.query_params["after"]), PAGE + 1)
    wanted = list({one for row in found[:PAGE] for one in row["touched"]})
    states = {
        row["id"]: {"id": row["id"], "state": row["state"]}
        for row in await _pool.fetch(_TOUCHED, wanted)
        if actor.account_id in (row["client_id"], row["freelancer_id"])
    }
    nodes = [
        {
            "cursor": print_cursor(row["position"]),
            "event": _event(row) | {"stream": row["stream_id"]},
            "milestones": [states[one] for one in row["touched"] if one in states],
        }
        for row in found[:PAGE]
    ]
    return _answer({"changes": {"nodes": nodes, "hasMore": len(found) > PAGE}})


def _event(row: database.Record) -> dict[str, Any]:
    return {
        "id": row["id"],
        "type": row["type"],
        "occurredAt": _time(row["occurred_at"]),
        "sequence": row["sequence"],
    }


async def viewer(request: Request) -> Response:
    actor = await _actor(request)
    scopes = [scope.name for scope in sorted(actor.scopes)]
    return _answer({"viewer": {"accountId": actor.account_id, "keyId": actor.key_id, "scopes": scopes}})


_SEEN: Final = "SELECT id, client_id, freelancer_id, was_disputed FROM contracts WHERE id = $1"
_TIMELINE: Final = """
SELECT id, type, occurred_at, sequence, hash FROM events WHERE stream_id = $1 ORDER BY sequence LIMIT $2
"""


async def timeline(request: Request) -> Response:
    actor = await _actor(request, Scope.CONTRACTS_READ)
    row = await _pool.fetchrow(_SEEN, request.path_params["id"])
    if row is None or not _sees(actor, row):
        return _answer({"contract": None})
    events = await _pool.fetch(_TIMELINE, row["id"], PAGE + 1)
    nodes = [_event(event) | {"hash": event["hash"]} for event in events[:PAGE]]
    return _answer({"contract": {"id": row["id"], "timeline": {"nodes": nodes}}})


# --- commands --------------------------------------------------------------------------------------------------------


def _submit(given: Mapping[str, Any]) -> c.Command:
    return c.Submit(
        milestone_id=given["milestoneId"],
        submission_id=ids.new(Kind.SUBMISSION),
        message=given["message"],
        links=tuple(given["links"]),
    )


def _approve(given: Mapping[str, Any]) -> c.Command:
    return c.Approve(milestone_id=given["milestoneId"], message=given["message"])


def _fund(given: Mapping[str, Any]) -> c.Command:
    return c.Fund(
        milestone_id=given["milestoneId"],
        deposit_id=ids.new(Kind.DEPOSIT),
        order_id=ids.new(Kind.ORDER),
        payment_token=given["paymentToken"],
    )


def _add(given: Mapping[str, Any]) -> c.Command:
    draft = given["milestone"]
    amount = RawMoney(Decimal(draft["amount"]["amount"]), draft["amount"]["currency"])
    return c.AddMilestone(
        contract_id=given["contractId"],
        milestone=c.MilestoneDraft(
            id=ids.new(Kind.MILESTONE),
            title=draft["title"],
            purpose=draft["purpose"],
            amount=amount,
            due_on=date.fromisoformat(draft["dueOn"]),
            deliverables=tuple(draft["deliverables"]),
        ),
    )


def _command(name: str, made_of: Callable[[Mapping[str, Any]], c.Command]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        given = orjson.loads(await request.body())["input"]
        outcome = await pipeline.run(made_of(given), by=await _actor(request))
        milestone = outcome.contract.milestone(outcome.result["milestone_id"])
        if milestone is None:
            raise Refused(500)
        shown = {"state": milestone.state, "position": milestone.position, "title": milestone.title}
        return _answer({name: {"milestone": shown, "userErrors": []}})

    return endpoint


def _refused(_: Request, error: Exception) -> Response:
    return Response(status_code=error.status if isinstance(error, Refused) else 500)


@asynccontextmanager
async def _connected(_: Starlette) -> AsyncIterator[None]:
    global _pool
    _pool = await asyncpg.create_pool(
        database_url(),
        min_size=1,
        max_size=POOL,
        connection_class=_Connection,
        max_cached_statement_lifetime=0,
        server_settings={"jit": "off", "plan_cache_mode": "force_generic_plan"},
    )
    vault.use(Settings.from_environment().secret_keys)
    await database.connect(database_url(), pool_size=POOL)
    await bell.connect(os.environ["REDIS_URL"])
    try:
        yield
    finally:
        await bell.disconnect()
        await database.disconnect()
        await _pool.close()


if __name__ == "__main__":
    serve(
        Starlette(
            routes=[
                Route("/contracts/{id}", contract),
                Route("/contracts", contracts),
                Route("/milestones", milestones),
                Route("/changes", changes),
                Route("/viewer", viewer),
                Route("/contracts/{id}/timeline", timeline),
                Route("/submit", _command("submitMilestone", _submit), methods=["POST"]),
                Route("/approve", _command("approveMilestone", _approve), methods=["POST"]),
                Route("/fund", _command("fundMilestone", _fund), methods=["POST"]),
                Route("/add", _command("addMilestone", _add), methods=["POST"]),
            ],
            exception_handlers={Refused: _refused},
            lifespan=_connected,
        )
    )
