"""The TypeScript client works in a real browser as it is packed."""

from __future__ import annotations

import base64
import json

from tests.conformance.conftest import CHROMIUM, Node, needs_chromium
from tests.conformance.own.conftest import Installed
from webhooks.request.signing import Ed25519Key, sign

NOW = 1_800_000_000


@needs_chromium
def test_the_client_works_in_a_browser_as_it_is_packed(node: Node, in_node: Installed) -> None:
    key = Ed25519Key(bytes(range(32)))
    body = '{"type": "milestone.released", "data": {"event": {}}}'
    headers = sign([key], message_id="evt_1", timestamp=NOW, body=body.encode())
    said = node(
        "own/browser.mjs",
        EARNEST_CHROMIUM=str(CHROMIUM),
        EARNEST_PACKAGE=str(in_node.folder),
        EARNEST_SECRET="whpk_" + base64.b64encode(key.public_key).decode(),
        EARNEST_SIGNED=json.dumps({"body": body, "headers": headers, "now": NOW}),
    )
    assert "a browser asks, follows, mirrors, proves" in said
