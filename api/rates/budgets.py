"""Gives each operation a budget out of what its client has left: an account, or an address for those who show no key.

A wrong key is paid for by the address that shows it. Whoever has nothing left is told so before anything is read.
Networks of IPv6 count as one address, since whoever has one has them all.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from api.rates.allowances import Allowances, Balance
from api.rates.pacing import Pacing
from api.rates.shared_buckets import Rate, SharedBuckets
from escrow import ids, meters
from escrow.access import Actor
from schema.engine import costs
from schema.engine.budget import OverBudget
from schema.engine.limits import COST_MAX

FULL_SECONDS: Final = 10.0
"""In how long an empty bucket of an account is full again."""

WITHOUT_A_KEY: Final = 1 / 10
"""What an address is restored, as a share of what an account is."""

WRONG_KEY: Final = 50.0
"""Points for finding out that a key is none."""

ADDRESSES_KEPT_MAX: Final = 4_096
"""Addresses of which it is remembered what they are counted by: each request asks, some of them twice."""

ADDRESS_CHARACTERS_MAX: Final = 45
"""The longest address; what a proxy hands on in its place may be of any length, and isn't kept."""

_IPV6_NETWORK: Final = 64

_POINTS: Final = meters.Counter("earnest_rate_points", "Points that clients used of their budgets in this process")
_REFUSALS: Final = meters.Counter(
    "earnest_rate_refusals", "Times that a client had too few points left: an account, an address", "client"
)


def rate_of_accounts(points_per_second: float) -> Rate:
    """The rate of an account, all its keys together; its bucket holds the dearest operation in any case."""
    return Rate(max(round(points_per_second * FULL_SECONDS), COST_MAX), points_per_second)


class Rates:
    """The budgets of one process; `points_per_second` are an account's, and without them nothing is counted."""

    def __init__(self, points_per_second: float | None = None) -> None:
        self._of_accounts = rate_of_accounts(points_per_second) if points_per_second else None
        self._of_addresses = (
            Rate(COST_MAX, points_per_second * WITHOUT_A_KEY) if points_per_second is not None else None
        )
        self._allowances = Allowances(None)
        self._shared: SharedBuckets | None = None
        self._pacing = Pacing()

    def connect(self, redis_url: str) -> None:
        """Count with the other processes from now on."""
        self._shared = SharedBuckets(redis_url)
        self._allowances = Allowances(self._shared)

    @property
    def clients(self) -> int:
        """How many are counted here."""
        return len(self._allowances)

    async def disconnect(self) -> None:
        """Count alone again."""
        shared, self._shared = self._shared, None
        if shared is not None:
            self._allowances = Allowances(None)
            await shared.close()

    def budget(self, actor: Actor | None, address: str) -> Spending | None:
        """What one operation of whoever asks is paid from; `None` where nothing is counted."""
        if self._of_accounts is None or self._of_addresses is None:
            return None
        if actor is None:
            return Spending(self._allowances, client_of(address), self._of_addresses)
        rate = self._of_accounts if actor.points_per_second is None else rate_of_accounts(actor.points_per_second)
        return Spending(self._allowances, actor.account_id or actor.credentials or "", rate)

    async def wrong_key(self, address: str, length: int = 0) -> None:
        """Let an address pay for a key that is none, and for what was read of it. Raises `OverBudget` if it tried too often."""
        spending = self.budget(None, address)
        if spending is not None:
            await spending.spend(WRONG_KEY + costs.of_bytes(length))

    def is_barred(self, address: str) -> bool:
        """Whether an address has tried so many wrong keys, or asked so much without one, that it can't pay for another."""
        spending = self.budget(None, address)
        return spending is not None and spending.lacks(WRONG_KEY)

    async def use(self, spending: Spending | None, points: float) -> None:
        """Let a client use what can't be refused: whoever has nothing left waits, at the pace of refusals."""
        if spending is not None:
            spending.charge(points)
            if spending.lacks(0):
                await self.pause(spending.client)

    async def pause(self, client: str) -> None:
        """Return when this client may be told no once more: at once, unless it is told so again and again."""
        await self._pacing.pause(client)


class Spending:
    """The budget of one operation."""

    __slots__ = ("_allowances", "_available", "_paid", "_rate", "_requested", "client")

    def __init__(self, allowances: Allowances, client: str, rate: Rate) -> None:
        self._allowances, self.client, self._rate = allowances, client, rate
        self._requested = 0.0
        self._paid = 0.0
        self._available = float(rate.capacity)

    async def admit(self, length: int = 0) -> None:
        """Pay for being heard at all, and for as many bytes as are to be read; what the operation costs goes on from there."""
        await self.spend(costs.OPERATION)
        self._paid = costs.OPERATION
        if length > costs.BYTES_FREE:
            await self.spend(costs.of_bytes(length))

    async def pay_bytes(self, length: int) -> None:
        """Pay for so many bytes more that are to be read."""
        await self.spend(costs.of_bytes(length))

    def lacks(self, points: float) -> bool:
        """Whether it is known that so much isn't there."""
        return self._allowances.missing(self.client, points, self._rate) > 0

    async def spend(self, points: float) -> None:
        self._paid, points = max(self._paid - points, 0.0), max(points - self._paid, 0.0)
        balance: Balance = await self._allowances.spend(self.client, points, self._rate)
        self._requested += points
        self._available = balance.available
        if balance.retry_after_seconds is not None:
            _REFUSALS.add("account" if self.client.startswith(ids.Kind.ACCOUNT) else "address")
            raise OverBudget(points, balance.retry_after_seconds)
        _POINTS.add(by=points)

    def charge(self, points: float) -> None:
        self._requested += points
        self._available = max(self._available - points, 0.0)
        self._allowances.charge(self.client, points, self._rate)
        _POINTS.add(by=points)

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
    return _known(address) if len(address) <= ADDRESS_CHARACTERS_MAX else _client_of(address)


def _client_of(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address  # a socket in the file system has none
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, _IPV6_NETWORK), strict=False))
    return str(found)


_known: Final = lru_cache(maxsize=ADDRESSES_KEPT_MAX)(_client_of)
