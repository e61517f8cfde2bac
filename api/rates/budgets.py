"""Gives each operation a budget out of what its client has left: a key, or an address for those who show none.

A wrong key is paid for by the address that shows it. Networks of IPv6 count as one address, since whoever has one has them all.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from typing import Any, Final

from api.rates.allowances import Allowances, Balance
from api.rates.shared_buckets import Rate, SharedBuckets
from escrow.access import Actor
from schema.engine.budget import OverBudget
from schema.engine.limits import COST_MAX

FULL_SECONDS: Final = 10.0
"""In how long an empty bucket of a key is full again."""

WITHOUT_A_KEY: Final = 1 / 10
"""What an address is restored, as a share of what a key is."""

WRONG_KEY: Final = 50.0
"""Points for finding out that a key is none."""

_IPV6_NETWORK: Final = 64


def rate_of_keys(points_per_second: float) -> Rate:
    """The rate of a key; its bucket holds the dearest operation in any case."""
    return Rate(max(round(points_per_second * FULL_SECONDS), COST_MAX), points_per_second)


class Rates:
    """The budgets of one process; `points_per_second` are a key's, and without them nothing is counted."""

    def __init__(self, points_per_second: float | None = None) -> None:
        self._of_keys = rate_of_keys(points_per_second) if points_per_second else None
        self._of_addresses = (
            Rate(COST_MAX, points_per_second * WITHOUT_A_KEY) if points_per_second is not None else None
        )
        self._allowances = Allowances(None)
        self._shared: SharedBuckets | None = None

    def connect(self, redis_url: str) -> None:
        """Count with the other processes from now on."""
        self._shared = SharedBuckets(redis_url)
        self._allowances = Allowances(self._shared)

    async def disconnect(self) -> None:
        """Count alone again."""
        shared, self._shared = self._shared, None
        if shared is not None:
            self._allowances = Allowances(None)
            await shared.close()

    def budget(self, actor: Actor | None, address: str) -> Spending | None:
        """What one operation of whoever asks is paid from; `None` where nothing is counted."""
        if self._of_keys is None or self._of_addresses is None:
            return None
        if actor is None:
            return Spending(self._allowances, client_of(address), self._of_addresses)
        rate = self._of_keys if actor.points_per_second is None else rate_of_keys(actor.points_per_second)
        return Spending(self._allowances, actor.credentials or actor.account_id or "", rate)

    async def wrong_key(self, address: str) -> None:
        """Let an address pay for a key that is none. Raises `OverBudget` if it has tried too often."""
        spending = self.budget(None, address)
        if spending is not None:
            await spending.spend(WRONG_KEY)


class Spending:
    """The budget of one operation."""

    def __init__(self, allowances: Allowances, client: str, rate: Rate) -> None:
        self._allowances, self._client, self._rate = allowances, client, rate
        self._requested = 0.0
        self._available = float(rate.capacity)

    async def spend(self, points: float) -> None:
        balance: Balance = await self._allowances.spend(self._client, points, self._rate)
        self._requested += points
        self._available = balance.available
        if balance.retry_after_seconds is not None:
            raise OverBudget(points, balance.retry_after_seconds)

    def charge(self, points: float) -> None:
        self._requested += points
        self._available = max(self._available - points, 0.0)
        self._allowances.charge(self._client, points, self._rate)

    def told(self) -> Mapping[str, Any]:
        return {
            "requested": math.ceil(self._requested),
            "available": math.floor(self._available),
            "restoreRate": round(self._rate.restored),
        }

    def headers(self, retry_after_seconds: float | None = None) -> dict[str, str]:
        """What the answer says to programs that know nothing of GraphQL."""
        missing = self._rate.capacity - self._available
        told = {
            "ratelimit-limit": str(self._rate.capacity),
            "ratelimit-remaining": str(math.floor(self._available)),
            "ratelimit-reset": str(math.ceil(missing / self._rate.restored)),
        }
        return (
            told if retry_after_seconds is None else told | {"retry-after": str(max(math.ceil(retry_after_seconds), 1))}
        )


def client_of(address: str) -> str:
    """By what an address is counted: itself, or the network of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address  # a socket in the file system has none
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, _IPV6_NETWORK), strict=False))
    return str(found)
