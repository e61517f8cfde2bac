"""Hears what tools say by themselves: webhooks that are signed. They only ring; what has changed is read from the tool.

So one that is lost, doubled, old or out of order does no harm.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from connectors.tools import github_issues, github_milestones

SIGNATURE: Final = "x-hub-signature-256"
EVENTS: Final = frozenset({github_milestones.EVENT, github_issues.EVENT})


class NotSigned(Exception):
    """Whoever sent it doesn't have the secret."""


def is_of_use(secret: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether a webhook of GitHub may tell of a change. Raises `NotSigned`; names of headers are lower-case."""
    wanted = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted.encode(), headers.get(SIGNATURE, "").encode()):
        raise NotSigned
    return headers.get("x-github-event") in EVENTS
