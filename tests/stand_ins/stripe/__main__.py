"""Runs the stand-in as a program: `python -m tests.stand_ins.stripe --port 8001 --notify http://127.0.0.1:8000/providers/stripe`.

Its clock is the real one, and goes faster only when somebody asks it to (`POST /stand-in/advance`). It does no wrong unless
`--hostile SEED` is given, and keeps its books in a file if it is named one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path

import uvicorn

from tests.patience import RESTS_SECONDS
from tests.stand_ins.stripe import keeping
from tests.stand_ins.stripe.books import Books, Clock
from tests.stand_ins.stripe.description import NoDescription, stripe_description
from tests.stand_ins.stripe.hostility import WORST, Hostility
from tests.stand_ins.stripe.notifications import Notifier
from tests.stand_ins.stripe.server import StandIn
from tests.stand_ins.stripe.serving import KEY, WEBHOOK_SECRET

SAVED_EVERY_SECONDS = 2.0


def main() -> int:
    """Serve until a signal; says on standard error what of the traffic was not as Stripe's description says."""
    parser = argparse.ArgumentParser(prog="tests.stand_ins.stripe")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--notify", help="where notices go")
    parser.add_argument("--books", type=Path, help="the file that its books are kept in")
    parser.add_argument("--hostile", type=int, metavar="SEED", help="do wrong, as often as it can be borne")
    args = parser.parse_args()
    try:
        description = stripe_description()
    except NoDescription as error:
        print(f"stand-in for Stripe: {error}", file=sys.stderr)
        return 1
    hostility = replace(WORST, seed=args.hostile) if args.hostile is not None else Hostility()
    books = Books(hostility=hostility, clock=Clock(offset=0, real=time.time), address=f"http://127.0.0.1:{args.port}")
    if args.books is not None:
        keeping.load(books, args.books)
    notifier = Notifier(books, url=args.notify, secret=WEBHOOK_SECRET, now=time.time) if args.notify else None
    asyncio.run(_serve(StandIn(books, description, secret_key=KEY, notifier=notifier), args.port, args.books))
    return 0


async def _serve(stand_in: StandIn, port: int, path: Path | None) -> None:
    config = uvicorn.Config(
        stand_in.app(),
        host="127.0.0.1",
        port=port,
        log_level="critical",
        access_log=False,
        date_header=False,
        timeout_keep_alive=RESTS_SECONDS,
    )
    server = uvicorn.Server(config)
    saving = asyncio.create_task(_go_on_saving(stand_in, path))
    try:
        await server.serve()
    finally:
        saving.cancel()
        if path is not None:
            keeping.save(stand_in.books, path)


async def _go_on_saving(stand_in: StandIn, path: Path | None) -> None:
    told = saved = 0
    while True:
        await asyncio.sleep(SAVED_EVERY_SECONDS)
        for violation in stand_in.violations[told:]:
            print(f"stand-in for Stripe: not as the description says: {violation}", file=sys.stderr, flush=True)
        told = len(stand_in.violations)
        if path is not None and stand_in.requests != saved:
            keeping.save(stand_in.books, path)
            saved = stand_in.requests


if __name__ == "__main__":
    sys.exit(main())
