"""`make soak`: plays it on engines of its own and prints what was done and found; 1 if anything was not as it was promised."""

from __future__ import annotations

import argparse
import logging
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from tests.soak.deployment.playing import AT_ONCE, Asked, Soak
from tests.soak.deployment.sittings import Sittings, Unfinished

COMMANDS: Final = 10_000
BLOW_EVERY: Final = 100
DISK_MB: Final = 300
DISK_MB_A_THOUSAND_COMMANDS: Final = 60
DISK_MB_MAX: Final = 4_000


def main(arguments: Sequence[str]) -> int:
    """Play, print, and leave what shows why if it went wrong."""
    parser = argparse.ArgumentParser(prog="tests.soak", description=__doc__)
    parser.add_argument("--commands", type=int, default=COMMANDS, help="that are answered; default: %(default)s")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000, help="default: another each time")
    parser.add_argument(
        "--blow-every",
        type=int,
        default=BLOW_EVERY,
        help="commands between two blows, on average; default: %(default)s",
    )
    parser.add_argument(
        "--at-once", type=int, default=AT_ONCE, help="contracts that people are at; default: %(default)s"
    )
    parser.add_argument("--minutes", type=float, help="after which it ends with fewer commands; default: never")
    parser.add_argument(
        "--in",
        dest="stays",
        type=Path,
        metavar="FOLDER",
        help="play one more sitting on what former ones left there, and leave it there for the next",
    )
    args = parser.parse_args(arguments)
    disk_mb = DISK_MB + args.commands * DISK_MB_A_THOUSAND_COMMANDS // 1_000
    asked = Asked(
        commands=args.commands,
        seed=args.seed,
        blow_every=args.blow_every,
        at_once=args.at_once,
        seconds_max=args.minutes and args.minutes * 60,
        long_stops=True,
        disk_mb=disk_mb if disk_mb <= DISK_MB_MAX else None,
    )
    for loud in ("uvicorn", "asyncpg.pool", "websockets"):
        logging.getLogger(loud).setLevel(logging.CRITICAL)  # what is cut is meant so, and that happens all the time
    sittings = Sittings(args.stays.absolute()) if args.stays is not None else None
    try:
        folder = sittings.begin() if sittings is not None else _own_folder()
    except Unfinished as refusal:
        parser.error(str(refusal))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing is left running
    soak = Soak(asked, folder, sittings=sittings, tell=lambda line: print(line, file=sys.stderr, flush=True))
    error: BaseException | None = None
    try:
        uvloop.run(soak.run())
    except (Exception, BaseExceptionGroup) as failure:  # noqa: BLE001 - whatever it was, it is told with the figures
        error = failure
    print(asked.command)
    print("\n".join(soak.figures.lines()))
    if error is None:
        if sittings is None:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print("\n".join(sittings.lines()))
        print("Nothing lost, nothing twice, nothing early, and late only with a red light.")
        return 0
    print("\nIT WENT WRONG:\n" + "".join(traceback.format_exception(error)))
    print(f"The logs of the processes are in {folder}.")
    return 1


def _own_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="earnest-soak-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another user and must be able to pass
    return folder
