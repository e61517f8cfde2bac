"""Plays many orders in deployments side by side, tells what came of it: `python -m tests.soak orders --orders 100000`.

Each deployment has engines, a provider's stand-in and workers of its own, so one core isn't idle while another's clock waits.
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
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final, cast

from tortoise.context import TortoiseContext

from earnest.engines import Engines
from escrow import vault
from escrow.database import configuration
from tests.engines import TestServer
from tests.factories import SECRET_KEY
from tests.soak.figures import Figures
from tests.soak.playing import HOSTILITY, Soak

ORDERS_PER_DEAL: Final = 2.1
"""A deposit, and for most of them a refund or payouts."""

KILLED_EVERY: Final = 3_000
"""Each kill costs two starts, about as much as 500 requests."""

DEALS_A_DEPLOYMENT: Final = 500
"""Each step looks through all that there ever was, so deployments don't grow for ever."""

ROUNDS: Final = 2
SIDE_BY_SIDE: Final = 8
"""One that waits for what is late leaves the machine to the other."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be played in one deployment."""

    deals: int
    a_round: int
    seed: int
    kill_every: int


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it, and if it went wrong, how and where what shows it is."""

    figures: Figures
    wrong: str = ""


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
            )
            try:
                await soak.run(asked.deals, a_round=asked.a_round)
            except Exception as error:  # noqa: BLE001 - whatever it was, it is told with the figures
                return soak.figures, error
            return soak.figures, None


def play_one(asked: Asked) -> Played:
    """One deployment in a process of its own. What shows how it went wrong stays where it says; nothing else does."""
    # A connection that is cut is meant so, and there are thousands; so is an answer that doesn't come.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    logging.getLogger("escrow").setLevel(logging.ERROR)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing is left running
    folder = Path(tempfile.mkdtemp(prefix="earnest-soak-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another user and must be able to pass
    try:
        figures, error = asyncio.run(play(asked, folder))
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if error is None:
        shutil.rmtree(folder, ignore_errors=True)
        return Played(figures)
    shutil.rmtree(folder / "engines", ignore_errors=True)
    kept = f"The stand-in's books, our tables and the workers' logs are in {folder}."
    return Played(figures, f"seed {asked.seed}:\n" + "".join(traceback.format_exception(error)) + kept)


def divided(orders: int, *, a_round: int, seed: int, kill_every: int) -> list[Asked]:
    """So many orders in deployments of a bearable size, each with a seed of its own."""
    deals = int(orders / ORDERS_PER_DEAL) + 1
    deployments = math.ceil(deals / DEALS_A_DEPLOYMENT)
    each = math.ceil(deals / deployments)
    a_round = a_round or each // ROUNDS + 1
    return [Asked(each, a_round, seed + number, kill_every) for number in range(deployments)]


def main(arguments: Sequence[str]) -> int:
    """Print the figures of many orders, and what went wrong."""
    parser = argparse.ArgumentParser(prog="tests.soak orders")
    parser.add_argument("--orders", type=int, default=1_000, help="about so many; default: %(default)s")
    parser.add_argument(
        "--round", type=int, default=0, help="contracts between two quiet moments; by default half of a deployment's"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first deployment; each other has the next")
    parser.add_argument(
        "--kill-every",
        type=int,
        default=KILLED_EVERY,
        help="requests between two kills, on average; default: %(default)s",
    )
    parser.add_argument("--seconds", type=float, default=math.inf, help="no deployment begins after so many")
    args = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing is left running
    began = time.monotonic()
    parts = divided(args.orders, a_round=args.round, seed=args.seed, kill_every=args.kill_every)
    done = list(_played(parts, began, args.seconds))
    together = Figures.together(one.figures for one in done)
    together.seconds = time.monotonic() - began
    wrong = [one.wrong for one in done if one.wrong]
    print(f"python -m tests.soak orders {' '.join(arguments)}")
    print("\n".join(together.lines(went_well=not wrong)))
    for one in wrong:
        print(f"\nIT WENT WRONG with {one}")
    return 1 if wrong else 0


def _played(parts: Sequence[Asked], began: float, seconds: float) -> Iterator[Played]:
    """Some side by side; what comes of each is told when it is there. None begins after so many seconds."""
    waiting = iter(parts)
    under_way: dict[Connection, tuple[Asked, BaseProcess]] = {}
    try:
        while True:
            while len(under_way) < SIDE_BY_SIDE and time.monotonic() - began < seconds:
                if (part := next(waiting, None)) is None:
                    break
                receiving, process = _begun(part)
                under_way[receiving] = part, process
            if not under_way:
                return
            for one in wait(list(under_way)):
                part, process = under_way.pop(cast("Connection", one))
                played = _told(cast("Connection", one), part)
                process.join()
                said = played.wrong or "; ".join(played.figures.lines())
                print(f"{time.monotonic() - began:.0f} s: {said}", file=sys.stderr, flush=True)
                yield played
    finally:
        for _, process in under_way.values():
            process.terminate()
        for _, process in under_way.values():
            process.join()


def _begun(part: Asked) -> tuple[Connection, BaseProcess]:
    context = get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_play_and_tell, args=(part, sending))
    process.start()
    sending.close()
    return receiving, process


def _play_and_tell(part: Asked, told: Connection) -> None:
    told.send(play_one(part))


def _told(receiving: Connection, part: Asked) -> Played:
    try:
        return cast("Played", receiving.recv())
    except EOFError:
        return Played(Figures(), f"seed {part.seed}: its process died")
