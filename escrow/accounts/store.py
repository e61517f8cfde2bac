"""Reads and writes what a command on an account is about, in one statement each.

The read is one statement, so everything in it is of one moment. The write is one statement that hangs on the version of the
account's row: no row, nothing written. Writes touch one account and its log; the operator's also the row of the fees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import orjson

from escrow import database, idempotency, ids, log
from escrow.access import AccountType, Actor, ActorKind, Scope
from escrow.accounts import store_endpoints, store_sessions
from escrow.accounts.commands import AccountCommand
from escrow.accounts.inputs import spelling
from escrow.accounts.state import Account, AccountSurroundings, Key
from escrow.accounts.state.endpoints import SealedSecret
from escrow.accounts.tables import MEMBERS, PAYEES
from escrow.accounts.tokens import Token
from escrow.accounts.visibility import visible_arguments, visible_sql
from escrow.agreement.state import Fees
from escrow.stream import Loaded as LoadedStream

Loaded = LoadedStream[Account, AccountSurroundings]

T = TypeVar("T")

_SEE_INSIDE: Final = (ActorKind.OPERATOR, ActorKind.SYSTEM)
"""For whom what belongs to any account exists."""


def _one(kind: ids.Kind, identifier: str | None) -> str | None:
    return identifier if identifier is not None and ids.is_a(kind, identifier) else None


def _text(value: str) -> str | None:
    """`value` if PostgreSQL could hold it; what it couldn't, no row has."""
    return None if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value) else value


async def load(command: AccountCommand, by: Actor, key: str | None = None) -> Loaded:
    """All that deciding `command` needs, in one statement. Refuses with `log.UnknownEvent` what a later release wrote."""
    account_id, person = getattr(command, "account_id", None), getattr(command, "person", None)
    limit = getattr(command, "limit", command)  # an endpoint's contracts stand in its limit
    return await _load(
        by,
        key,
        account_id=(_one(ids.Kind.ACCOUNT, account_id) or "") if account_id is not None else None,
        member_id=_one(ids.Kind.MEMBER, getattr(command, "member_id", None)),
        key_id=_one(ids.Kind.KEY, getattr(command, "key_id", None)),
        session_id=_one(ids.Kind.SESSION, getattr(command, "session_id", None)),
        endpoint_id=_one(ids.Kind.ENDPOINT, getattr(command, "endpoint_id", None)),
        is_operators=account_id is None and command.about is None,
        person=_text(spelling(person)) if person is not None else None,
        contract_ids=[one for one in getattr(limit, "contract_ids", None) or () if ids.is_a(ids.Kind.CONTRACT, one)],
        with_keys=command.needs_keys,
        with_descendants=getattr(command, "with_descendants", False),
        with_endpoints=command.about == "endpoint_id",
    )


async def load_result(result: Mapping[str, str], by: Actor) -> Loaded:
    """The account that an earlier command was about, as it is now, with the member, key, session or endpoint that it named."""
    return await _load(
        by,
        None,
        account_id=result["account_id"],
        member_id=result.get("member_id"),
        key_id=result.get("key_id"),
        session_id=result.get("session_id"),
        endpoint_id=result.get("endpoint_id"),
        with_keys=True,
        with_endpoints="endpoint_id" in result,
    )


async def lock(command: AccountCommand, by: Actor) -> None:
    """Wait until nobody else changes the command's account, if there is one, and hold it until the transaction ends."""
    found = (await load(command, by)).state
    if found is not None:
        await database.execute("SELECT FROM accounts WHERE id = $1 FOR NO KEY UPDATE", found.id)


async def _load(by: Actor, key: str | None, **named: object) -> Loaded:
    """What is named of the database, as in `_NOTHING`; values that no row can have were left out before they reach SQL."""
    known = {"vocabulary": log.VOCABULARY, "readable": log.READABLE}
    who = {
        **visible_arguments(by),
        "acting_key": by.key_id,
        "acting_session": by.session_id,
        "acting_member": by.member_id,
        "sees_inside": by.kind in _SEE_INSIDE,
    }
    row = await database.fetch_row(*_LOAD.bind(**_NOTHING | named, **who, **known, key=key))
    if row is None:
        raise RuntimeError("the database has no row of deployment: run `earnest migrate`")
    if row["has_unknown_events"]:
        raise log.UnknownEvent(f"{row['id']} has events of a later release: update Earnest")
    return _loaded(row)


_NOTHING: Final = {
    **dict.fromkeys(("account_id", "member_id", "key_id", "session_id", "endpoint_id", "person")),
    "contract_ids": (),
    **dict.fromkeys(("is_operators", "with_keys", "with_descendants", "with_endpoints"), False),
}
"""What a load names unless it says so."""


def _loaded(row: database.Record) -> Loaded:
    reachable = frozenset(row["reachable_contract_ids"])
    return LoadedStream(
        state=_account(row) if row["id"] is not None else None,
        version=row["version"] or 0,
        last_hash=row["last_hash"],
        last_event_at=row["last_event_at"],
        around=database.filled(AccountSurroundings, row, reachable_contract_ids=reachable),
        key=idempotency.stored(row),
    )


def _account(row: database.Record) -> Account:
    return database.filled(
        Account,
        row,
        type=AccountType(row["type"]),
        members={member.id: member for member in map(MEMBERS.read, row["members"])},
        keys={key.id: key for key in map(_key, row["keys"])},
        endpoints=store_endpoints.read(row["endpoints"]),
        sessions=store_sessions.read(row["sessions"]),
        fees=Fees(row["client_fee_bps"], row["freelancer_fee_bps"]),
        payee=PAYEES.read(row["payee"]) if row["payee"] is not None else None,
    )


def _key(values: Sequence[Any]) -> Key:
    """A key from its columns, which are selected in the order of its fields."""
    key_id, member_id, name, scopes, contract_ids, *rest = values
    limit = tuple(contract_ids) if contract_ids is not None else None
    return Key(key_id, member_id, name, tuple(map(Scope, scopes)), limit, *rest)


def line_sql(key: str) -> str:
    """A query for the ids of a key, given as SQL, and of all that came of it, in whatever account; also of those that have
    ended, since what they made may not have."""
    return f"""
    WITH RECURSIVE line AS (
        SELECT {key}::text COLLATE "C" AS id
        UNION SELECT made.id FROM line JOIN api_keys AS made ON made.created_by = line.id)
    SELECT id FROM line"""  # noqa: S608 - only the name of a parameter is filled in


_INSIDE: Final = "(:sees_inside::boolean OR account.id = :actor::text)"
"""Whether what belongs to the account exists for the actor: for others nothing of it is read."""
_KEYS: Final = f"{_INSIDE} AND :with_keys::boolean"
_ENDPOINTS: Final = f"({_INSIDE} AND :with_endpoints::boolean)"

_LOAD: Final = database.Statement(f"""
SELECT account.*, deployment.client_fee_bps, deployment.freelancer_fee_bps, clock.real_now,
    greatest(clock.real_now + deployment.clock_offset, account.last_event_at) AS now,
    account.id IS NOT NULL AND {visible_sql("account")} AS is_visible,
    EXISTS (SELECT FROM accounts WHERE is_operator) AS operator_exists,
    EXISTS (SELECT FROM api_keys WHERE id = :acting_key::text AND revoked_at IS NOT NULL)
        OR EXISTS (SELECT FROM sessions WHERE id = :acting_session::text AND ended_at IS NOT NULL)
        OR EXISTS (SELECT FROM members WHERE id = :acting_member::text AND removed_at IS NOT NULL) AS are_credentials_over,
    ARRAY(
        SELECT ROW({MEMBERS.select("member")}) FROM members AS member
        WHERE member.account_id = account.id AND {_INSIDE} AND (member.removed_at IS NULL OR member.id = :member_id)) AS members,
    ARRAY(
        SELECT ROW(id, member_id, name, scopes, contract_ids, hint, encode(sha256(secret_sha256), 'hex'),
            created_at, expires_at, revoked_at, created_by)
        FROM api_keys WHERE account_id = account.id AND {_KEYS}
        AND (revoked_at IS NULL OR id = :key_id OR :with_descendants::boolean AND id IN ({line_sql(":key_id")}))) AS keys,
    {store_sessions.load_sql(account="account", wanted=_KEYS, named=":session_id", now="clock.real_now")} AS sessions,
    (SELECT ROW({PAYEES.select("payee")}) FROM payees AS payee WHERE payee.account_id = account.id) AS payee,
    {store_endpoints.load_sql(account="account", wanted=_ENDPOINTS, named=":endpoint_id")} AS endpoints,
    (
        SELECT member.account_id FROM members AS member
        WHERE member.person = :person::text AND member.removed_at IS NULL AND EXISTS (
            SELECT FROM contracts WHERE client_id = account.id AND freelancer_id = member.account_id
                AND state IN ('PROPOSED', 'ACTIVE')
            UNION ALL
            SELECT FROM contracts WHERE client_id = member.account_id AND freelancer_id = account.id
                AND state IN ('PROPOSED', 'ACTIVE'))
        LIMIT 1
    ) AS shared_with,
    ARRAY (
        SELECT id FROM contracts
        WHERE id = ANY (:contract_ids::text[]) AND (account.is_operator OR account.id IN (client_id, freelancer_id)
            OR (account.is_mediator AND was_disputed))
    ) AS reachable_contract_ids,
    {log.UNKNOWN_SQL.format(stream="account.id", vocabulary=":vocabulary", readable=":readable")}
        AS has_unknown_events,
    {idempotency.COLUMNS_SQL}
FROM deployment CROSS JOIN (SELECT clock_timestamp() AS real_now) AS clock
{idempotency.join_sql(account=":actor::text", key=":key::text")}
LEFT JOIN accounts AS account ON account.id = CASE
    WHEN :account_id::text IS NOT NULL THEN :account_id::text
    WHEN :is_operators::boolean THEN (SELECT id FROM accounts WHERE is_operator)
    ELSE coalesce(
        (SELECT account_id FROM members WHERE id = :member_id::text), (SELECT account_id FROM api_keys WHERE id = :key_id::text),
        (SELECT account_id FROM sessions WHERE id = :session_id::text),
        (SELECT account_id FROM endpoints WHERE id = :endpoint_id::text))
END
""")  # noqa: S608 - constants and names of rows are filled in


async def write(
    before: Loaded,
    after: Account,
    sealed: Sequence[log.Sealed],
    *,
    token: Token | None = None,
    secrets: Sequence[SealedSecret] = (),
    key: Sequence[object] = idempotency.NO_KEY,
) -> bool:
    """Write what changed, with its events, if the account is still at the version that was loaded; else write nothing.

    `token` is that of a key or session that is new in `after`, `secrets` are those of an endpoint, `key` is by
    `idempotency.arguments`. Answers whether it was written. Fails with asyncpg's `UniqueViolationError` if another command
    used the idempotency key meanwhile.
    """
    was = before.state
    last = sealed[-1] if sealed else None
    arguments = [
        after.id,
        before.version,
        before.version + len(sealed),
        last.hash if last else before.last_hash,
        last.recorded.at if last else before.last_event_at,
        after.is_mediator,
        after.disabled_at,
        orjson.dumps(
            [MEMBERS.row(one, after, {}) for one in _changed(was.members if was else {}, after.members)]
        ).decode(),
        *_key_columns(_changed(was.keys if was else {}, after.keys), token),
        *_fee_change(was.fees if was else after.fees, after.fees),
        *key,
        *store_endpoints.arguments(was, after, secrets),
        *store_sessions.arguments(was, after, token),
        orjson.dumps(log.event_rows(sealed)).decode(),
        orjson.dumps(log.text_rows(sealed)).decode(),
        after.points_per_second,
        orjson.dumps(_payee_rows(was, after)).decode(),
    ]
    if was is None:
        arguments += [after.name, after.type.value, after.is_operator, after.created_at]
    return await database.fetch_row(_CREATE if was is None else _CHANGE, *arguments) is not None


def _changed(before: Mapping[str, T], after: Mapping[str, T]) -> list[T]:
    """What is not the same value as before."""
    return [one for name, one in after.items() if before.get(name) != one]


def _payee_rows(before: Account | None, after: Account) -> list[dict[str, Any]]:
    if after.payee is None or (before is not None and before.payee == after.payee):
        return []
    return [PAYEES.row(after.payee, after, {})]


def _key_columns(keys: Sequence[Key], token: Token | None) -> list[object]:
    """The keys whose end is new, and the one key that is new itself; a command makes one at most."""
    ended = [key for key in keys if key.revoked_at is not None]
    made = next((key for key in keys if key.revoked_at is None), None)
    values: list[object] = [None] * 10
    if made is not None:
        contract_ids = list(made.contract_ids) if made.contract_ids is not None else None
        scopes = [scope.value for scope in made.scopes]
        digest = token.digest if token is not None else None
        values = [made.id, made.member_id, digest, made.hint, made.name, scopes, contract_ids, made.created_at]
        values += [made.expires_at, made.created_by]
    return [[key.id for key in ended], [key.revoked_at for key in ended], *values]


def _fee_change(before: Fees, after: Fees) -> tuple[int | None, int | None]:
    return (None, None) if before == after else (after.client_bps, after.freelancer_bps)


_KEY_FIRST: Final = 23
_ENDPOINT_FIRST: Final = _KEY_FIRST + idempotency.PARAMETERS
_SESSION_FIRST: Final = _ENDPOINT_FIRST + store_endpoints.PARAMETERS
_APPEND_FIRST: Final = _SESSION_FIRST + store_sessions.PARAMETERS
_events, _words, _rate, _payee, *_new = (f"${_APPEND_FIRST + number}" for number in range(8))
_name, _type, _is_operator, _created_at = _new

_ROWS: Final = f"""
{MEMBERS.upsert("moved", "$8")}, {PAYEES.upsert("moved", _payee)}, ended AS (
    UPDATE api_keys SET revoked_at = gone.at FROM moved, unnest($9::text[], $10::timestamptz[]) AS gone (id, at)
    WHERE api_keys.id = gone.id
), keyed AS (
    INSERT INTO api_keys (
        account_id, id, member_id, secret_sha256, hint, name, scopes, contract_ids, created_at, expires_at, created_by)
    SELECT id, $11::text, $12::text, $13::bytea, $14::text, $15::text, $16::text[], $17::text[],
        $18::timestamptz, $19::timestamptz, $20::text
    FROM moved WHERE $11::text IS NOT NULL
), charged AS (
    UPDATE deployment SET client_fee_bps = $21::int, freelancer_fee_bps = $22::int FROM moved
    WHERE $21::int IS NOT NULL
), {idempotency.store_sql(guard="moved", first=_KEY_FIRST)}, {
    store_endpoints.write_sql(guard="moved", first=_ENDPOINT_FIRST)
}, {store_sessions.write_sql(guard="moved", first=_SESSION_FIRST)}, {log.append_sql("moved", _events)}, {
    log.words_sql(_words)
}
SELECT id FROM moved
"""  # noqa: S608 - constants and numbers of parameters are filled in

_CREATE: Final = f"""
WITH moved AS (
    INSERT INTO accounts (
        id, version, last_hash, last_event_at, is_mediator, disabled_at, points_per_second, name, type, is_operator,
        created_at)
    SELECT $1::text, $3::bigint, $4::text, $5::timestamptz, $6::boolean, $7::timestamptz, {_rate}::int,
        {_name}::text, {_type}::text, {_is_operator}::boolean, {_created_at}::timestamptz
    WHERE $2::bigint = 0
    ON CONFLICT DO NOTHING RETURNING id
), {_ROWS}"""

_CHANGE: Final = f"""
WITH moved AS (
    UPDATE accounts SET version = $3::bigint, last_hash = $4::text, last_event_at = $5::timestamptz,
        is_mediator = $6::boolean, disabled_at = $7::timestamptz, points_per_second = {_rate}::int
    WHERE id = $1::text AND version = $2::bigint
    RETURNING id
), {_ROWS}"""  # noqa: S608 - a constant of this module
