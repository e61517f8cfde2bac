"""`make bench`: starts the embedded engines, measures, prints tables. `make bench ARGS=deadlines` measures only those.

`--write` puts the tables into docs/performance.md, too. What else can be said is for quick runs, whose figures say less.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import uvloop

from earnest.engines import Engines
from escrow import vault
from tests.benchmarks import commands, deadlines, execution, growth, hostile, live, prices, reading, webhooks
from tests.benchmarks.options import Options
from tests.benchmarks.peers import report as peers
from tests.benchmarks.tables import PAGE, Table, put
from tests.engines import TestServer

Part = Callable[[TestServer, str, Options], Awaitable[list[Table]]]

PARTS: Final[Mapping[str, Part]] = {
    "commands": commands.tables,
    "deadlines": deadlines.tables,
    "execution": execution.tables,
    "hostile": hostile.tables,
    "growth": growth.tables,
    "live": live.tables,
    "peers": peers.tables,
    "prices": prices.tables,
    "reading": reading.tables,
    "webhooks": webhooks.tables,
}
"""What can be measured, each by itself, on databases of its own."""


async def main(chosen: list[str], options: Options, *, write: bool) -> None:
    vault.use([bytes(range(32))])
    with tempfile.TemporaryDirectory() as directory:
        async with Engines(Path(directory)) as engines:
            server = TestServer(engines)
            await server.make_template()
            for name in chosen:
                began = time.monotonic()
                tables = await PARTS[name](server, engines.redis_url, options)
                for table in tables:
                    sys.stdout.write(f"\n{table.markdown()}\n")
                sys.stdout.write(f"\n({name} took {time.monotonic() - began:.0f} s)\n")
                sys.stdout.flush()
                if write:
                    PAGE.write_text(put(tables, PAGE.read_text()))


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
    uvloop.run(main(given.parts or list(PARTS), Options.of(given), write=given.write))
