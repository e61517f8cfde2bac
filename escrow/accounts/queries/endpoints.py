"""What an actor may see of webhook endpoints: its own account's, all of them for the operator; one statement for many.

A key that is limited to some contracts sees the endpoints that are limited to some of those.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from escrow import database, ids
from escrow.access import Actor
from escrow.accounts import store_endpoints
from escrow.accounts.rules import is_operator
from escrow.accounts.state.endpoints import Endpoint
from escrow.accounts.tables import ENDPOINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView:
    """An endpoint that was not deleted, with those of its secrets that sign now."""

    account_id: str
    endpoint: Endpoint


async def endpoints_of(actor: Actor, account_ids: Sequence[str]) -> dict[str, list[EndpointView]]:
    """The endpoints of each account whose endpoints the actor may see, oldest first."""
    found: dict[str, list[EndpointView]] = {
        one: [] for one in account_ids if ids.is_a(ids.Kind.ACCOUNT, one) and _may_see(actor, one)
    }
    for row in await database.fetch(_OF_ACCOUNTS, list(found), _limit(actor)):
        found[row["account_id"]].append(_view(row))
    return found


async def endpoints_by_id(actor: Actor, endpoint_ids: Collection[str]) -> dict[str, EndpointView]:
    """Those of the endpoints that exist for the actor, by id."""
    wanted = sorted({one for one in endpoint_ids if ids.is_a(ids.Kind.ENDPOINT, one)})
    own = None if is_operator(actor) else actor.account_id or ""
    rows = await database.fetch(_BY_ID, wanted, _limit(actor), own)
    return {row["id"]: _view(row) for row in rows}


def _may_see(actor: Actor, account_id: str) -> bool:
    return is_operator(actor) or actor.account_id == account_id


def _limit(actor: Actor) -> list[str] | None:
    return sorted(actor.contract_ids) if actor.contract_ids is not None else None


def _view(row: database.Record) -> EndpointView:
    return EndpointView(account_id=row["account_id"], endpoint=store_endpoints.endpoint(row, row["secrets"]))


_SIGNING: Final = store_endpoints.secrets_sql(
    "(expires_at IS NULL OR expires_at > clock_timestamp())", order="created_at DESC, algorithm DESC"
)

_COLUMNS: Final = f"""
SELECT {ENDPOINTS.select("endpoint")}, {_SIGNING} AS secrets
FROM endpoints AS endpoint
WHERE deleted_at IS NULL AND ($2::text[] IS NULL OR contract_ids <@ $2::text[])
"""  # noqa: S608 - our own columns

_OF_ACCOUNTS: Final = f"{_COLUMNS} AND account_id = ANY ($1::text[]) ORDER BY account_id, id"

_BY_ID: Final = f"{_COLUMNS} AND id = ANY ($1::text[]) AND ($3::text IS NULL OR account_id = $3::text)"
