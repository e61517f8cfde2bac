"""Audits accounts: members, keys, sessions, endpoints and the operator's fees against what the accounts' events give."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from escrow import database
from escrow.accounts.evolve import evolve
from escrow.accounts.state import Account, Key
from escrow.accounts.tables import ENDPOINTS, MEMBERS, PAYEES, SECRETS, SESSIONS
from escrow.audit.differences import Difference, Row, compare, compare_row
from escrow.audit.streams import Stream, Unfoldable, check_chain, fold, load


async def audit_accounts(account_ids: Sequence[str]) -> Iterator[Difference]:
    """Every difference of these accounts, read within the snapshot of the transaction and found as they are asked for."""
    streams = await load(account_ids)
    accounts = {row["id"]: dict(row) for row in await database.fetch(_ACCOUNTS, account_ids)}
    parts = {table: await _by_account(sql, account_ids) for table, sql in _PARTS.items()}
    return (
        difference
        for account_id in account_ids
        if account_id in accounts
        for difference in _audit(
            streams[account_id], accounts[account_id], {table: rows[account_id] for table, rows in parts.items()}
        )
    )


_ACCOUNTS: Final = """
SELECT accounts.*, deployment.client_fee_bps, deployment.freelancer_fee_bps
FROM accounts LEFT JOIN deployment ON true WHERE accounts.id = ANY ($1)
"""
"""Also without the row of `deployment`, which is a difference then, not a reason to look at no account."""

_PARTS: Final = {
    "members": "SELECT * FROM members WHERE account_id = ANY ($1)",
    "api_keys": "SELECT *, encode(sha256(secret_sha256), 'hex') AS fingerprint FROM api_keys WHERE account_id = ANY ($1)",
    "sessions": """
        SELECT *, fingerprint = encode(sha256(secret_sha256), 'hex') AS is_recognised FROM sessions
        WHERE account_id = ANY ($1)""",
    "payees": "SELECT * FROM payees WHERE account_id = ANY ($1)",
    "endpoints": "SELECT * FROM endpoints WHERE account_id = ANY ($1)",
    "endpoint_secrets": """
        SELECT secret.*, endpoints.account_id FROM endpoint_secrets AS secret
        JOIN endpoints ON endpoints.id = secret.endpoint_id WHERE endpoints.account_id = ANY ($1)""",
}
"""By table: the rows that belong to accounts."""


async def _by_account(sql: str, account_ids: Sequence[str]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in await database.fetch(sql, account_ids):
        found[row["account_id"]].append(dict(row))
    return found


def _audit(stream: Stream, row: Row, parts: dict[str, list[Row]]) -> Iterator[Difference]:
    yield from check_chain(stream, row)
    try:
        account, _ = fold(stream, evolve)
    except Unfoldable as unfoldable:
        yield unfoldable.difference()
        return
    if account is None:
        yield Difference(stream.id, "events", "at least one", "none")
        return
    yield from compare_row("accounts", account.id, account_row(account), row)
    if account.is_operator:
        fees = {"client_fee_bps": account.fees.client_bps, "freelancer_fee_bps": account.fees.freelancer_bps}
        yield from compare_row("deployment", account.id, fees, row)
    endpoints = account.endpoints.values()
    for table, key, expected in (
        ("members", ["id"], [MEMBERS.row(one, account, {}) for one in account.members.values()]),
        ("api_keys", ["id"], [_key_row(account.id, one) for one in account.keys.values()]),
        (
            "sessions",
            ["id"],
            [SESSIONS.row(one, account, {}) | {"is_recognised": True} for one in account.sessions.values()],
        ),
        ("payees", ["account_id"], [PAYEES.row(account.payee, account, {})] if account.payee is not None else []),
        ("endpoints", ["id"], [ENDPOINTS.row(one, account, {}) for one in endpoints]),
        (
            "endpoint_secrets",
            ["endpoint_id", "fingerprint"],
            [SECRETS.row(secret, one, {}) for one in endpoints for secret in one.secrets],
        ),
    ):
        yield from compare(table, expected, parts[table], by=key)


_ACCOUNT_COLUMNS: Final = (
    "name",
    "type",
    "is_operator",
    "is_mediator",
    "disabled_at",
    "points_per_second",
    "created_at",
)
_KEY_COLUMNS: Final = (
    "id",
    "member_id",
    "fingerprint",
    "hint",
    "name",
    "created_at",
    "expires_at",
    "revoked_at",
    "created_by",
)


def account_row(account: Account) -> Row:
    return {name: getattr(account, name) for name in _ACCOUNT_COLUMNS}


def _key_row(account_id: str, key: Key) -> Row:
    """The secret's digest is compared through the fingerprint that the event holds; the last use is nobody's event."""
    return {name: getattr(key, name) for name in _KEY_COLUMNS} | {
        "account_id": account_id,
        "scopes": list(key.scopes),
        "contract_ids": None if key.contract_ids is None else list(key.contract_ids),
    }
