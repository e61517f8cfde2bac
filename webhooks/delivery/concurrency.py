"""Decides how many requests one process may have under way: in all, to each endpoint, and to those that are half-open.

An endpoint begins with few slots and earns one more with each success; after a timeout it has one. What it has come to is
kept for a moment after its last request, since at a few hundred events a second there are such moments all the time. A slot is
taken by one request and given back once, or passed on to the next delivery of the same lane. Pure: time is handed in, and
whoever sends and stores is elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one process takes on."""

    requests: int = 512
    """Requests at once: each is a connection."""
    endpoint_requests: int = 4
    """Requests at once to an endpoint that has not answered yet. One that hangs keeps no more from the others."""
    endpoint_requests_max: int = 16
    """The same to one that answered: each success opens one slot more."""
    half_open_requests: int = 128
    """Requests at once to half-open endpoints, all together; each of them gets one."""
    slow_seconds: float = 2.0
    """An endpoint whose oldest request is under way for longer gets no more until it answers."""
    kept_seconds: float = 1.0
    """How long it is remembered how many slots an endpoint had when it gave back the last one."""
    run: int = 50
    """How often a lane passes on its slot in a row, before other lanes of the endpoint get their turn."""


@dataclass(slots=True, eq=False)
class Slot:
    """A request's place, from its lease until the database knows what came of it."""

    endpoint_id: str
    began_seconds: float
    run: int = 0
    """How often it was passed on."""
    is_half_open: bool = False


@dataclass(slots=True)
class _Endpoint:
    """The slots of an endpoint that has some, and how many there may be."""

    limit: int
    slots: set[Slot] = field(default_factory=set)
    under_way: dict[Slot, None] = field(default_factory=dict)
    """Those whose request has not ended, oldest first."""
    is_half_open: bool = False

    def limit_at(self, now_seconds: float, slow_seconds: float) -> int:
        oldest = next(iter(self.under_way), None)
        is_slow = oldest is not None and now_seconds - oldest.began_seconds > slow_seconds
        if is_slow or self.is_half_open:
            return 0
        return self.limit


@dataclass(frozen=True, slots=True)
class _Kept:
    """How many slots an endpoint may have that has none now, and since when."""

    limit: int
    since_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What more may be begun at one time."""

    requests: int
    half_open_requests: int
    """Of them, at half-open endpoints."""
    endpoint_requests: int
    """At an endpoint of which nothing is known."""
    endpoints: Mapping[str, tuple[int, int]]
    """At the others: how many slots are taken, which may be none, and how many there are."""

    def at(self, endpoint_id: str) -> int:
        """How many more requests may begin at the endpoint, if it is not half-open."""
        taken, limit = self.endpoints.get(endpoint_id, (0, self.endpoint_requests))
        return max(0, limit - taken)

    def is_used_up(self, taken: int, *, half_open: int) -> bool:
        """Whether who took so many, of them so many at half-open endpoints, may have left some for want of a limit of all."""
        return taken > 0 and (taken >= self.requests or half_open >= self.half_open_requests)


@dataclass(frozen=True, slots=True)
class Span:
    """The endpoints that one look went through: those after an id, up to another one; empty for the end of all."""

    after: str = ""
    until: str = ""

    def __contains__(self, endpoint_id: str) -> bool:
        return endpoint_id > self.after and (not self.until or endpoint_id <= self.until)


class Concurrency:
    """The slots of one process."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._endpoints: dict[str, _Endpoint] = {}
        self._kept: dict[str, _Kept] = {}
        """Of endpoints that have no slots, the one that gave back its last one first at the front."""
        self._taken = 0
        self._half_open = 0
        self._crowded: set[str] = set()
        """Endpoints of which more may be due than there were slots for when they were last looked at."""

    def capacity(self, now_seconds: float) -> Capacity:
        """What may be begun now."""
        self._forget(now_seconds)
        return Capacity(
            requests=self._limits.requests - self._taken,
            half_open_requests=self._limits.half_open_requests - self._half_open,
            endpoint_requests=self._limits.endpoint_requests,
            endpoints={endpoint_id: (0, kept.limit) for endpoint_id, kept in self._kept.items()}
            | {
                endpoint_id: (len(endpoint.slots), endpoint.limit_at(now_seconds, self._limits.slow_seconds))
                for endpoint_id, endpoint in self._endpoints.items()
            },
        )

    @property
    def is_full(self) -> bool:
        """Whether a limit is reached that all endpoints share."""
        return self._taken == self._limits.requests or self._half_open == self._limits.half_open_requests

    def free_at(self, endpoint_id: str, now_seconds: float) -> int:
        """How many more requests may begin at the endpoint now, if it is not half-open."""
        endpoint = self._endpoints.get(endpoint_id)
        if endpoint is None:
            return self._limit_of(endpoint_id, now_seconds)
        return max(0, endpoint.limit_at(now_seconds, self._limits.slow_seconds) - len(endpoint.slots))

    def take(self, endpoint_id: str, now_seconds: float, *, is_half_open: bool = False) -> Slot | None:
        """A slot for a request to the endpoint; `None` if there is none left, since others were quicker."""
        if self._taken == self._limits.requests or not self.free_at(endpoint_id, now_seconds):
            return None
        if is_half_open and (endpoint_id in self._endpoints or self._half_open == self._limits.half_open_requests):
            return None
        endpoint = self._endpoints.get(endpoint_id) or self._return_of(endpoint_id, now_seconds)
        endpoint.is_half_open = is_half_open
        slot = Slot(endpoint_id, now_seconds, is_half_open=is_half_open)
        endpoint.slots.add(slot)
        endpoint.under_way[slot] = None
        self._taken += 1
        self._half_open += is_half_open
        return slot

    def _return_of(self, endpoint_id: str, now_seconds: float) -> _Endpoint:
        """An endpoint that had no slots gets some."""
        endpoint = self._endpoints[endpoint_id] = _Endpoint(self._limit_of(endpoint_id, now_seconds))
        self._kept.pop(endpoint_id, None)
        return endpoint

    def _limit_of(self, endpoint_id: str, now_seconds: float) -> int:
        """How many slots there are for an endpoint that has none."""
        self._forget(now_seconds)
        kept = self._kept.get(endpoint_id)
        return kept.limit if kept is not None else self._limits.endpoint_requests

    def _forget(self, now_seconds: float) -> None:
        """What was kept for long enough."""
        while self._kept:
            oldest = next(iter(self._kept))
            if now_seconds - self._kept[oldest].since_seconds <= self._limits.kept_seconds:
                return
            del self._kept[oldest]

    def ended(self, slot: Slot, *, is_success: bool = False, has_timed_out: bool = False) -> None:
        """The slot's request ended: it is slow no more, though its slot is free only once the database knows."""
        endpoint = self._endpoints[slot.endpoint_id]
        del endpoint.under_way[slot]
        if is_success:
            endpoint.limit = min(endpoint.limit + 1, self._limits.endpoint_requests_max)
        elif has_timed_out:
            endpoint.limit = 1

    def may_pass_on(self, slot: Slot) -> bool:
        """Whether the slot may go to the next delivery of the same lane after a success."""
        return slot.run < self._limits.run

    def pass_on(self, slot: Slot, now_seconds: float) -> Slot:
        """Give the slot back, and take it for the next delivery of the same lane; its endpoint is half-open no more."""
        endpoint = self._leave(slot)
        following = Slot(slot.endpoint_id, now_seconds, run=slot.run + 1)
        endpoint.slots.add(following)
        endpoint.under_way[following] = None
        return following

    def release(self, slot: Slot, now_seconds: float) -> None:
        """Give the slot back. What an endpoint came to is kept for a moment after its last one."""
        endpoint = self._leave(slot)
        if not endpoint.slots:
            del self._endpoints[slot.endpoint_id]
            self._kept[slot.endpoint_id] = _Kept(endpoint.limit, now_seconds)
        self._taken -= 1

    def _leave(self, slot: Slot) -> _Endpoint:
        endpoint = self._endpoints[slot.endpoint_id]
        endpoint.slots.remove(slot)
        endpoint.under_way.pop(slot, None)
        if slot.is_half_open:
            endpoint.is_half_open = False
            self._half_open -= 1
        return endpoint

    def looked(self, before: Capacity, taken: Mapping[str, int], *, half_open: Collection[str], span: Span) -> None:
        """Somebody looked for what is due with the capacity of `before`, and took so much of each endpoint.

        An endpoint of which as much was taken as might be is crowded: more of it may be due.
        """
        for endpoint_id in self._crowded | before.endpoints.keys() | taken.keys():
            if endpoint_id in half_open or taken.get(endpoint_id, 0) >= before.at(endpoint_id):
                self._crowded.add(endpoint_id)
            elif endpoint_id in span:
                self._crowded.discard(endpoint_id)

    def is_awaited(self, now_seconds: float) -> bool:
        """Whether something may be due that was passed over for want of a slot, and that there is one for now."""
        return any(self.free_at(endpoint_id, now_seconds) > 0 for endpoint_id in self._crowded)
