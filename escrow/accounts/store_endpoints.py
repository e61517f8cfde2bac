"""Makes the parts of an account's two statements, the read and the write, that are about webhook endpoints.

A command changes one endpoint at most. Its secrets' ciphertexts are written and never read here.
"""

# ruff: noqa: S608 - only our own columns, names of CTEs and numbers of parameters are filled into statements

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from escrow.accounts.state import Account
from escrow.accounts.state.endpoints import Endpoint, SealedSecret, Secret
from escrow.accounts.tables import ENDPOINTS, SECRETS
from escrow.database import Record


def load_sql(*, account: str, wanted: str, named: str) -> str:
    """An expression: the endpoints of the row `account` that are present, and the one `named`, if they are `wanted`."""
    return f"""ARRAY(
        SELECT ROW({ENDPOINTS.select("endpoint")}, {secrets_sql("true", order="created_at, algorithm")})
        FROM endpoints AS endpoint
        WHERE endpoint.account_id = {account}.id AND {wanted}::boolean
        AND (endpoint.deleted_at IS NULL OR endpoint.id = {named}::text))"""


def secrets_sql(condition: str, *, order: str) -> str:
    """An expression: those secrets of the row `endpoint` for which a condition holds, in an order."""
    return f"""ARRAY(
            SELECT ROW({SECRETS.select("secret")}) FROM endpoint_secrets AS secret
            WHERE endpoint_id = endpoint.id AND {condition} ORDER BY {order})"""


def read(rows: Iterable[Sequence[Any]]) -> dict[str, Endpoint]:
    """What the expression gave, by id."""
    return {one.id: one for one in (endpoint(row, row[len(ENDPOINTS.loaded)]) for row in rows)}


def endpoint(row: Record | Sequence[Any], secrets: Iterable[Sequence[Any]]) -> Endpoint:
    """An endpoint from its row and those of its secrets."""
    return ENDPOINTS.read(row, secrets=tuple(map(SECRETS.read, secrets)))


PARAMETERS: Final = 11


def write_sql(*, guard: str, first: int) -> str:
    """CTEs that write the changed endpoint and its secrets, if `guard` has its one row; the parameters are `arguments`."""
    (
        identifier, rows, gone, ended, ends, fingerprints, algorithms, public_keys, ciphertexts, made_at, expires_at,
    ) = (f"${number}" for number in range(first, first + PARAMETERS))  # fmt: skip
    return f"""{ENDPOINTS.upsert(guard, rows)}, forgotten AS (
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
)"""


def arguments(before: Account | None, after: Account, sealed: Sequence[SealedSecret]) -> list[object]:
    """The arguments of `write_sql`. `sealed` has the ciphertexts of the secrets that are new in `after`."""
    known = before.endpoints if before is not None else {}
    changed = [one for one in after.endpoints.values() if known.get(one.id) != one]
    if not changed:
        return [None, "[]", *([] for _ in range(PARAMETERS - 2))]
    (one,) = changed
    return [
        one.id,
        orjson.dumps([ENDPOINTS.row(one, after, {})]).decode(),
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
