"""Keeps the leaky buckets that all web processes share, in Redis: one script, one atomic step.

A bucket holds points and fills up by itself. A process takes points out in advance, a handful at a time, so that most
requests ask nobody. Redis' own clock counts, since hosts' clocks differ.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

ANSWER_SECONDS: Final = 0.05
"""How long a request waits for Redis before the process counts by itself."""

MUTE_SECONDS: Final = 1.0
"""After Redis failed nobody asks it for so long: a Redis that hangs must not slow every request down."""

_PREFIX: Final = "earnest:rate:"

_TAKE: Final = """
local capacity, restored, least, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local known = redis.call('HMGET', KEYS[1], 'points', 'at')
local points = capacity
if known[1] then
    points = math.min(capacity, tonumber(known[1]) + math.max(0, now - tonumber(known[2])) * restored)
end
local taken = 0
if points >= least then
    taken = math.min(most, points)
    points = points - taken
    redis.call('HSET', KEYS[1], 'points', string.format('%.3f', points), 'at', string.format('%.6f', now))
    redis.call('PEXPIRE', KEYS[1], math.ceil(1000 * (capacity - points) / restored) + 1000)
end
return {string.format('%.17g', taken), string.format('%.3f', points)}
"""
"""Takes at least `least` and at most `most` points, or none; answers what was taken and what is left."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What one client may use: `capacity` points at once, and `restored` points a second in the long run."""

    capacity: int
    restored: float


class Away(Exception):
    """Redis doesn't answer, or not in time: nobody knows what is in the shared buckets."""


class SharedBuckets:
    """The buckets in one Redis."""

    def __init__(self, url: str) -> None:
        retry = Retry(NoBackoff(), 1)  # a pooled connection that Redis closed while it lay idle
        self._redis = Redis.from_url(url, retry=retry, retry_on_error=[RedisConnectionError])
        self._script = self._redis.register_script(_TAKE)
        self._muted_until = 0.0

    async def take(self, client: str, rate: Rate, *, least: float, most: float) -> tuple[float, float]:
        """Take `least` to `most` points out of the client's bucket, or none if it has less; what was taken and what is left.

        Raises `Away`.
        """
        if time.monotonic() < self._muted_until:
            raise Away
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                taken, left = await self._script(
                    keys=[_PREFIX + client], args=[rate.capacity, rate.restored, least, most]
                )
        except (RedisError, OSError, TimeoutError) as error:
            self._muted_until = time.monotonic() + MUTE_SECONDS
            raise Away from error
        return float(taken), float(left)

    async def close(self) -> None:
        """Let go of Redis."""
        await self._redis.aclose()
