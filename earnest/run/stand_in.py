"""Has `earnest up` play with a stand-in for Stripe instead of the sandbox: to see what a real provider asks of people.

The stand-in lies with the tests, so it takes a checkout; it is a process beside those of the Procfile, and the others are told to
take it for Stripe.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from earnest.run import embedded
from earnest.run.procfile import Entry
from earnest.run.refusing import CannotStart
from escrow.environment import Reader

STRIPE_STAND_IN: Final = "stripe-stand-in"
"""What `--provider` calls it."""

BOOKS_FILE: Final = "stripe-stand-in.json"

CHECKOUT: Final = Path(__file__).parents[2]


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """What the processes are told, so that they take the stand-in for Stripe. Refuses with `CannotStart` where there is none."""
    if not (CHECKOUT / "tests" / "stand_ins" / "stripe").is_dir():
        raise CannotStart(f"--provider {STRIPE_STAND_IN} needs a checkout of Earnest: the stand-in lies with its tests")
    if embedded.names_servers(environ):
        raise CannotStart(f"--provider {STRIPE_STAND_IN} is for the built-in engines: it must meet no data of value")
    port = Reader(environ).port("PORT", default=8000)
    return {
        "EARNEST_PAYMENT_PROVIDER": "stripe",
        "EARNEST_STRIPE_KEY": "rk_test_stand_in",
        "EARNEST_STRIPE_WEBHOOK_SECRET": "whsec_stand_in",
        "EARNEST_STRIPE_RETURN_URL": f"http://127.0.0.1:{port}/",
        "EARNEST_STRIPE_URL": environ.get("EARNEST_STRIPE_URL") or f"http://127.0.0.1:{port % 65535 + 1}",
        "PYTHONPATH": os.pathsep.join(one for one in (str(CHECKOUT), environ.get("PYTHONPATH", "")) if one),
    }


def entry(environ: Mapping[str, str], root: Path) -> Entry:
    """The process to run; `environ` has the variables above."""
    port = environ["EARNEST_STRIPE_URL"].rpartition(":")[2]
    notify = f"{environ['EARNEST_STRIPE_RETURN_URL']}providers/stripe"
    books = root / embedded.DIRECTORY / BOOKS_FILE
    options = ("--port", port, "--notify", notify, "--books", str(books))
    return Entry(name="stripe", command=(sys.executable, "-m", "tests.stand_ins.stripe", *options))
