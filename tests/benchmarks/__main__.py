"""`make bench`: starts the embedded engines, measures, prints tables. `make bench ARGS=deadlines` measures only those."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from earnest.engines import Engines
from tests.benchmarks import commands, deadlines, execution, live, reading, webhooks
from tests.engines import TestServer

ROUNDS: Final = 5
WORKERS: Final = (1, 2)
PARTS: Final = ("commands", "deadlines", "execution", "live", "reading", "webhooks")


async def main(chosen: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with Engines(Path(directory)) as engines:
            server = TestServer(engines)
            await server.make_template()
            if "commands" in chosen:
                await commands.measure(server)  # warms up the engine and the interpreter; not counted
                print_table([await commands.measure(server) for _ in range(ROUNDS)])
            if "deadlines" in chosen:
                deadlines.print_table([await deadlines.measure(server, engines.redis_url, n) for n in WORKERS])
            if "execution" in chosen:
                execution.print_table(await execution.measure())
            if "live" in chosen:
                for subscribers in live.SUBSCRIBERS:
                    live.print_table(await live.measure(server, engines.redis_url, subscribers))
            if "reading" in chosen:
                reading.print_table(await reading.measure(server))
            if "webhooks" in chosen:
                await webhooks.print_tables(server, engines.redis_url)


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
    uvloop.run(main(sys.argv[1:] or PARTS))
