"""A payer in a real browser at the bank's page: what `Deposit.nextAction` says is all that it takes to pay."""

from __future__ import annotations

import asyncio
import json
import os
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

from earnest.run import embedded
from earnest.run.stand_in import STRIPE_STAND_IN
from escrow import audit, database
from escrow.payments import provider_of, reconciliation
from tests.conformance.conftest import CHROMIUM, needs_chromium, run_script
from tests.docs.product import started
from tests.earnest.running import free_port


@needs_chromium
def test_a_deposit_that_needs_the_payer_is_paid_refused_or_left_by_its_next_action_alone(tmp_path: Path) -> None:
    stand_in = f"http://127.0.0.1:{free_port()}"
    with started(tmp_path, "--provider", STRIPE_STAND_IN, EARNEST_STRIPE_URL=stand_in) as (port, keys):
        people = json.loads((tmp_path / ".earnest" / "demo-keys.json").read_text())
        said = run_script(
            "payer.mjs",
            os.environ
            | {
                "EARNEST_URL": f"http://127.0.0.1:{port}",
                "EARNEST_KEY": keys["client"],
                "EARNEST_FREELANCER_KEY": keys["freelancer"],
                "EARNEST_OPERATOR_KEY": keys["operator"],
                "EARNEST_ACCOUNT": people["client"]["account"],
                "EARNEST_OTHER": people["freelancer"]["account"],
                "EARNEST_CHROMIUM": str(CHROMIUM),
            },
        )
        with ProcessPoolExecutor(
            1, get_context("spawn")
        ) as beside:  # a process has one database, and this one may have its own
            assert beside.submit(_looked_at, tmp_path).result() == []
    assert "a payer who says yes has funded the milestone" in said
    assert "a payer who says no reads why" in said
    assert "a payer who doesn't come lets the deposit fail" in said


def _looked_at(root: Path) -> list[str]:
    return [str(one) for one in asyncio.run(_differences(root))]


async def _differences(root: Path) -> list[object]:
    """Of the tables and the log, and of the provider's books and the ledger, to the last movement."""
    async with embedded.deployment(root) as settings:
        await database.connect(settings.database_url)
        provider = provider_of(settings)
        try:
            return [
                *[one async for one in audit.audit()],
                *(await reconciliation.reconcile(provider, settling=timedelta())).found,
            ]
        finally:
            await provider.close()
            await database.disconnect()
