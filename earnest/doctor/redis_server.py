"""Looks at Redis: whether it answers, what it is, and whether it takes what we ring with."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ReadOnlyError, RedisError

from earnest.doctor.findings import Finding, fine, in_a_line, wrong
from earnest.engines.redis import VERSION_MIN

SUBJECT: Final = "Redis"
ANSWER_SECONDS: Final = 5.0


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Redis]:
    """A client that gives up soon, closed in the end."""
    client = Redis.from_url(url, socket_connect_timeout=ANSWER_SECONDS, socket_timeout=ANSWER_SECONDS)
    try:
        yield client
    finally:
        await client.aclose()


async def look(url: str) -> list[Finding]:
    """What is to be said of it."""
    try:
        async with connected(url) as client:
            told: dict[str, Any] = await client.info("server")
            mark = f"earnest:doctor:{secrets.token_hex(8)}"
            await client.set(mark, b"1", px=1_000)
            await client.publish(mark, b"1")
    except ReadOnlyError:
        return [wrong(SUBJECT, "it is a replica, and takes no writes", "name the primary in REDIS_URL")]
    except (RedisError, OSError, TimeoutError) as error:
        return [_refused(error) if _is_refusal(error) else _unreachable(error)]
    return [_judged(told)]


def _is_refusal(error: BaseException | None) -> bool:
    """Whether it was about who we are; the library wraps what it hears while it connects."""
    while error is not None:
        if isinstance(error, AuthenticationError | NoPermissionError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _refused(error: Exception) -> Finding:
    remedy = (
        "set user and password in REDIS_URL (redis://user:password@host:6379/0); they must be let SET, PUBLISH and EVAL"
    )
    return wrong(SUBJECT, f"it refuses us ({in_a_line(error)})", remedy)


def _unreachable(error: Exception) -> Finding:
    remedy = "see whether it runs, and whether REDIS_URL is right; until then everything goes on, but more slowly"
    return wrong(SUBJECT, f"can't be reached ({in_a_line(error)})", remedy)


def _judged(told: dict[str, Any]) -> Finding:
    name = "Valkey" if "valkey_version" in told else SUBJECT
    version = str(told.get("valkey_version", told.get("redis_version", "0")))
    if tuple(map(int, re.findall(r"\d+", version)))[:2] < VERSION_MIN:
        return wrong(
            SUBJECT, f"{name} {version} is too old", f"upgrade it to {'.'.join(map(str, VERSION_MIN))} or newer"
        )
    return fine(SUBJECT, f"{name} {version}")
