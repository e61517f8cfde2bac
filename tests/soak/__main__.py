"""`python -m tests.soak` plays that of a whole deployment; `orders` or `connectors` as the first word another one.

`python -m tests.soak orders --orders 100000`: engines of its own, the soak, its figures; 1 if anything was lost or differed.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tortoise.context import TortoiseContext

from earnest.engines import Engines
from escrow import vault
from escrow.database import configuration
from tests.engines import TestServer
from tests.factories import SECRET_KEY
from tests.soak.deployment import command_line
from tests.soak.figures import Figures
from tests.soak.playing import HOSTILITY, Soak

ORDERS_PER_DEAL: Final = 1.8
"""A deposit, and for most of them a refund or payouts."""

KILLED_EVERY: Final = 400
"""Each kill costs two starts, about as much as 50 requests."""

DEALS_A_ROUND_MAX: Final = 2_500
ROUNDS: Final = 6


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be played."""

    orders: int
    a_round: int
    seed: int
    kill_every: int
    seconds: float

    @property
    def deals(self) -> int:
        return int(self.orders / ORDERS_PER_DEAL) + 1

    @property
    def deals_a_round(self) -> int:
        """As it was asked, or so that there are some quiet moments."""
        return self.a_round or max(1, min(DEALS_A_ROUND_MAX, self.deals // ROUNDS + 1))

    @property
    def command(self) -> str:
        """What plays the same again: the stand-in's faults are drawn from the seed, when workers die is the machine's affair."""
        rest = f"--round {self.deals_a_round} --seed {self.seed} --kill-every {self.kill_every}"
        return f"python -m tests.soak orders --orders {self.orders} {rest}"


async def play(asked: Asked, folder: Path) -> tuple[Figures, BaseException | None]:
    """The soak on a database of its own: what happened, and what went wrong."""
    async with Engines(folder / "engines") as engines:
        server = TestServer(engines)
        await server.make_template()
        url = await server.clone()
        vault.use([SECRET_KEY])
        async with TortoiseContext() as context:
            await context.init(config=configuration(url), _enable_global_fallback=True)
            soak = Soak(
                url,
                engines.redis_url,
                folder,
                hostility=replace(HOSTILITY, seed=asked.seed),
                kill_every=asked.kill_every,
                tell=lambda line: print(line, file=sys.stderr, flush=True),
            )
            try:
                await soak.run(asked.deals, a_round=asked.deals_a_round, seconds=asked.seconds)
            except Exception as error:  # noqa: BLE001 - whatever it was, it is told with the figures
                return soak.figures, error
            return soak.figures, None


def main() -> int:
    """Play what the first word says."""
    others = {"connectors": play_couplings, "orders": play_orders}
    which = sys.argv[1] if len(sys.argv) > 1 else ""
    return others[which](sys.argv[2:]) if which in others else command_line.main(sys.argv[1:])


def play_couplings(arguments: Sequence[str]) -> int:
    """Connectors; what they need takes long to import, and no other soak needs it."""
    from tests.soak import coupling

    return coupling.main(arguments)


def play_orders(arguments: Sequence[str]) -> int:
    """Print the figures of many orders, and what went wrong."""
    parser = argparse.ArgumentParser(prog="tests.soak orders")
    parser.add_argument("--orders", type=int, default=1_000, help="about so many; default: %(default)s")
    parser.add_argument(
        "--round", type=int, default=0, help="contracts between two quiet moments; by default some thousands"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--kill-every",
        type=int,
        default=KILLED_EVERY,
        help="requests between two kills, on average; default: %(default)s",
    )
    parser.add_argument("--seconds", type=float, default=math.inf, help="no round begins after so many")
    args = parser.parse_args(arguments)
    logging.getLogger("uvicorn").setLevel(
        logging.CRITICAL
    )  # a connection that is cut is meant so, and there are thousands
    asked = Asked(args.orders, args.round, args.seed, args.kill_every, args.seconds)
    folder = Path(tempfile.mkdtemp(prefix="earnest-soak-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another user and must be able to pass
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing is left running
    figures, error = asyncio.run(play(asked, folder))
    print(asked.command)
    print("\n".join(figures.lines(went_well=error is None)))
    if error is None:
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    shutil.rmtree(folder / "engines", ignore_errors=True)
    print("\nIT WENT WRONG:\n" + "".join(traceback.format_exception(error)))
    print(f"The stand-in's books, our tables and the workers' logs are in {folder}.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
