"""A worker process that kills itself at a chosen point of an order, for good: `python -m tests.workers.dying POINT`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from escrow import pipeline, process_log, sweep
from escrow.payments.calls import (
    ChargeRequest,
    PayoutRequest,
    RefundRequest,
    Sought,
    TakeBackRequest,
    TransferRequest,
)
from escrow.payments.results import Answer, Failed, Found, Prepared, Succeeded
from escrow.payments.sandbox import Sandbox
from escrow.settings import LogFormat
from escrow.store import write as store_write
from escrow.store.write import Change
from workers import deadlines
from workers import main as worker

POINTS: Final = (
    *("nowhere", "before_the_charge", "after_the_charge", "before_the_call", "after_the_call"),
    *("before_the_refund", "after_the_refund", "before_the_transfer", "after_the_transfer"),
    *("before_the_payout", "after_the_payout", "before_the_take_back", "after_the_take_back"),
    *("before_the_report", "after_the_report"),
    *("before_firing", "while_firing", "after_firing"),
)


SOME: Final = 5


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


class DyingSandbox(Sandbox):
    """The sandbox, with a worker around it that dies at one point."""

    def __init__(self, point: str) -> None:
        super().__init__(settle_seconds=0.05, slow_seconds=0.5)
        self.point = point

    async def prepare(self, request: ChargeRequest) -> Prepared | Failed:
        self._may_die("before_the_charge")
        prepared = await super().prepare(request)
        self._may_die("after_the_charge")
        return prepared

    async def confirm(self, provider_id: str, request: ChargeRequest) -> Answer:
        self._may_die("before_the_call")
        answer = await super().confirm(provider_id, request)
        self._may_die("after_the_call")
        return answer

    async def refund(self, request: RefundRequest) -> Answer:
        self._may_die("before_the_refund")
        answer = await super().refund(request)
        self._may_die("after_the_refund")
        return answer

    async def transfer(self, request: TransferRequest) -> Answer:
        self._may_die("before_the_transfer")
        answer = await super().transfer(request)
        self._may_die("after_the_transfer")
        return answer

    async def payout(self, request: PayoutRequest) -> Answer:
        self._may_die("before_the_payout")
        answer = await super().payout(request)
        self._may_die("after_the_payout")
        return answer

    async def take_back(self, request: TakeBackRequest) -> Answer:
        self._may_die("before_the_take_back")
        answer = await super().take_back(request)
        self._may_die("after_the_take_back")
        return answer

    async def look_up(self, sought: Sought) -> Found:
        found = await super().look_up(sought)
        if self.point == "before_the_report" and isinstance(found, Succeeded):
            die()
        return found

    def _may_die(self, point: str) -> None:
        if self.point == point:
            die()


def die_in_mid_fire(point: str) -> None:
    """Once some deadlines were fired: before the next ones are read, with their write on the way, or just after it."""
    deadlines.TOGETHER = deadlines.AT_ONCE = 2  # type: ignore[misc]  # in this process alone, so that most are left
    fire, write = sweep.fire_together, store_write.write_all
    fired = 0

    async def fire_some(contract_ids: Sequence[str]) -> dict[str, Counter[str]]:
        nonlocal fired
        fired += len(contract_ids)
        if point == "before_firing" and fired > SOME:
            die()
        happened = await fire(contract_ids)
        if point == "after_firing" and fired > SOME:
            die()
        return happened

    async def write_some(changes: Sequence[Change]) -> set[str]:
        if point == "while_firing" and fired > SOME:
            asyncio.get_running_loop().call_later(0.001, die)
        return await write(changes)

    sweep.fire_together, store_write.write_all = fire_some, write_some


def let_end() -> None:
    """What is under way may end, also on a machine where that takes ten times as long, and when the process is told to stop."""
    deadlines.FIRE_SECONDS_MAX = 40.0  # type: ignore[misc]  # in this process alone
    deadlines.STOP_SECONDS, worker.STOP_SECONDS = 20.0, 30.0  # type: ignore[misc]  # likewise


def main(point: str) -> None:
    assert point in POINTS
    if point == "after_the_report":
        report = pipeline.run

        async def report_and_die(*args: Any, **options: Any) -> NoReturn:
            await report(*args, **options)
            die()

        pipeline.run = report_and_die
    if point.endswith("firing"):
        die_in_mid_fire(point)
    let_end()
    asyncio.run(worker.run(provider=DyingSandbox(point)))


if __name__ == "__main__":
    process_log.configure(LogFormat.TEXT)
    main(sys.argv[1])
