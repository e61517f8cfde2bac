"""Taking a key out of `EARNEST_SECRET_KEYS`: what it encrypted is encrypted anew first, and nothing is lost on the way."""

from __future__ import annotations

import pytest
from standardwebhooks import Webhook

from escrow import database, vault
from tests.factories import SECRET_KEY, Deployment, make_endpoint
from tests.webhooks.request.test_endpoints import request
from webhooks.request import renewal
from webhooks.request.endpoints import endpoints
from webhooks.request.renewal import Standing, survey

pytestmark = pytest.mark.usefixtures("database")

NEW = b"n" * 32


async def test_after_a_renewal_the_older_key_is_needed_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "PAGE", 2)
    there = await Deployment.make()
    made = [await make_endpoint(there.client) for _ in range(5)]
    vault.use([NEW, SECRET_KEY])
    before = await database.fetch("SELECT * FROM endpoint_secrets")
    assert await survey() == Standing(older=5)
    assert await database.fetch("SELECT * FROM endpoint_secrets") == before
    assert await survey(renew=True) == Standing(older=5)
    assert await survey(renew=True) == Standing(current=5)
    vault.use([NEW])
    found = await endpoints([one.id for one in made])
    for one in made:
        Webhook(one.secret).verify("{}", request(found[one.id]))


async def test_what_no_key_opens_is_told_and_left_alone() -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client)
    vault.use([NEW])
    assert await survey(renew=True) == Standing(unreadable=(made.id,))
    vault.use([SECRET_KEY])
    assert await survey() == Standing(current=1)
