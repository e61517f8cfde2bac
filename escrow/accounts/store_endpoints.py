"""Webhook endpoints in the one read and the one write of a command on accounts: the parts of both statements about them.

A command changes one endpoint at most. Its secrets' ciphertexts are written and never read here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from escrow.accounts.state import Account
from escrow.accounts.state.endpoints import Algorithm, DisabledReason, Endpoint, SealedSecret, Secret, SecretFacts


def load_sql(*, account: str, wanted: str, named: str) -> str:
    """An expression: the endpoints of the row `account` that are present, and the one `named`, if they are `wanted`."""
    return f"""coalesce((
        SELECT json_agg(kept) FROM (
            SELECT endpoint.*, coalesce((
                SELECT json_agg(json_build_object('fingerprint', fingerprint, 'algorithm', algorithm,
                    'public_key', public_key, 'created_at', created_at, 'expires_at', expires_at)
                    ORDER BY created_at, algorithm)
                FROM endpoint_secrets WHERE endpoint_id = endpoint.id), '[]') AS secrets
            FROM endpoints AS endpoint
            WHERE endpoint.account_id = {account}.id AND {wanted}::boolean
            AND (endpoint.deleted_at IS NULL OR endpoint.id = {named}::text)) AS kept), '[]')"""  # noqa: S608 - names only


def read(text: str) -> dict[str, Endpoint]:
    """What the expression gave, by id."""
    return {row["id"]: endpoint(row, row["secrets"]) for row in json.loads(text)}


def endpoint(row: Any, secrets: Sequence[Any]) -> Endpoint:
    """An endpoint from its row and those of its secrets, whose times may be texts."""
    return Endpoint(
        id=row["id"],
        url=row["url"],
        description=row["description"],
        event_types=tuple(row["event_types"]),
        contract_ids=tuple(row["contract_ids"]) if row["contract_ids"] is not None else None,
        api_version=row["api_version"],
        version=row["version"],
        created_at=_time(row["created_at"]),
        secrets=tuple(_secret(one) for one in secrets),
        disabled_at=_maybe_time(row["disabled_at"]),
        disabled_reason=DisabledReason(row["disabled_reason"]) if row["disabled_reason"] is not None else None,
        deleted_at=_maybe_time(row["deleted_at"]),
    )


def _secret(row: Any) -> Secret:
    facts = SecretFacts(
        algorithm=Algorithm(row["algorithm"]), fingerprint=row["fingerprint"], public_key=row["public_key"]
    )
    return Secret(facts=facts, created_at=_time(row["created_at"]), expires_at=_maybe_time(row["expires_at"]))


def _time(value: str | datetime) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _maybe_time(value: str | datetime | None) -> datetime | None:
    return None if value is None else _time(value)


PARAMETERS: Final = 20


def write_sql(*, guard: str, first: int) -> str:
    """CTEs that write the changed endpoint and its secrets, if `guard` has its one row; the parameters are `arguments`."""
    (
        identifier, url, description, event_types, contract_ids, api_version, version, created_at, disabled_at, reason,
        deleted_at, gone, ended, ends, fingerprints, algorithms, public_keys, ciphertexts, made_at, expires_at,
    ) = (f"${number}" for number in range(first, first + PARAMETERS))  # fmt: skip
    return f"""
addressed AS (
    INSERT INTO endpoints (
        account_id, id, url, description, event_types, contract_ids, api_version, version, created_at, disabled_at,
        disabled_reason, deleted_at)
    SELECT {guard}.id, {identifier}::text, {url}::text, {description}::text, {event_types}::text[],
        {contract_ids}::text[], {api_version}::text, {version}::int, {created_at}::timestamptz,
        {disabled_at}::timestamptz, {reason}::text, {deleted_at}::timestamptz
    FROM {guard} WHERE {identifier}::text IS NOT NULL
    ON CONFLICT (id) DO UPDATE SET url = excluded.url, description = excluded.description,
        event_types = excluded.event_types, contract_ids = excluded.contract_ids, api_version = excluded.api_version,
        version = excluded.version, disabled_at = excluded.disabled_at, disabled_reason = excluded.disabled_reason,
        deleted_at = excluded.deleted_at
), forgotten AS (
    DELETE FROM endpoint_secrets USING {guard}
    WHERE endpoint_id = {identifier}::text AND fingerprint = ANY ({gone}::text[])
), overlapping AS (
    UPDATE endpoint_secrets SET expires_at = until.at
    FROM {guard}, unnest({ended}::text[], {ends}::timestamptz[]) AS until (fingerprint, at)
    WHERE endpoint_id = {identifier}::text AND endpoint_secrets.fingerprint = until.fingerprint
), signed AS (
    INSERT INTO endpoint_secrets (endpoint_id, fingerprint, algorithm, public_key, ciphertext, created_at, expires_at)
    SELECT {identifier}::text, made.* FROM {guard}, unnest(
        {fingerprints}::text[], {algorithms}::text[], {public_keys}::text[], {ciphertexts}::bytea[],
        {made_at}::timestamptz[], {expires_at}::timestamptz[]) AS made
)"""  # noqa: S608 - only numbers of parameters and the name of a CTE are filled in


def arguments(before: Account | None, after: Account, sealed: Sequence[SealedSecret]) -> list[object]:
    """The arguments of `write_sql`. `sealed` has the ciphertexts of the secrets that are new in `after`."""
    known = before.endpoints if before is not None else {}
    changed = [one for one in after.endpoints.values() if known.get(one.id) != one]
    if not changed:
        return [None] * 11 + [[] for _ in range(PARAMETERS - 11)]
    (one,) = changed
    return [
        one.id,
        one.url,
        one.description,
        list(one.event_types),
        list(one.contract_ids) if one.contract_ids is not None else None,
        one.api_version,
        one.version,
        one.created_at,
        one.disabled_at,
        one.disabled_reason.value if one.disabled_reason is not None else None,
        one.deleted_at,
        *_secret_columns(known[one.id].secrets if one.id in known else (), one.secrets, sealed),
    ]


def _secret_columns(
    before: Sequence[Secret], after: Sequence[Secret], sealed: Sequence[SealedSecret]
) -> list[list[object]]:
    """Which secrets are gone, which of the others ends when, and the new ones."""
    was = {secret.facts.fingerprint: secret for secret in before}
    present = {secret.facts.fingerprint for secret in after}
    ended = [one for one in after if was.get(one.facts.fingerprint, one) != one]
    made = [one for one in after if one.facts.fingerprint not in was]
    ciphertexts = {one.facts.fingerprint: one.ciphertext for one in sealed}
    return [
        [fingerprint for fingerprint in was if fingerprint not in present],
        [one.facts.fingerprint for one in ended],
        [one.expires_at for one in ended],
        [one.facts.fingerprint for one in made],
        [one.facts.algorithm.value for one in made],
        [one.facts.public_key for one in made],
        [ciphertexts[one.facts.fingerprint] for one in made],
        [one.created_at for one in made],
        [one.expires_at for one in made],
    ]
