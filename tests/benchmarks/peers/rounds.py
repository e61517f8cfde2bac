"""Measures the sides in turn: the same operation by each, several times, with every answer looked at.

Before anything is timed all sides have given the same answers, and their commands have written as many rows into each table.
While it is timed every answer of a read is, byte for byte, the one that was compared; every command's says the state that it
leads to, and afterwards the table says so for as many milestones as there were answers.
"""

from __future__ import annotations

import asyncio
import base64
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from escrow import database
from tests.benchmarks.peers.filling import Filled, contract_id, fill
from tests.benchmarks.peers.load import Result
from tests.benchmarks.peers.operations import OPERATIONS, Operation
from tests.benchmarks.peers.sides import Side, started
from tests.benchmarks.processes import cpu_seconds, postgres_seconds, postgres_seconds_since
from tests.engines import TestServer
from tests.workers.process import ROOT

CONNECTIONS: Final = 16
CASES: Final = 16
"""Different contracts that a read is asked about, in turn."""
WARMING_UP: Final = 100
"""Subjects of a command that each side carries out before anything is timed."""
PAGE_ROOM: Final = 60
"""Contracts at the end that no case is about, so that a page of changes after one is full."""
COMMAND_SECONDS_MAX: Final = 4.0
"""A side that is slow carries out fewer commands than there are subjects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    contracts: int = 20_000
    rounds: int = 5
    seconds: float = 2.0
    """For each read of each side in each round."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One side's turn at one operation."""

    per_second: float
    p50_milliseconds: float
    web_milliseconds: float
    """Processor time of the serving process for each request."""
    postgres_milliseconds: float
    """Processor time of PostgreSQL's backends for each request."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The slots of each side, a round after the other, by operation."""

    plan: Plan
    sides: Sequence[str]
    slots: Mapping[str, Mapping[str, Sequence[Slot]]]


async def measure(server: TestServer, redis_url: str, plan: Plan) -> Figures:
    """Everything, on a database of its own."""
    url = await server.clone()
    await database.connect(url)
    try:
        filled = await fill(plan.contracts)
        with tempfile.TemporaryDirectory() as folder:
            async with started(url, redis_url, filled, Path(folder)) as sides, client() as asking:
                run = _Run(plan, filled, sides, asking)
                slots = {one.name: await run.measured(one) for one in OPERATIONS}
                return Figures(plan, [side.name for side in sides], slots)
    finally:
        await database.disconnect()
        await server.drop(url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """How long requests are sent, each once or in turn, and what each must be answered: just so, or with this within."""

    seconds: float
    connections: int = CONNECTIONS
    once: bool = False
    answers: Sequence[bytes] = ()
    within: str = ""


class Client:
    """The process that sends the requests."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def carry_out(self, side: Side, requests: Sequence[bytes], expected: Expected) -> Result:
        """Send the requests in their order; refuses with `RuntimeError` if an answer was not as it must be."""
        job = {
            "port": side.served.port,
            "connections": min(expected.connections, len(requests)) if expected.once else expected.connections,
            "requests": [base64.b64encode(one).decode() for one in requests],
            "answers": [base64.b64encode(one).decode() for one in expected.answers],
            "within": expected.within,
            "seconds": expected.seconds,
            "once": expected.once,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(orjson.dumps(job) + b"\n")
        result = Result(**orjson.loads(await self._process.stdout.readline()))
        if result.wrong is not None:
            said = side.served.log.read_text()[-4000:]
            raise RuntimeError(f"{side.name} answered otherwise than expected: {result.wrong}\n{said}")
        return result


@asynccontextmanager
async def client() -> AsyncIterator[Client]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"{__package__}.load"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    try:
        yield Client(process)
    finally:
        process.kill()
        await process.wait()


_Turn = Callable[[Operation, int, int], Awaitable[Slot]]
"""Measures an operation by a side, in a round."""


@dataclass(slots=True)
class _Run:
    """The sides, and which contracts are still whose: a command needs a fresh one each time."""

    plan: Plan
    filled: Filled
    sides: Sequence[Side]
    client: Client
    reached: dict[tuple[int, int], int] = field(default_factory=dict)
    """How far the command before came, by side and turn; turn 0 warms up."""

    async def measured(self, operation: Operation) -> dict[str, list[Slot]]:
        """Each side's slots, a round after the other; each round begins with another side."""
        if operation.is_command:
            await self._check_command(operation)
        turn = self._commands if operation.is_command else await self._reads(operation)
        for side in range(len(self.sides)):
            await turn(operation, side, 0)
        found: dict[str, list[Slot]] = {side.name: [] for side in self.sides}
        for number in range(1, self.plan.rounds + 1):
            for place in range(len(self.sides)):
                side = (place + number) % len(self.sides)
                found[self.sides[side].name].append(await turn(operation, side, number))
        return found

    # -- reads ------------------------------------------------------------------------------------------------------

    async def _reads(self, operation: Operation) -> _Turn:
        cases = [1 + number * (self.filled.contracts // 2) // CASES for number in range(CASES)]
        requests = [[side.request(operation, case) for case in cases] for side in self.sides]
        answers = [[await ask(side, one) for one in asked] for side, asked in zip(self.sides, requests, strict=True)]
        for case, *said in zip(cases, *answers, strict=True):
            self._check_same(operation, case, said)

        async def turn(_: Operation, side: int, number: int) -> Slot:
            seconds = self.plan.seconds if number else self.plan.seconds / 2
            expected = Expected(seconds=seconds, answers=answers[side])
            return (await self._timed(side, requests[side], expected))[0]

        return turn

    def _check_same(self, operation: Operation, case: int, said: Sequence[bytes]) -> None:
        expected, *others = [side.answer(operation, one) for side, one in zip(self.sides, said, strict=True)]
        for side, other in zip(self.sides[1:], others, strict=True):
            if other != expected:
                raise RuntimeError(f"{operation.name}, case {case}: Earnest says {expected}, {side.name} says {other}")

    # -- commands ---------------------------------------------------------------------------------------------------

    async def _check_command(self, operation: Operation) -> None:
        """Carry the command out once by each side, and compare what they say and how many rows they wrote."""
        written = []
        said = []
        for number, side in enumerate(self.sides, start=1):
            before = await _rows(contract_id(number))
            said.append(await ask(side, side.request(operation, number)))
            after = await _rows(contract_id(number))
            written.append({table: after[table] - before[table] for table in after})
        self._check_same(operation, 0, said)
        for side, rows in zip(self.sides[1:], written[1:], strict=True):
            if rows != written[0]:
                raise RuntimeError(f"{operation.name}: Earnest writes {written[0]}, {side.name} writes {rows}")

    async def _commands(self, operation: Operation, side: int, number: int) -> Slot:
        subjects = self._subjects(side, number)
        requests = [self.sides[side].request(operation, one) for one in subjects]
        assert operation.leads_to is not None
        state, position = operation.leads_to
        expected = Expected(seconds=COMMAND_SECONDS_MAX, once=True, within=f'"state":"{state}"')
        slot, done = await self._timed(side, requests, expected)
        reached = await database.fetch_value(_REACHED, [contract_id(one) for one in subjects], position, state)
        if reached != done:
            raise RuntimeError(f"{operation.name}: {done} answers, but {reached} milestones are {state}")
        self.reached[side, number] = done
        return slot

    def _subjects(self, side: int, number: int) -> Sequence[int]:
        """The contracts of a side's turn, as many as the command before got to."""
        turns = self.plan.rounds + 1
        size = (self.filled.contracts - len(self.sides)) // (len(self.sides) * turns)
        first = len(self.sides) + 1 + (side * turns + number) * size
        size = size if number else min(size, WARMING_UP)
        return range(first, first + self.reached.get((side, number), size))

    async def _timed(self, side: int, requests: Sequence[bytes], expected: Expected) -> tuple[Slot, int]:
        """One slot, and how many requests it had."""
        measured = self.sides[side]
        before = cpu_seconds([measured.served.pid]), await postgres_seconds()
        result = await self.client.carry_out(measured, requests, expected)
        taken = cpu_seconds([measured.served.pid]) - before[0], await postgres_seconds_since(before[1])
        web, postgres = (1000 * seconds / result.requests for seconds in taken)
        return Slot(result.requests / result.seconds, 1000 * result.p50_seconds, web, postgres), result.requests


async def ask(side: Side, request: bytes) -> bytes:
    """The body of one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", side.served.port)
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    writer.close()
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise RuntimeError(f"{side.name} answers {head.decode()}{body.decode(errors='replace')}")
    return body


async def _rows(contract: str) -> dict[str, int]:
    """How many rows each table has for a contract."""
    row = await database.fetch_row(_ROWS, contract)
    return dict(row or {})


_OF_CONTRACT: Final = ("milestones", "submissions", "deposits", "payment_orders", "deadlines", "transfers", "balances")
_OF_EVENTS: Final = ("texts", "log_pending")
_ROWS: Final = "SELECT {}".format(
    ", ".join(
        [
            *(f"(SELECT count(*) FROM {one} WHERE contract_id = $1) AS {one}" for one in _OF_CONTRACT),
            "(SELECT count(*) FROM events WHERE stream_id = $1) AS events",
            *(f"(SELECT count(*) FROM {one} WHERE stream_id = $1) AS {one}" for one in _OF_EVENTS),
            "(SELECT count(*) FROM titles WHERE contract_id = $1 AND subject_id <> $1) AS titles",
        ]
    )
)
_REACHED: Final = """
SELECT count(*) FROM milestones WHERE contract_id = ANY ($1::text[]) AND position = $2 AND state = $3
"""
