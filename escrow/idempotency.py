"""Repeating safely: a command's key, the digest of its input, and the ids of its result, stored by its own write.

Keys are scoped to an account. The same key and input answer with the first result's objects as they are now; with another
input the key is refused. A refused command stores nothing, so it may be tried again with the same key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from escrow import database, log
from escrow.codec import Json
from escrow.errors import IdempotencyKeyReused, InvalidInput

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


def stored(input_sha256: bytes | None, result: str | None) -> StoredKey | None:
    """The key as its row has it; `None` if there is no such row."""
    if input_sha256 is None or result is None:
        return None
    return StoredKey(input_sha256, json.loads(result))


def replay(given: Idempotency | None, found: StoredKey | None) -> Mapping[str, str] | None:
    """The ids of the first result, if this command is a repetition.

    Refuses with `IdempotencyKeyReused` if the key came with another input before.
    """
    if given is None or found is None:
        return None
    if found.input_sha256 != given.input_sha256:
        raise IdempotencyKeyReused(f"The idempotency key “{given.key}” was used with another input.")
    return found.result


async def forget_expired() -> int:
    """Forget the keys of commands without a contract that are older than `KEPT_DAYS`, in real time; answers how many."""
    return len(await database.fetch(_FORGET, KEPT_DAYS))


_FORGET: Final = """
DELETE FROM idempotency_keys
WHERE contract_id IS NULL AND created_at < clock_timestamp() - $1::int * interval '1 day' RETURNING 1
"""
