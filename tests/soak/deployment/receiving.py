"""Receivers of webhooks: each checks the signature and the time, refuses some at their first attempt, and keeps what it took."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.webhooks.partner import Arrival, Partners

REFUSED: Final = 17
"""Every so manieth event is refused when it comes for the first time."""
TOLERANCE_SECONDS: Final = 300.0


@dataclass(slots=True)
class Receiver:
    """One endpoint's other side."""

    path: str
    secret: str
    tries: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    """What was not as it was promised."""

    def __call__(self, arrival: Arrival) -> int:
        self.tries[arrival.event_id] += 1
        if not self._is_signed(arrival):
            self.wrong.append(f"{arrival.event_id} is not signed")
        if abs(time.time() - int(arrival.headers["webhook-timestamp"])) > TOLERANCE_SECONDS:
            self.wrong.append(f"{arrival.event_id} is dated {arrival.headers['webhook-timestamp']}")
        is_odd = int(hashlib.sha256(arrival.event_id.encode()).hexdigest(), 16) % REFUSED == 0
        return 503 if is_odd and self.tries[arrival.event_id] == 1 else 200

    def _is_signed(self, arrival: Arrival) -> bool:
        said = f"{arrival.headers['webhook-id']}.{arrival.headers['webhook-timestamp']}.".encode() + arrival.raw
        digest = hmac.digest(base64.b64decode(self.secret.removeprefix("whsec_")), said, hashlib.sha256)
        signature = "v1," + base64.b64encode(digest).decode()
        return any(hmac.compare_digest(signature, one) for one in arrival.headers["webhook-signature"].split(" "))

    def taken(self, partner: Partners) -> list[Arrival]:
        """What it took, each event once, when it took it first."""
        found: dict[str, Arrival] = {}
        for arrival, status in partner.answered:
            if arrival.path == self.path and status == 200:
                found.setdefault(arrival.event_id, arrival)
        return list(found.values())

    def repeated(self, partner: Partners) -> int:
        """How often it was sent what it had taken."""
        accepted = Counter(partner.accepted(self.path))
        return sum(accepted.values()) - len(accepted)


def disorder(taken: Sequence[Arrival]) -> list[str]:
    """The events of a stream that were taken after a later one of it."""
    last: dict[str, str] = {}
    found = []
    for arrival in taken:
        if arrival.position <= last.get(arrival.stream, ""):
            found.append(f"{arrival.event_id} of {arrival.stream} was taken after a later one")
        last[arrival.stream] = max(arrival.position, last.get(arrival.stream, ""))
    return found
