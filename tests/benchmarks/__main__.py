"""`make bench`: starts the embedded engines, measures, prints tables. `make bench ARGS=deadlines` measures only those.

Nobody need be there: a part that fails, or takes longer than it may, is said in the last table, and the others go on.
`--write` puts the tables into docs/performance.md, too. What else can be said is for quick runs, whose figures say less.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from earnest.engines import Engines
from escrow import bell, database, vault
from tests.benchmarks import (
    commands,
    deadlines,
    execution,
    forgetting,
    growth,
    hostile,
    keys,
    live,
    pixels,
    prices,
    reading,
    recovery,
    sequencer,
    shards,
    sizes,
    webhooks,
)
from tests.benchmarks.options import Options
from tests.benchmarks.peers import report as peers
from tests.benchmarks.tables import PAGE, Table, put
from tests.engines import TestServer

Measure = Callable[[TestServer, str, Options], Awaitable[list[Table]]]

MINUTE_SECONDS: Final = 60
CLEANING_SECONDS: Final = 60
"""How long a part that was cut off may take to put away what it began with."""


@dataclass(frozen=True, slots=True)
class Part:
    """What can be measured by itself, on databases of its own, and how long that may take."""

    measure: Measure
    minutes_max: float = 15


PARTS: Final[Mapping[str, Part]] = {
    "peers": Part(peers.tables, 60),
    "commands": Part(commands.tables),
    "webhooks": Part(webhooks.tables),
    "live": Part(live.tables),
    "deadlines": Part(deadlines.tables),
    "sequencer": Part(sequencer.tables),
    "growth": Part(growth.tables, 90),
    "hostile": Part(hostile.tables, 30),
    "prices": Part(prices.tables),
    "execution": Part(execution.tables),
    "pixels": Part(pixels.tables),
    "restore": Part(recovery.tables),
    "reading": Part(reading.tables, 30),
    "forgetting": Part(forgetting.tables, 30),
    "keys": Part(keys.tables),
    "shards": Part(shards.tables),
    "sizes": Part(sizes.tables),
}
"""In the order in which they are measured: what is timed comes first, and what is counted, on any machine alike, last."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a part."""

    name: str
    seconds: float
    failure: str | None = None

    @property
    def row(self) -> list[str]:
        return [self.name, f"{self.seconds:,.0f}", self.failure or "measured"]


async def main(chosen: list[str], options: Options, *, write: bool) -> bool:
    """Measure what was chosen; whether all of it was."""
    vault.use([bytes(range(32))])
    with tempfile.TemporaryDirectory() as directory:
        async with Engines(Path(directory)) as engines:
            server = TestServer(engines)
            await server.make_template()
            outcomes = [await _measured(name, server, engines.redis_url, options, write=write) for name in chosen]
    _show([_summary(outcomes)], write=write and chosen == list(PARTS))
    return not any(one.failure for one in outcomes)


async def _measured(name: str, server: TestServer, redis_url: str, options: Options, *, write: bool) -> Outcome:
    """Measure one part and show its tables, or say why there are none."""
    part, began = PARTS[name], time.monotonic()
    limit = asyncio.timeout(part.minutes_max * MINUTE_SECONDS)
    tables: list[Table] = []
    failure = None
    try:
        async with limit:
            tables = await part.measure(server, redis_url, options)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one part, the others are measured
        late = isinstance(error, TimeoutError) and limit.expired()
        failure = f"not ended within {part.minutes_max:g} minutes" if late else f"failed: {type(error).__name__}"
        traceback.print_exc()
        await _put_away()
    outcome = Outcome(name, time.monotonic() - began, failure)
    _show(tables, write=write)
    sys.stdout.write(f"\n({name}: {failure or 'measured'}, {outcome.seconds:.0f} s)\n")
    sys.stdout.flush()
    return outcome


async def _put_away() -> None:
    """Let go of the engines, if the part that was cut off couldn't."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CLEANING_SECONDS):
            await bell.disconnect()
            await database.disconnect()


def _show(tables: Sequence[Table], *, write: bool) -> None:
    for table in tables:
        sys.stdout.write(f"\n{table.markdown()}\n")
    sys.stdout.flush()
    if write:
        PAGE.write_text(put(tables, PAGE.read_text()))


def _summary(outcomes: Sequence[Outcome]) -> Table:
    whole = Outcome("all of them", sum(one.seconds for one in outcomes), " ")
    return Table("parts", "What was measured", ["part", "seconds", "outcome"], [one.row for one in (*outcomes, whole)])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description="Measures, and prints tables.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"what to measure, by default all: {', '.join(PARTS)}")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md, too")
    Options.add_arguments(parser)
    return parser


if __name__ == "__main__":
    given = _parser().parse_args()
    unknown = set(given.parts) - PARTS.keys()
    if unknown:
        sys.exit(f"There is nothing called {', '.join(sorted(unknown))} to measure, only {', '.join(PARTS)}.")
    sys.exit(not uvloop.run(main(given.parts or list(PARTS), Options.of(given), write=given.write)))
