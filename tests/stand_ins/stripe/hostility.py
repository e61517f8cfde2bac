"""Says what goes wrong, and when: every chance is drawn from the seed and a name, so a run can be played again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DAY_SECONDS: Final = 86_400


class Fault(StrEnum):
    """What may happen to one request."""

    LOST_REQUEST = "LOST_REQUEST"
    """It never arrives: nothing is done, and the connection is cut."""
    LOST_ANSWER = "LOST_ANSWER"
    """It is carried out, and the connection is cut."""
    LATE_ANSWER = "LATE_ANSWER"
    """It is carried out at once, and answered after the caller has given up."""
    LATE_WORK = "LATE_WORK"
    """It is carried out only after the caller has given up."""
    STORED_ERROR = "STORED_ERROR"
    """It answers 500, before anything is done, and will say so for as long as it remembers the key."""
    STORED_ERROR_AFTERWARDS = "STORED_ERROR_AFTERWARDS"
    """It answers 500 although it was carried out, and will say so for as long as it remembers the key."""
    CONFLICT = "CONFLICT"
    """It answers 409: another request with this key is said to be under way."""
    TOO_MANY = "TOO_MANY"
    """It answers 429."""


WRITES_ONLY: Final = frozenset(
    {Fault.LATE_WORK, Fault.STORED_ERROR, Fault.STORED_ERROR_AFTERWARDS, Fault.CONFLICT, Fault.LOST_ANSWER}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostility:
    """How often what goes wrong: shares from 0 to 1. As it is made, everything goes well."""

    seed: int = 1
    lost_requests: float = 0
    lost_answers: float = 0
    late_answers: float = 0
    late_work: float = 0
    stored_errors: float = 0
    conflicts: float = 0
    too_many: float = 0

    late_seconds: float = 0.5
    """How much later than at once `late_answers` and `late_work` are; more than the caller waits."""
    keys_forgotten_seconds: float = DAY_SECONDS
    """How long a key is remembered, on the clock of the stand-in."""

    pending_seconds: float = 2 * DAY_SECONDS
    """How long the money of a charge is pending."""

    notices_never: float = 0
    notices_twice: float = 0
    notices_late: float = 0
    """Late notices also come in another order than they were made in."""

    lists_behind: float = 0
    """Refunds, transfers and payouts that no list has for a while after they were made."""
    behind_seconds: float = 3 * 3_600

    payouts_fail: float = 0
    """Payouts that fail after they were `paid`."""
    refunds_fail: float = 0
    disputes: float = 0
    """Charges that are disputed, beside those whose payment method asks for it."""
    disputes_won: float = 0.5

    def happens(self, share: float, *names: object) -> bool:
        """Whether it does to what bears these names; the same every time."""
        return share > 0 and self.drawn(*names) < share

    def drawn(self, *names: object) -> float:
        """A number from 0 to 1 that hangs on the seed and the names alone."""
        text = "\x1f".join(str(each) for each in (self.seed, *names))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64

    def is_listed(self, name: str, age_seconds: float) -> bool:
        """Whether lists have a thing of this age already."""
        is_late = self.happens(self.lists_behind, "behind", name)
        return not is_late or age_seconds >= self.behind_seconds * self.drawn("how far behind", name)

    def fault(self, name: str, count: int, *, writes: bool) -> Fault | None:
        """What happens to the request of this name when it comes for the `count`th time."""
        drawn = self.drawn("fault", name, count)
        for share, fault in self._shares():
            if 0 <= drawn < share and (writes or fault not in WRITES_ONLY):
                return fault
            drawn -= share
        return None

    def _shares(self) -> list[tuple[float, Fault]]:
        return [
            (self.lost_requests, Fault.LOST_REQUEST),
            (self.lost_answers, Fault.LOST_ANSWER),
            (self.late_answers, Fault.LATE_ANSWER),
            (self.late_work, Fault.LATE_WORK),
            (self.stored_errors / 2, Fault.STORED_ERROR),
            (self.stored_errors / 2, Fault.STORED_ERROR_AFTERWARDS),
            (self.conflicts, Fault.CONFLICT),
            (self.too_many, Fault.TOO_MANY),
        ]


WORST: Final = Hostility(
    lost_requests=0.03,
    lost_answers=0.05,
    late_answers=0.02,
    late_work=0.02,
    stored_errors=0.04,
    conflicts=0.03,
    too_many=0.03,
    lists_behind=0.2,
    notices_never=0.2,
    notices_twice=0.2,
    notices_late=0.3,
    payouts_fail=0.1,
    refunds_fail=0.05,
    disputes=0.05,
)
"""Everything at once, oftener than anybody has seen."""
