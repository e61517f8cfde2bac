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


def said(digits: int, name: str = "msg_1") -> str:
    headers = {"webhook-id": name, "webhook-timestamp": "1" * digits, "webhook-signature": f"v1,{signature}"}
    try:
        verify(BODY, headers, f"whsec_{base64.b64encode(SECRET).decode()}", tolerance_seconds=math.inf)
    except NotVerified as refusal:
        return str(refusal)
    return "It is Earnest's."


saw = {str(digits): said(digits) for digits in (0, 10, 12, 13, 400, 5000)}
print(json.dumps(saw | {"an id that is no text": said(10, "msg_\udcff")}))
