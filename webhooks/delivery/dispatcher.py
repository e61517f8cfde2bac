"""Sends what is leased to this process: a few requests at a time to each endpoint, many in all, each under its lane's lease.

What it takes on comes from the sequencer beside it, from claims of what is due, and from completions, which hand back the
next delivery of a lane. No receiver can keep the places of others: an endpoint begins with few and earns more with answers.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter, OrderedDict
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from escrow import bell, database
from escrow.bell import Topic, Wakeups
from webhooks.delivery import claims, completion, disabling
from webhooks.delivery.completion import COMPLETIONS_MAX, Completed
from webhooks.delivery.fan_out import FanOut
from webhooks.delivery.lanes import Head, Lease
from webhooks.delivery.retries import Outcome, judge
from webhooks.request import signing
from webhooks.request.endpoints import Endpoint, endpoints
from webhooks.request.sender import TOTAL_SECONDS, Answer

OWN_FAULT_SECONDS: Final = 60.0
"""What fails for a reason of ours is tried again after so long, and uses up no attempt."""

ENDPOINT_SECONDS: Final = 60.0
"""What is known of an endpoint is read again after so long: secrets end by the clock."""

ENDPOINTS_KEPT: Final = 10_000

STOP_SECONDS: Final = 3.0
"""Requests under way may end for so long when the pump stops; what is cut off then is sent again by another worker."""

INTERRUPTED: Final = "INTERRUPTED"
"""The error of an attempt that was cut off because its worker was told to stop, or that failed for a reason of ours."""

_log = logging.getLogger(__name__)


class Poster(Protocol):
    """Whoever sends a request: `webhooks.request.sender.Sender`."""

    async def post(self, *, url: str, headers: dict[str, str], body: bytes) -> Answer:
        """What came of it; only cancelling raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one process takes on."""

    lease_seconds: float = 30.0
    """How late a delivery is at most whose worker was killed in mid-request. A request begins only if it ends before."""
    request_seconds: float = TOTAL_SECONDS
    places: int = 512
    """Requests at once: each is a connection."""
    window: int = 4
    """Requests at once to an endpoint that has not answered yet. One that hangs keeps no more from the others."""
    window_max: int = 16
    """The same to one that answered: each success opens one place more."""
    on_probation_max: int = 128
    """Requests at once to endpoints that let a request time out, all together."""
    slow_seconds: float = 2.0
    """An endpoint whose oldest request is under way for longer gets no more until it answers."""
    run_max: int = 50
    """Deliveries of one lane in a row, before other lanes of the endpoint get their turn."""
    poll_seconds: float = 0.25
    """How late something due is noticed at most when no ring came through."""


@dataclass(slots=True, eq=False)
class _Flight:
    """A delivery that this process is at."""

    head: Head
    lease: Lease
    run: int
    on_probation: bool
    began: float


@dataclass(slots=True)
class _Window:
    """The requests to one endpoint, oldest first, and how many there may be."""

    limit: int
    flights: dict[_Flight, None] = field(default_factory=dict)

    def limit_at(self, now: float, slow_seconds: float) -> int:
        oldest = next(iter(self.flights), None)
        return 0 if oldest is not None and now - oldest.began > slow_seconds else self.limit


class Pump:
    """The deliveries of one process. `claim_due` and `hand_back` run side by side for ever; stopping the first stops all."""

    def __init__(self, sender: Poster, *, limits: Limits | None = None, dice: random.Random | None = None) -> None:
        self._sender = sender
        self._limits = limits or Limits()
        self._dice = dice or random.Random()
        self._windows: dict[str, _Window] = {}
        self._crowded: set[str] = set()
        """Endpoints that had at least as many lanes due as places when they were last looked at."""
        self._in_all = 0
        self._on_probation = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: list[tuple[_Flight, Completed]] = []
        self._suspects = 0
        """So many of the first in `_done` are completed one by one."""
        self._something_done = asyncio.Event()
        self._known: OrderedDict[str, tuple[float, Endpoint | None]] = OrderedDict()
        self._wakeups = Wakeups()
        self._is_ending = False
        self._claiming: asyncio.Task[claims.Claim] | None = None
        self._completing: tuple[list[tuple[_Flight, Completed]], asyncio.Task[completion.Next]] | None = None

    def fan_out(self) -> FanOut:
        """For one batch of the sequencer in this process: new deliveries are leased to it, as far as it has places."""
        return FanOut(lease_seconds=self._limits.lease_seconds, places=self.places, places_in_all=self._places_in_all())

    def take(self, batch: FanOut) -> None:
        """Begin with what a committed batch leased to this process."""
        if batch.lease is not None:
            lease = batch.lease
            self._start([(head, lease) for head in batch.heads])
        if batch.is_left_over:
            self._wakeups.wake()

    def wake(self) -> None:
        """Something became due."""
        self._wakeups.wake()

    def places(self, endpoint_id: str) -> int:
        """How many more requests this process would begin at the endpoint now."""
        window = self._windows.get(endpoint_id)
        if window is None:
            return self._limits.window
        return max(0, window.limit_at(time.monotonic(), self._limits.slow_seconds) - len(window.flights))

    def _places_in_all(self) -> int:
        return 0 if self._is_ending else max(0, self._limits.places - self._in_all)

    async def claim_due(self) -> None:
        """Take what is due whenever there is room, for ever. Told to stop, it ends everything that is under way."""
        self._is_ending = False
        after = ""
        try:
            with bell.listen(Topic.DELIVERIES, wakeups=self._wakeups):
                while True:
                    after = await self._claim(after)
        except asyncio.CancelledError:
            await self._end()
            raise

    async def _claim(self, after: str) -> str:
        places = self._places_in_all()
        if places == 0:
            await self._wakeups.wait(self._limits.poll_seconds)
            return after
        now = time.monotonic()
        under_way = {
            endpoint_id: (len(window.flights), window.limit_at(now, self._limits.slow_seconds))
            for endpoint_id, window in self._windows.items()
        }
        self._claiming = asyncio.create_task(
            claims.claim(
                after=after,
                places=places,
                window=self._limits.window,
                under_way=under_way,
                on_probation_max=max(0, self._limits.on_probation_max - self._on_probation),
                lease_seconds=self._limits.lease_seconds,
            )
        )
        claim = await asyncio.shield(self._claiming)
        self._claiming = None
        taken = Counter(head.endpoint_id for head in claim.heads)
        self._crowded -= under_way.keys()
        for endpoint_id, count in taken.items():
            busy, limit = under_way.get(endpoint_id, (0, self._limits.window))
            if endpoint_id in claim.on_probation or count >= limit - busy:
                self._crowded.add(endpoint_id)
            else:
                self._crowded.discard(endpoint_id)
        self._start([(head, claim.lease) for head in claim.heads], on_probation=claim.on_probation)
        if not claim.heads and not after:
            await self._wakeups.wait(self._limits.poll_seconds)
        return claim.next_endpoint

    def _start(
        self, leased: Iterable[tuple[Head, Lease]], *, on_probation: frozenset[str] = frozenset(), run: int = 0
    ) -> None:
        now = time.monotonic()
        flights = [_Flight(head, lease, run, head.endpoint_id in on_probation, now) for head, lease in leased]
        for flight in flights:
            window = self._windows.setdefault(flight.head.endpoint_id, _Window(self._limits.window))
            window.flights[flight] = None
            self._in_all += 1
            self._on_probation += flight.on_probation
        if self._is_ending:
            for flight in flights:
                self._give_back(flight)
            return
        strangers = [flight for flight in flights if not self._knows(flight.head, now)]
        if strangers:
            self._spawn(self._introduce(strangers))
        for flight in flights:
            if flight not in strangers:
                self._spawn(self._send(flight))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a delivery's task failed; its lease ends by itself", exc_info=error)

    def _knows(self, head: Head, now: float) -> bool:
        known = self._known.get(head.endpoint_id)
        if known is None or now - known[0] > ENDPOINT_SECONDS:
            return False
        return known[1] is not None and known[1].version >= head.endpoint_version

    async def _introduce(self, flights: list[_Flight]) -> None:
        """Read what is not known of these endpoints, and send."""
        try:
            found = await endpoints(sorted({flight.head.endpoint_id for flight in flights}))
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):
                _log.warning("endpoints not read", extra={"error": f"{type(error).__name__}: {error}"})
            for flight in flights:
                self._give_back(flight)
            raise
        now = time.monotonic()
        for flight in flights:
            endpoint_id = flight.head.endpoint_id
            _, former = self._known.get(endpoint_id, (now, None))
            fresh = found.get(endpoint_id)
            if fresh is None or former is None or fresh.version >= former.version:  # another look may have ended first
                self._known[endpoint_id] = (now, fresh)
                self._known.move_to_end(endpoint_id)
            self._spawn(self._send(flight))
        while len(self._known) > ENDPOINTS_KEPT:
            self._known.popitem(last=False)

    async def _send(self, flight: _Flight) -> None:
        head = flight.head
        _, endpoint = self._known.get(head.endpoint_id, (0.0, None))
        if endpoint is None or not endpoint.keys:
            self._give_back(flight, OWN_FAULT_SECONDS)
            return
        now = time.monotonic()
        at = flight.lease.clock(now)
        try:
            body = head.body(api_version=endpoint.api_version)
            headers = signing.sign(endpoint.keys, message_id=head.event_id, timestamp=int(at.timestamp()), body=body)
        except Exception:  # noqa: BLE001 - one delivery must not stand in the others' way
            _log.exception("delivery not sent, tried again later", extra={"delivery": head.delivery_id})
            self._give_back(flight, OWN_FAULT_SECONDS)
            return
        # Nothing between this look and the request: a worker that was paused for long must not send what is old by now.
        if not flight.lease.allows(
            time.monotonic(), lease_seconds=self._limits.lease_seconds, request_seconds=self._limits.request_seconds
        ):
            self._give_back(flight)
            return
        try:
            answer = await self._sender.post(url=endpoint.url, headers=headers, body=body)
        except BaseException as error:
            cut_off = isinstance(error, asyncio.CancelledError)
            self._finish(
                flight,
                Completed(
                    head=head,
                    lease=flight.lease,
                    outcome=Outcome.WAIT,
                    error=INTERRUPTED,
                    started_at=at,
                    delay_seconds=0.0 if cut_off else OWN_FAULT_SECONDS,
                ),
            )
            raise
        verdict = judge(answer, failures=head.failures, dice=self._dice)
        window = self._windows[head.endpoint_id]
        if answer.is_success:
            window.limit = min(window.limit + 1, self._limits.window_max)
        elif verdict.has_timed_out:
            window.limit = 1
        self._finish(
            flight,
            Completed(
                head=head,
                lease=flight.lease,
                outcome=verdict.outcome,
                answer=answer,
                started_at=at,
                delay_seconds=verdict.delay_seconds,
                pause_seconds=verdict.pause_seconds,
                has_timed_out=verdict.has_timed_out,
                is_gone=verdict.is_gone,
            ),
        )

    def _give_back(self, flight: _Flight, delay_seconds: float = 0.0) -> None:
        """Nothing was sent, and no attempt is used up."""
        self._finish(
            flight,
            Completed(head=flight.head, lease=flight.lease, outcome=Outcome.WAIT, delay_seconds=delay_seconds),
        )

    def _finish(self, flight: _Flight, completed: Completed) -> None:
        # From here on it is no slow request any more; its place is free once the database knows.
        window = self._windows[flight.head.endpoint_id]
        window.flights.pop(flight)
        flight.began = float("inf")
        window.flights[flight] = None
        self._done.append((flight, completed))
        self._something_done.set()

    async def hand_back(self) -> None:
        """Write down what is done with, in batches, and go on with what the lanes have next; for ever."""
        while True:
            await self._something_done.wait()
            self._something_done.clear()
            while self._done:
                await self._complete(self._batch())

    def _batch(self) -> list[tuple[_Flight, Completed]]:
        """What one statement takes: never two answers to one delivery, of which one came too late."""
        batch: dict[str, tuple[_Flight, Completed]] = {}
        rest: list[tuple[_Flight, Completed]] = []
        size = 1 if self._suspects else COMPLETIONS_MAX
        self._suspects = max(0, self._suspects - 1)
        for one in self._done:
            if len(batch) < size and one[1].head.delivery_id not in batch:
                batch[one[1].head.delivery_id] = one
            else:
                rest.append(one)
        self._done = rest
        has_room = not self._is_ending and self._in_all <= self._limits.places
        return [
            (flight, replace(one, goes_on=True))
            if has_room and one.outcome is Outcome.DELIVERED and flight.run < self._limits.run_max
            else (flight, one)
            for flight, one in batch.values()
        ]

    async def _complete(self, batch: list[tuple[_Flight, Completed]]) -> None:
        done = [one for _, one in batch]
        completing = asyncio.create_task(completion.complete(done, lease_seconds=self._limits.lease_seconds))
        self._completing = (batch, completing)
        await self._completed()

    async def _completed(self) -> None:
        """Go on with what the completion under way hands back. Cancelled, it is taken up again when the pump ends."""
        if self._completing is None:
            return
        batch, completing = self._completing
        try:
            following = await asyncio.shield(completing)
        except database.REFUSED:
            self._completing = None
            self._suspect(batch)
            return
        except Exception:
            self._completing = None
            self._done += batch
            self._something_done.set()
            raise
        self._completing = None
        done = [one for _, one in batch]
        runs = {one.head.lane: flight.run + 1 for flight, one in batch}
        was_full = self._places_in_all() == 0
        for head, lease in following.heads:
            self._start([(head, lease)], run=runs[head.lane])
        for flight, _ in batch:
            self._release(flight)
        has_room = {one.head.endpoint_id for one in done if self.places(one.head.endpoint_id) > 0}
        if following.is_left_over or was_full or not has_room.isdisjoint(self._crowded):
            self._wakeups.wake()
        self._disable(done, following.failing_for_days)

    def _suspect(self, batch: list[tuple[_Flight, Completed]]) -> None:
        """The database refuses something in it for ever, which must not stand in the others' way: one by one, and that one
        is given up; its lease ends by itself."""
        if len(batch) > 1:
            self._done = batch + self._done
            self._suspects = len(batch)
            return
        ((flight, one),) = batch
        _log.error("an answer not written down", exc_info=True, extra={"delivery": one.head.delivery_id})
        self._release(flight)

    def _release(self, flight: _Flight) -> None:
        window = self._windows[flight.head.endpoint_id]
        del window.flights[flight]
        if not window.flights:
            del self._windows[flight.head.endpoint_id]
        self._in_all -= 1
        self._on_probation -= flight.on_probation

    def _disable(self, done: Iterable[Completed], failing: frozenset[str]) -> None:
        gone = {one.head.endpoint_id for one in done if one.is_gone}
        versions: dict[str, int] = {}
        for one in done:
            endpoint_id = one.head.endpoint_id
            if one.is_gone or endpoint_id not in gone:  # what others met since then was not gone
                versions[endpoint_id] = max(one.head.endpoint_version, versions.get(endpoint_id, 0))
        for endpoint_id in gone | failing:
            self._spawn(disabling.disable(endpoint_id, versions[endpoint_id], is_gone=endpoint_id in gone))

    async def _end(self) -> None:
        """Let what was begun end, for a while, and hand everything back, if the database is there to take it."""
        self._is_ending = True
        tasks = set(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            if self._claiming is not None:  # cut off in the middle of it: nobody has begun with these
                claim, self._claiming = await self._claiming, None
                self._start([(head, claim.lease) for head in claim.heads])
            await self._completed()
            while self._done:
                await self._complete(self._batch())
        except Exception as error:  # noqa: BLE001 - leases end by themselves
            _log.warning("leases not handed back", extra={"error": f"{type(error).__name__}: {error}"})
