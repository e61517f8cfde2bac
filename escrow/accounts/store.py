"""The one read and the one write of a command on accounts.

The read is one statement, so everything in it is of one moment. The write is one statement that hangs on the version of the
account's row: no row, nothing written. Writes touch one account and its log; the operator's also the row of the fees.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from escrow import database, ids, log
from escrow.access import AccountType, Actor, Scope
from escrow.accounts import commands, store_endpoints
from escrow.accounts.commands.endpoints import CreateEndpoint, EndpointCommand
from escrow.accounts.inputs import spelling
from escrow.accounts.state import Account, AccountSurroundings, Key, Member
from escrow.accounts.state.endpoints import SealedSecret
from escrow.accounts.tables import MEMBERS
from escrow.accounts.visibility import PARAMETERS as VISIBLE_PARAMETERS
from escrow.accounts.visibility import visible_arguments, visible_sql
from escrow.agreement.state import Fees
from escrow.idempotency import Idempotency, StoredKey, stored


@dataclass(frozen=True, slots=True)
class Loaded:
    """An account as the database has it (or nothing), where its stream stands, and what surrounds it."""

    account: Account | None
    version: int
    last_hash: str | None
    last_event_at: datetime | None
    around: AccountSurroundings
    key: StoredKey | None
    """The actor's idempotency key, if one was named and a command has used it."""


@dataclass(frozen=True, slots=True)
class _Named:
    """What of the database a command speaks of. Values that no row can have are left out before they reach SQL."""

    account_id: str | None = None
    member_id: str | None = None
    key_id: str | None = None
    is_operators: bool = False
    person: str | None = None
    contract_ids: tuple[str, ...] = ()
    with_keys: bool = False
    endpoint_id: str | None = None
    with_endpoints: bool = False


def _named(command: commands.AccountCommand) -> _Named:
    if isinstance(command, commands.SetFees):
        return _Named(is_operators=True)
    if isinstance(command, commands.RemoveMember):
        return _Named(member_id=_one(ids.Kind.MEMBER, command.member_id), with_keys=True)
    if isinstance(command, commands.RevokeApiKey):
        return _Named(key_id=_one(ids.Kind.KEY, command.key_id), with_keys=True)
    if isinstance(command, EndpointCommand):
        return _named_endpoint(command)
    account_id = _one(ids.Kind.ACCOUNT, getattr(command, "account_id", None)) or ""
    if isinstance(command, commands.AddMember):
        member_id = _one(ids.Kind.MEMBER, command.member_id)
        return _Named(account_id=account_id, member_id=member_id, person=_text(spelling(command.person)))
    if isinstance(command, commands.CreateApiKey):
        return _Named(
            account_id=account_id,
            member_id=_one(ids.Kind.MEMBER, command.member_id),
            key_id=_one(ids.Kind.KEY, command.key_id),
            contract_ids=_contracts(command.contract_ids),
            with_keys=True,
        )
    return _Named(account_id=account_id)


def _named_endpoint(command: EndpointCommand) -> _Named:
    limit = getattr(command, "limit", None)
    return _Named(
        account_id=(_one(ids.Kind.ACCOUNT, command.account_id) or "") if isinstance(command, CreateEndpoint) else None,
        endpoint_id=_one(ids.Kind.ENDPOINT, command.endpoint_id),
        contract_ids=_contracts(limit.contract_ids if limit is not None else None),
        with_endpoints=True,
    )


def _contracts(contract_ids: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(one for one in contract_ids or () if ids.is_a(ids.Kind.CONTRACT, one))


def _one(kind: ids.Kind, identifier: str | None) -> str | None:
    return identifier if identifier is not None and ids.is_a(kind, identifier) else None


def _text(value: str) -> str | None:
    """`value` if PostgreSQL could hold it; what it couldn't, no row has."""
    return None if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value) else value


async def load(command: commands.AccountCommand, actor: Actor, *, idempotency: Idempotency | None = None) -> Loaded:
    """All that deciding `command` needs, in one statement. Refuses with `log.UnknownEvent` what a later release wrote."""
    return await _load(_named(command), actor, idempotency)


async def load_result(result: Mapping[str, str], actor: Actor) -> Loaded:
    """The account that an earlier command was about, as it is now, with the member, key or endpoint that it named."""
    named = _Named(
        account_id=result["account_id"],
        member_id=result.get("member_id"),
        key_id=result.get("key_id"),
        with_keys=True,
        endpoint_id=result.get("endpoint_id"),
        with_endpoints="endpoint_id" in result,
    )
    return await _load(named, actor, None)


async def _load(named: _Named, actor: Actor, idempotency: Idempotency | None) -> Loaded:
    row = await database.fetch_row(
        _LOAD,
        named.account_id,
        named.member_id,
        named.key_id,
        named.is_operators,
        named.person,
        list(named.contract_ids),
        named.with_keys,
        named.endpoint_id,
        named.with_endpoints,
        *visible_arguments(actor),
        log.VOCABULARY,
        *log.KNOWN,
        idempotency.key if idempotency is not None else None,
    )
    if row is None:
        raise RuntimeError("the database has no row of deployment: run `earnest migrate`")
    if row["has_unknown_events"]:
        raise log.UnknownEvent(f"{row['id']} has events of a later release: update Earnest")
    return _loaded(row)


def _loaded(row: database.Record) -> Loaded:
    around = AccountSurroundings(
        now=row["now"],
        real_now=row["real_now"],
        is_visible=row["is_visible"],
        operator_exists=row["operator_exists"],
        shared_with=row["shared_with"],
        reachable_contract_ids=frozenset(row["reachable_contract_ids"]),
    )
    key = stored(row["input_sha256"], row["result"])
    if row["id"] is None:
        return Loaded(None, 0, None, None, around, key)
    account = Account(
        id=row["id"],
        name=row["name"],
        type=AccountType(row["type"]),
        is_operator=row["is_operator"],
        created_at=row["created_at"],
        is_mediator=row["is_mediator"],
        disabled_at=row["disabled_at"],
        members={member.id: member for member in map(MEMBERS.read, row["members"])},
        keys={key.id: key for key in map(_key, json.loads(row["keys"]))},
        endpoints=store_endpoints.read(row["endpoints"]),
        fees=Fees(row["client_fee_bps"], row["freelancer_fee_bps"]),
    )
    return Loaded(account, row["version"], row["last_hash"], row["last_event_at"], around, key)


def _key(row: dict[str, Any]) -> Key:
    return Key(
        id=row["id"],
        member_id=row["member_id"],
        name=row["name"],
        scopes=tuple(Scope(scope) for scope in row["scopes"]),
        contract_ids=tuple(row["contract_ids"]) if row["contract_ids"] is not None else None,
        hint=row["hint"],
        fingerprint=row["fingerprint"],
        created_at=datetime.fromisoformat(row["created_at"]),
        expires_at=_time(row["expires_at"]),
        revoked_at=_time(row["revoked_at"]),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


_VISIBLE_FIRST: Final = 10
_actor = f"${_VISIBLE_FIRST}"
_vocabulary, _types, _versions, _key_name = (f"${_VISIBLE_FIRST + VISIBLE_PARAMETERS + n}" for n in range(4))

_LOAD: Final = f"""
SELECT account.*, deployment.client_fee_bps, deployment.freelancer_fee_bps, clock.real_now,
    greatest(clock.real_now + deployment.clock_offset, account.last_event_at) AS now,
    account.id IS NOT NULL AND {visible_sql("account", first=_VISIBLE_FIRST)} AS is_visible,
    EXISTS (SELECT FROM accounts WHERE is_operator) AS operator_exists,
    ARRAY(
        SELECT ROW({MEMBERS.select("member")}) FROM members AS member
        WHERE member.account_id = account.id AND (member.removed_at IS NULL OR member.id = $2)) AS members,
    coalesce((
        SELECT json_agg(held) FROM (
            SELECT id, member_id, name, scopes, contract_ids, hint, created_at, expires_at, revoked_at,
                   encode(sha256(secret_sha256), 'hex') AS fingerprint
            FROM api_keys
            WHERE account_id = account.id AND $7::boolean AND (revoked_at IS NULL OR id = $3)) AS held), '[]') AS keys,
    {store_endpoints.load_sql(account="account", wanted="$9", named="$8")} AS endpoints,
    (
        SELECT member.account_id FROM members AS member
        WHERE member.person = $5::text AND member.removed_at IS NULL AND EXISTS (
            SELECT FROM contracts WHERE client_id = account.id AND freelancer_id = member.account_id
                AND state IN ('PROPOSED', 'ACTIVE')
            UNION ALL
            SELECT FROM contracts WHERE client_id = member.account_id AND freelancer_id = account.id
                AND state IN ('PROPOSED', 'ACTIVE'))
        LIMIT 1
    ) AS shared_with,
    ARRAY (
        SELECT id FROM contracts
        WHERE id = ANY ($6::text[]) AND (account.is_operator OR account.id IN (client_id, freelancer_id)
            OR (account.is_mediator AND was_disputed))
    ) AS reachable_contract_ids,
    {log.UNKNOWN_SQL.format(stream="account.id", vocabulary=_vocabulary, types=_types, versions=_versions)}
        AS has_unknown_events,
    used.input_sha256, used.result
FROM deployment CROSS JOIN (SELECT clock_timestamp() AS real_now) AS clock
LEFT JOIN idempotency_keys AS used ON used.account_id = {_actor}::text AND used.key = {_key_name}::text
LEFT JOIN accounts AS account ON account.id = CASE
    WHEN $1::text IS NOT NULL THEN $1::text
    WHEN $4::boolean THEN (SELECT id FROM accounts WHERE is_operator)
    ELSE coalesce(
        (SELECT account_id FROM members WHERE id = $2::text), (SELECT account_id FROM api_keys WHERE id = $3::text),
        (SELECT account_id FROM endpoints WHERE id = $8::text))
END
"""  # noqa: S608 - constants, numbers of parameters and names of rows are filled in


async def write(
    before: Loaded,
    after: Account,
    sealed: Sequence[log.Sealed],
    *,
    digest: bytes | None = None,
    secrets: Sequence[SealedSecret] = (),
    actor: Actor | None = None,
    idempotency: Idempotency | None = None,
    result: Mapping[str, str] | None = None,
) -> bool:
    """Write what changed, with its events, if the account is still at the version that was loaded; else write nothing.

    `digest` is that of the secret of a key that is new in `after`, `secrets` those of an endpoint. With
    `idempotency`, its key and the `result` are kept for the actor's account. Answers whether it was written. Fails with
    asyncpg's `UniqueViolationError` on `idempotency_keys_pkey` if another command used that key meanwhile.
    """
    was = before.account
    last = sealed[-1] if sealed else None
    arguments = [
        after.id,
        before.version,
        before.version + len(sealed),
        last.hash if last else before.last_hash,
        last.recorded.at if last else before.last_event_at,
        after.is_mediator,
        after.disabled_at,
        *_member_columns(_changed(was.members.values() if was else (), after.members.values())),
        *_key_columns(_changed(was.keys.values() if was else (), after.keys.values()), digest),
        *_fee_change(was.fees if was else after.fees, after.fees),
        actor.account_id if actor else None,
        idempotency.key if idempotency else None,
        idempotency.input_sha256 if idempotency else None,
        json.dumps(dict(result or {})),
        *store_endpoints.arguments(was, after, secrets),
        *log.append_arguments(after.id, sealed),
    ]
    if was is None:
        arguments += [after.name, after.type.value, after.is_operator, after.created_at]
    return await database.fetch_row(_CREATE if was is None else _CHANGE, *arguments) is not None


def _changed(before: Iterable[Any], after: Iterable[Any]) -> list[Any]:
    """What is not the same value as before."""
    known = {one.id: one for one in before}
    return [one for one in after if known.get(one.id) != one]


def _member_columns(members: Sequence[Member]) -> list[object]:
    return [
        [member.id for member in members],
        [member.person for member in members],
        [member.name for member in members],
        [member.role.value for member in members],
        [member.added_at for member in members],
        [member.removed_at for member in members],
    ]


def _key_columns(keys: Sequence[Key], digest: bytes | None) -> list[object]:
    """The keys whose end is new, and the one key that is new itself; a command makes one at most."""
    ended = [key for key in keys if key.revoked_at is not None]
    made = next((key for key in keys if key.revoked_at is None), None)
    values: list[object] = [None] * 9
    if made is not None:
        contract_ids = list(made.contract_ids) if made.contract_ids is not None else None
        scopes = [scope.value for scope in made.scopes]
        values = [made.id, made.member_id, digest, made.hint, made.name, scopes, contract_ids, made.created_at]
        values.append(made.expires_at)
    return [[key.id for key in ended], [key.revoked_at for key in ended], *values]


def _fee_change(before: Fees, after: Fees) -> tuple[int | None, int | None]:
    return (None, None) if before == after else (after.client_bps, after.freelancer_bps)


_ENDPOINT_FIRST: Final = 31
_APPEND_FIRST: Final = _ENDPOINT_FIRST + store_endpoints.PARAMETERS
_name, _type, _is_operator, _created_at = (f"${_APPEND_FIRST + log.APPEND_PARAMETERS + number}" for number in range(4))

_ROWS: Final = f"""
peopled AS (
    INSERT INTO members (account_id, id, person, name, role, added_at, removed_at)
    SELECT moved.id, member.* FROM moved, unnest(
        $8::text[], $9::text[], $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[]) AS member
    ON CONFLICT (id) DO UPDATE SET removed_at = excluded.removed_at
), ended AS (
    UPDATE api_keys SET revoked_at = gone.at FROM moved, unnest($14::text[], $15::timestamptz[]) AS gone (id, at)
    WHERE api_keys.id = gone.id
), keyed AS (
    INSERT INTO api_keys (
        account_id, id, member_id, secret_sha256, hint, name, scopes, contract_ids, created_at, expires_at)
    SELECT id, $16::text, $17::text, $18::bytea, $19::text, $20::text, $21::text[], $22::text[],
        $23::timestamptz, $24::timestamptz
    FROM moved WHERE $16::text IS NOT NULL
), charged AS (
    UPDATE deployment SET client_fee_bps = $25::int, freelancer_fee_bps = $26::int FROM moved
    WHERE $25::int IS NOT NULL
), kept AS (
    INSERT INTO idempotency_keys (account_id, key, input_sha256, result)
    SELECT $27::text, $28::text, $29::bytea, $30::jsonb FROM moved WHERE $28::text IS NOT NULL
), {store_endpoints.write_sql(guard="moved", first=_ENDPOINT_FIRST)}, {log.append_sql(guard="moved", first=_APPEND_FIRST)}
SELECT id FROM moved
"""  # noqa: S608 - constants and numbers of parameters are filled in

_CREATE: Final = f"""
WITH moved AS (
    INSERT INTO accounts (
        id, version, last_hash, last_event_at, is_mediator, disabled_at, name, type, is_operator, created_at)
    SELECT $1::text, $3::bigint, $4::text, $5::timestamptz, $6::boolean, $7::timestamptz,
        {_name}::text, {_type}::text, {_is_operator}::boolean, {_created_at}::timestamptz
    WHERE $2::bigint = 0
    ON CONFLICT DO NOTHING RETURNING id
), {_ROWS}"""

_CHANGE: Final = f"""
WITH moved AS (
    UPDATE accounts SET version = $3::bigint, last_hash = $4::text, last_event_at = $5::timestamptz,
        is_mediator = $6::boolean, disabled_at = $7::timestamptz
    WHERE id = $1::text AND version = $2::bigint
    RETURNING id
), {_ROWS}"""  # noqa: S608 - a constant of this module
