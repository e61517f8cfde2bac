"""The port as it was, until its users have moved to `escrow.payments.provider`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from escrow.money import Money
from escrow.payments.results import Failed, Pending, ProviderError, Succeeded, Unknown

__all__ = ["Answer", "Failed", "Found", "Pending", "Provider", "ProviderError", "Reversed", "Succeeded", "Unknown"]


@dataclass(frozen=True, slots=True)
class Reversed:
    """`amount` came, and was taken back later: a chargeback. Only a deposit comes to this. `reason` is for people."""

    amount: Money
    reason: str


Answer = Pending | Succeeded | Failed
"""What a call may answer: most providers accept first and tell the result later."""

Found = Unknown | Answer | Reversed
"""What a look-up may find."""


class Provider(Protocol):
    """One way to move money. Implementations keep their own time limits short; callers cut them off anyway."""

    async def deposit(self, *, idempotency_key: str, amount: Money, token: str | None) -> Answer:
        """Take `amount` from the means of payment that `token` names, or the client's usual one."""
        ...

    async def refund(self, *, idempotency_key: str, amount: Money, charge_key: str | None) -> Answer:
        """Return `amount` to the client, of the charge that was made with `charge_key` if it came from one."""
        ...

    async def payout(self, *, idempotency_key: str, amount: Money, payee: str) -> Answer:
        """Pay `amount` out to the account `payee`."""
        ...

    async def lookup(self, idempotency_key: str) -> Found:
        """What became of a call, as far as the provider knows now."""
        ...

    async def notices(self) -> Sequence[str]:
        """The keys that the provider has said something new about since it was last asked."""
        ...
