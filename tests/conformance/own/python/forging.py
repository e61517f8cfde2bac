"""What the installed Python client says of webhooks by how many digits their times have: printed as JSON."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math

from earnest_client import NotVerified, verify

SECRET = b"of the endpoint"
BODY = b'{"type": "endpoint.test", "data": {}}'
signature = base64.b64encode(hmac.digest(SECRET, b"msg_1.1111111111." + BODY, hashlib.sha256)).decode()


def said(digits: int) -> str:
    headers = {"webhook-id": "msg_1", "webhook-timestamp": "1" * digits, "webhook-signature": f"v1,{signature}"}
    try:
        verify(BODY, headers, f"whsec_{base64.b64encode(SECRET).decode()}", tolerance_seconds=math.inf)
    except NotVerified as refusal:
        return str(refusal)
    return "It is Earnest's."


print(json.dumps({digits: said(digits) for digits in (0, 10, 12, 13, 400, 5000)}))
