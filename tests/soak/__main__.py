"""`python -m tests.soak --orders 100000`: engines of its own, the soak, and its figures."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tortoise.context import TortoiseContext

from earnest.engines import Engines
from escrow import vault
from escrow.database import configuration
from tests.engines import TestServer
from tests.factories import SECRET_KEY
from tests.soak.playing import Figures, Soak
from tests.stand_ins.stripe.hostility import WORST

ORDERS_PER_DEAL = 1.5
"""A deposit, and for most of them a refund or a payout."""


async def play(orders: int, a_round: int, seed: int) -> Figures:
    """The soak on a database of its own."""
    with tempfile.TemporaryDirectory(prefix="earnest-soak-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # as root, PostgreSQL runs as another user and must be able to pass
        async with Engines(folder / "engines") as engines:
            server = TestServer(engines)
            await server.make_template()
            url = await server.clone()
            vault.use([SECRET_KEY])
            async with TortoiseContext() as context:
                await context.init(config=configuration(url), _enable_global_fallback=True)
                soak = Soak(url, engines.redis_url, folder, hostility=replace(WORST, seed=seed))
                return await soak.run(int(orders / ORDERS_PER_DEAL) + 1, a_round=a_round)


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="tests.soak")
    parser.add_argument("--orders", type=int, default=1_000, help="about so many; default: %(default)s")
    parser.add_argument(
        "--round", type=int, default=250, help="contracts between two quiet moments; default: %(default)s"
    )
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    figures = asyncio.run(play(args.orders, args.round, args.seed))
    print("\n".join(figures.lines()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
