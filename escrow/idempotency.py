"""Makes commands safe to repeat: the key, a digest of the input and the ids of the result are stored by the command's own write.

Keys are scoped to an account. The same key and input answer with the first result's objects as they are now; with another
input the key is refused. A refused command stores nothing, so it may be tried again with the same key. Whoever stores or
reads a key does it with the SQL of this module.
"""

# ruff: noqa: S608 - only names and numbers of parameters are filled into statements

from __future__ import annotations

import functools
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, ParamSpec, TypeVar

import asyncpg
import orjson

from escrow import database, log
from escrow.access import Actor
from escrow.codec import Json
from escrow.errors import IdempotencyKeyReused, InvalidInput

P = ParamSpec("P")
R = TypeVar("R")

KEY_CHARACTERS_MAX: Final = 255

KEPT_DAYS: Final = 30
"""How long the key of a command without a contract is kept; the others live as long as their contract."""

NO_INPUT_SQL: Final = "sha256(uuid_send(gen_random_uuid()))"
"""A digest of nothing, for a key whose input was erased: its own digest has no salt, so that short words could be guessed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """A key as it came with a command, and the sha256 of the input that it came with."""

    key: str
    input_sha256: bytes


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key that a command has used: the digest of its input, and the ids of what came of it, by name."""

    input_sha256: bytes
    result: Mapping[str, str]


def idempotency(key: str, *, operation: str, given: Json) -> Idempotency:
    """The key for `operation` with the input `given`, before anything fresh was added to it.

    Refuses with `InvalidInput` a key that is empty, too long or unprintable.
    """
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX or not key.isprintable():
        raise InvalidInput(
            f"An idempotency key has 1 to {KEY_CHARACTERS_MAX} printable characters.", field="idempotencyKey"
        )
    digest = hashlib.sha256(log.canonical({"operation": operation, "input": given}).encode()).digest()
    return Idempotency(key=key, input_sha256=digest)


def join_sql(*, account: str, key: str) -> str:
    """The key of an account, both given as SQL, beside the rows of a statement that selects `COLUMNS_SQL`."""
    return f"LEFT JOIN idempotency_keys AS used ON used.account_id = {account} AND used.key = {key}"


COLUMNS_SQL: Final = "used.input_sha256, used.result"


def stored(row: database.Record | None) -> StoredKey | None:
    """The key in a row with `COLUMNS_SQL`; `None` if it is new."""
    if row is None or row["input_sha256"] is None:
        return None
    return StoredKey(row["input_sha256"], orjson.loads(row["result"]))


def replay(given: Idempotency | None, found: StoredKey | None) -> Mapping[str, str] | None:
    """The ids of the first result, if this command is a repetition.

    Refuses with `IdempotencyKeyReused` if the key came with another input before.
    """
    if given is None or found is None:
        return None
    if found.input_sha256 != given.input_sha256:
        raise IdempotencyKeyReused(f"The idempotency key “{given.key}” was used with another input.")
    return found.result


async def first_result(by: Actor, idempotency: Idempotency | None) -> Mapping[str, str] | None:
    """`replay` for a command that reads its key by a statement of its own, if one was sent."""
    if idempotency is None:
        return None
    return replay(idempotency, stored(await database.fetch_row(_READ, by.account_id, idempotency.key)))


PARAMETERS: Final = 4
NO_KEY: Final[tuple[object, ...]] = (None,) * PARAMETERS


def store_sql(*, first: int, guard: str | None = None, contract_id: str = "NULL") -> str:
    """A CTE that stores a key, if one was sent and the CTE `guard` has its one row.

    Its parameters are `arguments`, numbered from `first` on. `contract_id` is SQL. Fails with asyncpg's
    `UniqueViolationError` if the account used that key meanwhile, which `is_conflict` tells from faults.
    """
    account, key, digest, result = (f"${number}" for number in range(first, first + PARAMETERS))
    return f"""
    kept AS (
        INSERT INTO idempotency_keys (account_id, key, input_sha256, result, contract_id)
        SELECT {account}::text, {key}::text, {digest}::bytea, {result}::jsonb, {contract_id}{f" FROM {guard}" if guard else ""}
        WHERE {key}::text IS NOT NULL
    )"""


def arguments(by: Actor, idempotency: Idempotency | None, result: Mapping[str, str]) -> tuple[object, ...]:
    """The arguments of `store_sql`, for a key of the actor's account."""
    if idempotency is None:
        return NO_KEY
    return (by.account_id, idempotency.key, idempotency.input_sha256, orjson.dumps(dict(result)).decode())


def is_conflict(error: asyncpg.UniqueViolationError, *others: str) -> bool:
    """Whether another command took the key a moment ago, or broke one of the `others`: reading again finds what it left."""
    return error.constraint_name in ("idempotency_keys_pkey", *others)


def retry_on_conflict(*others: str) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Makes a function that reads, decides and writes begin anew, as often as `is_conflict` says."""

    def make(attempt: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        @functools.wraps(attempt)
        async def retrying(*args: P.args, **options: P.kwargs) -> R:
            while True:
                try:
                    return await attempt(*args, **options)
                except asyncpg.UniqueViolationError as error:
                    if not is_conflict(error, *others):
                        raise

        return retrying

    return make


async def store(by: Actor, idempotency: Idempotency, result: Mapping[str, str]) -> bool:
    """Store a key by a statement of its own; whether nobody was faster. Waits for whoever is about to store the same."""
    return await database.fetch_value(_STORE, *arguments(by, idempotency, result)) is not None


async def once(
    make: Callable[[], Awaitable[Mapping[str, str]]], *, by: Actor, idempotency: Idempotency | None
) -> tuple[Mapping[str, str], bool]:
    """What `make` made, in one transaction with the key, or the first result of that key; and whether it is a repetition."""
    if idempotency is None:
        return await make(), False
    async with database.transaction():
        # Of two at once the second waits here until the first is done.
        if not await store(by, idempotency, {}):
            known = await first_result(by, idempotency)
            if known is None:
                raise RuntimeError("an idempotency key was forgotten while it was read")
            return known, True
        result = await make()
        await database.execute(_SET_RESULT, by.account_id, idempotency.key, orjson.dumps(dict(result)).decode())
    return result, False


_READ: Final = "SELECT input_sha256, result FROM idempotency_keys WHERE account_id = $1 AND key = $2"
_STORE: Final = """
INSERT INTO idempotency_keys (account_id, key, input_sha256, result) VALUES ($1, $2, $3, $4::jsonb)
ON CONFLICT DO NOTHING RETURNING true
"""
_SET_RESULT: Final = "UPDATE idempotency_keys SET result = $3::jsonb WHERE account_id = $1 AND key = $2"


async def forget_expired() -> int:
    """Forget the keys of commands without a contract that are older than `KEPT_DAYS`, in real time; answers how many."""
    return len(await database.fetch(_FORGET, KEPT_DAYS))


_FORGET: Final = """
DELETE FROM idempotency_keys
WHERE contract_id IS NULL AND created_at < clock_timestamp() - $1::int * interval '1 day' RETURNING 1
"""
