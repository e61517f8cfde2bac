"""`make bench`: starts the embedded engines, measures, prints a table."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

import uvloop

from earnest.engines import Engines
from tests.benchmarks import commands
from tests.engines import TestServer

ROUNDS: Final = 5


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with Engines(Path(directory)) as engines:
            server = TestServer(engines)
            await server.make_template()
            await commands.measure(server)  # warms up the engine and the interpreter; not counted
            rounds = [await commands.measure(server) for _ in range(ROUNDS)]
    print_table(rounds)


def print_table(rounds: list[commands.Figures]) -> None:
    """The median of the rounds, and the span of the ratio, which is what can be compared between machines."""
    ratios = [one.bare_seconds / one.product_seconds for one in rounds]
    product = statistics.median(one.commands / one.product_seconds for one in rounds)
    bare = statistics.median(one.commands / one.bare_seconds for one in rounds)
    sys.stdout.write(
        f"commands on contracts, {commands.AT_ONCE} at once on {commands.CONTRACTS} contracts, {ROUNDS} rounds\n"
        f"  statements per command      {rounds[0].statements / rounds[0].commands:8.2f}\n"
        f"  commands/s, Earnest         {product:8.0f}\n"
        f"  commands/s, bare asyncpg    {bare:8.0f}\n"
        f"  ratio                       {statistics.median(ratios):8.2f}   ({min(ratios):.2f} to {max(ratios):.2f})\n"
    )


if __name__ == "__main__":
    uvloop.run(main())
