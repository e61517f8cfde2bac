"""Dispatches what is leased to this process: looks its endpoints up, has it sent, and hands back what came of it.

What it takes on comes from the sequencer beside it, from claims of what is due, and from completions, which give it the next
delivery of a lane. How much of it may be under way is for `concurrency` to say.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from escrow import bell, database, meters, process_log, spans, traces
from escrow.bell import Topic, Wakeups
from escrow.handing_back import hand_back
from escrow.spans import Kind
from webhooks.delivery import breaker, claims, completion
from webhooks.delivery.completion_queue import Completed, CompletionQueue
from webhooks.delivery.concurrency import Concurrency, Limits, Span
from webhooks.delivery.endpoint_cache import EndpointCache
from webhooks.delivery.fan_out import FanOut
from webhooks.delivery.lanes import Head, Lease
from webhooks.delivery.retries import Outcome, Verdict
from webhooks.delivery.sending import Flight, Poster, Timing, send
from webhooks.request.endpoints import endpoints

STOP_SECONDS: Final = 3.0
"""Requests under way may end for so long when the dispatcher stops; what is cut off then is sent again by another worker."""

_ATTEMPTS: Final = meters.Counter("earnest_delivery_attempts", "Attempts at deliveries by what came of them", "outcome")
_SECONDS: Final = meters.Histogram(
    "earnest_delivery_seconds", "How long requests to receivers took, whatever came of them"
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Completing:
    """A statement under way that writes a batch down."""

    batch: Sequence[Completed]
    outcome: asyncio.Task[completion.Next]


class Dispatcher:
    """The deliveries of one process. `claim_due` and `hand_back` run side by side for ever; stopping the first stops all."""

    def __init__(
        self,
        sender: Poster,
        *,
        timing: Timing | None = None,
        limits: Limits | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._sender = sender
        self._timing = timing or Timing()
        self._rng = rng or random.Random()
        self._concurrency = Concurrency(limits or Limits())
        self._endpoints = EndpointCache()
        self._queue = CompletionQueue()
        self._is_queued = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sequencing: set[asyncio.Task[int]] = set()
        self._wakeups = Wakeups()
        self._is_stopping = False
        self._claiming: asyncio.Task[claims.Claim] | None = None
        self._completing: _Completing | None = None

    # --- what is taken on ---------------------------------------------------------------------------------------------

    def fan_out(self) -> FanOut:
        """For one batch of the sequencer in this process: new deliveries are leased to it, as far as it has slots."""
        capacity = self._concurrency.capacity(time.monotonic())
        return FanOut(
            lease_seconds=self._timing.lease_seconds,
            free_at=lambda endpoint_id: self._concurrency.free_at(endpoint_id, time.monotonic()),
            free_in_all=0 if self._is_stopping else capacity.requests,
        )

    async def whole(self, batch: Coroutine[Any, Any, int]) -> int:
        """The sequencer's work on a batch, which ends even if the sequencer is told to stop: its commit may be on its way, and
        with it leases to this process. Stopping waits for it."""
        task = asyncio.create_task(batch)
        self._sequencing.add(task)
        task.add_done_callback(self._sequencing.discard)
        return await database.uncancelled(task)

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

    async def claim_due(self) -> None:
        """Take what is due whenever there is room, for ever. Told to stop, it ends everything that is under way."""
        self._is_stopping = False
        after = ""
        try:
            with bell.listen(Topic.DELIVERIES, wakeups=self._wakeups):
                while True:
                    after = await self._claim(after)
        except asyncio.CancelledError:
            await self._stop()
            raise

    async def _claim(self, after: str) -> str:
        """Take what is due of the endpoints after this one, or wait; answers where to go on."""
        capacity = self._concurrency.capacity(time.monotonic())
        if capacity.requests == 0:
            await self._wakeups.wait(self._timing.poll_seconds)
            return after
        self._claiming = asyncio.create_task(
            claims.claim(after=after, capacity=capacity, lease_seconds=self._timing.lease_seconds)
        )
        claim = await asyncio.shield(self._claiming)
        self._claiming = None
        self._concurrency.looked(
            capacity,
            Counter(head.endpoint_id for head in claim.heads),
            half_open=claim.half_open,
            span=Span(after, claim.next_endpoint),
        )
        self._start([(head, claim.lease) for head in claim.heads], half_open=claim.half_open)
        is_used_up = capacity.is_used_up(len(claim.heads), half_open=len(claim.half_open))
        # Else all was taken that was due, but for endpoints that are crowded.
        if not (is_used_up or claim.next_endpoint or self._concurrency.is_awaited(time.monotonic())):
            await self._wakeups.wait(self._timing.poll_seconds)
        return claim.next_endpoint

    def _start(self, leased: Iterable[tuple[Head, Lease]], *, half_open: frozenset[str] = frozenset()) -> None:
        """Begin with these, as far as there are slots; what there is none for goes back."""
        now = time.monotonic()
        flights: list[Flight] = []
        for head, lease in leased:
            slot = self._concurrency.take(head.endpoint_id, now, is_half_open=head.endpoint_id in half_open)
            if slot is None:
                self._enqueue(Completed(head=head, lease=lease, verdict=Verdict(outcome=Outcome.WAIT)))
            else:
                flights.append(Flight(head, lease, slot))
        self._begin(flights, now)

    def _begin(self, flights: Sequence[Flight], now_seconds: float) -> None:
        if self._is_stopping:
            for flight in flights:
                self._finish(flight, flight.given_back())
            return
        unknown = [flight for flight in flights if not self._knows(flight.head, now_seconds)]
        if unknown:
            self._spawn(self._look_up(unknown))
        for flight in flights:
            if flight not in unknown:
                self._spawn(self._send(flight))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a delivery's task failed; its lease ends by itself", exc_info=error)

    # --- sending ------------------------------------------------------------------------------------------------------

    def _knows(self, head: Head, now_seconds: float) -> bool:
        return self._endpoints.is_fresh(head.endpoint_id, version=head.endpoint_version, now_seconds=now_seconds)

    async def _look_up(self, flights: Sequence[Flight]) -> None:
        """Read what is not known of these endpoints, and send."""
        asked = sorted({flight.head.endpoint_id for flight in flights})
        from_seconds = time.monotonic()
        try:
            found = await endpoints(asked)
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):
                _log.warning("endpoints not read", extra={"error": error})
            for flight in flights:
                self._finish(flight, flight.given_back())
            raise
        self._endpoints.keep(asked, found, from_seconds=from_seconds, now_seconds=time.monotonic())
        for flight in flights:
            if self._is_stopping:
                self._finish(flight, flight.given_back())
            else:
                self._spawn(self._send(flight))

    async def _send(self, flight: Flight) -> None:
        head = flight.head
        process_log.begin(traces.read(head.trace), delivery=head.delivery_id)
        with spans.span("webhook", Kind.CLIENT, earnest_event=head.event_id, earnest_endpoint=head.endpoint_id) as span:
            began = time.perf_counter()
            endpoint = self._endpoints.get(head.endpoint_id)
            completed = await send(flight, endpoint, sender=self._sender, timing=self._timing, rng=self._rng)
            self._finish(flight, completed)
            _say(completed, span, time.perf_counter() - began)

    def _finish(self, flight: Flight, completed: Completed) -> None:
        is_success = completed.verdict.outcome is Outcome.DELIVERED
        self._concurrency.ended(flight.slot, is_success=is_success, has_timed_out=completed.verdict.has_timed_out)
        self._enqueue(completed)

    # --- handing back -------------------------------------------------------------------------------------------------

    def _enqueue(self, completed: Completed) -> None:
        self._queue.add(completed)
        self._is_queued.set()

    async def hand_back(self) -> None:
        """Write down what is done with, in batches, and go on with what the lanes have next; for ever."""
        while True:
            await self._is_queued.wait()
            self._is_queued.clear()
            await self._hand_back_all()

    async def _hand_back_all(self) -> None:
        while self._queue:
            batch = [self._marked(one) for one in self._queue.take()]
            write = completion.complete(batch, lease_seconds=self._timing.lease_seconds)
            self._completing = _Completing(batch, asyncio.create_task(write))
            await self._completed()

    def _marked(self, one: Completed) -> Completed:
        """With whether this process would send the next delivery of the lane, too."""
        goes_on = (
            not self._is_stopping
            and one.verdict.outcome is Outcome.DELIVERED
            and one.slot is not None
            and self._concurrency.may_pass_on(one.slot)
        )
        return one if goes_on == one.goes_on else replace(one, goes_on=goes_on)

    async def _completed(self) -> None:
        """Go on with what the completion under way hands back. Cancelled, it is taken up again when the dispatcher stops."""
        if self._completing is None:
            return
        batch = self._completing.batch
        try:
            following = await asyncio.shield(self._completing.outcome)
        except database.REFUSED:
            self._completing = None
            poison = self._queue.refuse(batch)
            if poison is not None:
                _log.exception("an answer not written down", extra={"delivery": poison.head.delivery_id})
                self._release(poison)
        except Exception:
            self._completing = None
            self._queue.put_back(batch)
            self._is_queued.set()
            raise
        else:
            self._completing = None
            self._go_on(batch, following)

    def _go_on(self, batch: Sequence[Completed], following: completion.Next) -> None:
        now = time.monotonic()
        was_full = self._concurrency.is_full
        flights: list[Flight] = []
        for one in batch:
            found = following.heads.get(one.head.delivery_id)
            if found is not None and one.slot is not None:
                flights.append(Flight(*found, self._concurrency.pass_on(one.slot, now)))
            else:
                self._release(one)
        self._begin(flights, now)
        if following.is_left_over or was_full or self._concurrency.is_awaited(now):
            self._wakeups.wake()
        for command in breaker.disablings(batch, following.failing_for_days):
            self._spawn(breaker.disable(command))

    def _release(self, one: Completed) -> None:
        if one.slot is not None:
            self._concurrency.release(one.slot, time.monotonic())

    # --- stopping -----------------------------------------------------------------------------------------------------

    async def _stop(self) -> None:
        """Let what was begun end, for a while, and hand everything back, if the database is there to take it."""
        self._is_stopping = True
        under_way: set[asyncio.Task[Any]] = {*self._tasks, *self._sequencing}
        if under_way:
            await asyncio.wait(under_way, timeout=STOP_SECONDS)
        tasks = {*self._tasks, *self._sequencing}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await hand_back(self._give_back_claimed, self._completed, self._hand_back_all)

    async def _give_back_claimed(self) -> None:
        """What a claim took that was cut off in the middle of it: nobody has begun with these."""
        claiming, self._claiming = self._claiming, None
        if claiming is not None:
            claim = await claiming
            self._start([(head, claim.lease) for head in claim.heads])


def _say(completed: Completed, span: spans.Span, seconds: float) -> None:
    """Count what came of a delivery's request, and leave a line in the log."""
    outcome, answer = completed.verdict.outcome, completed.answer
    _ATTEMPTS.add(outcome.value)
    _SECONDS.observe(seconds)
    status = (answer.status or 0) if answer is not None else 0
    span.say(http_response_status_code=status)
    if outcome is not Outcome.DELIVERED:
        span.failed(outcome.value)
    said = {"event_id": completed.head.event_id, "outcome": outcome.value, "status": status}
    _log.info("webhook", extra={**said, "ms": round(seconds * 1000, 1)})
