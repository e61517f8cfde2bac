"""Whether what people do often stays as quick when there is more of everything: the same operations among more milestones.

Each size is a database of its own with a web process of its own, side by side: a round asks each in turn, one request at a time,
about contracts from anywhere. What is compared is the median of all rounds. The log has two events for each contract, and
nothing is found by its title; what that costs among a million is in `reading`.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from escrow import database
from tests.benchmarks.options import Options
from tests.benchmarks.peers.filling import PLAN, Filled, fill
from tests.benchmarks.peers.operations import OPERATIONS, Operation
from tests.benchmarks.peers.rounds import PAGE_ROOM, Client, Expected, ask, client
from tests.benchmarks.peers.sides import Served, Side
from tests.benchmarks.processes import web
from tests.benchmarks.tables import Table
from tests.engines import TestServer

EVENTS: Final = 2
SUBJECTS: Final = 100
"""Contracts that an operation is about, in each round."""
TURNS_MAX: Final = 19
"""Rounds for which the smallest database has contracts on which nothing was done yet."""


@dataclass(frozen=True, slots=True)
class Size:
    """A database with so many milestones, and a web process on it."""

    milestones: int
    side: Side


async def tables(server: TestServer, redis_url: str, options: Options) -> list[Table]:
    """The median of each operation, and how it grows."""
    wanted = [int(one) for one in options.milestones.split(",")]
    async with _stage(server, redis_url, wanted) as sizes, client() as asking:
        found = {one.name: await _measured(one, sizes, asking, options.rounds) for one in OPERATIONS}
    smallest, *larger = wanted
    rows = [
        [
            name,
            f"{medians[smallest]:.2f}",
            *(f"{medians[size]:.2f} ({medians[size] / medians[smallest]:.2f})" for size in larger),
        ]
        for name, medians in found.items()
    ]
    caption = (
        f"Milliseconds from a request to its answer (p50, one request at a time, medians of {options.rounds} rounds), and in "
        f"brackets how many times as long as among {smallest:,} milestones"
    )
    columns = ["operation", f"{smallest:,} milestones", *(f"{size:,}" for size in larger)]
    return [Table("growth", caption, columns, rows)]


@asynccontextmanager
async def _stage(server: TestServer, redis_url: str, wanted: Sequence[int]) -> AsyncIterator[list[Size]]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        filled = []
        for milestones in wanted:
            sys.stderr.write(f"filling a database with {milestones:,} milestones ...\n")
            url = await server.clone()
            stack.push_async_callback(server.drop, url)
            filled.append((milestones, url, await _filled(url, milestones)))
        sizes = []
        for milestones, url, there in filled:
            log = folder / f"{milestones}.log"
            port, pid = await stack.enter_async_context(web(url, redis_url, log))
            sizes.append(Size(milestones, Side(f"{milestones:,} milestones", Served(port, pid, there, log))))
        yield sizes


async def _filled(url: str, milestones: int) -> Filled:
    await database.connect(url)
    try:
        return await fill(milestones // PLAN, events=EVENTS, is_searched=False)
    finally:
        await database.disconnect()


async def _measured(operation: Operation, sizes: Sequence[Size], asking: Client, rounds: int) -> Mapping[int, float]:
    """The median milliseconds of each size; the first turn warms up."""
    found: dict[int, list[float]] = {size.milestones: [] for size in sizes}
    for turn in range(min(rounds, TURNS_MAX) + 1):
        for size in sizes:
            requests = [size.side.request(operation, case) for case in _cases(size, turn)]
            expected = await _expected(operation, size.side, requests)
            result = await asking.carry_out(size.side, requests, expected)
            if turn:
                found[size.milestones].append(1000 * result.p50_seconds)
    return {milestones: statistics.median(medians) for milestones, medians in found.items()}


def _cases(size: Size, turn: int) -> Sequence[int]:
    """Other contracts in each turn, from anywhere; the same for each operation: a command goes on where the one before ended."""
    contracts = size.side.served.filled.contracts - PAGE_ROOM
    share = contracts // (TURNS_MAX + 1)
    return [1 + turn + (TURNS_MAX + 1) * one for one in random.Random(turn).sample(range(share), min(SUBJECTS, share))]


async def _expected(operation: Operation, side: Side, requests: Sequence[bytes]) -> Expected:
    """Commands lead to a state; reads are asked once before, untimed, and answered the same again."""
    if operation.leads_to is not None:
        return Expected(seconds=600, connections=1, once=True, within=f'"state":"{operation.leads_to[0]}"')
    answers = {one: await ask(side, one) for one in dict.fromkeys(requests)}
    return Expected(seconds=600, connections=1, once=True, answers=[answers[one] for one in requests])
