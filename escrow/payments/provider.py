"""Defines the port to a payment provider: what Earnest asks of one, and the only answers that it can give.

Every call carries an idempotency key; asking again with the same key must never move money twice. A definite refusal is
an answer (`Failed`). Whatever is raised means that the outcome is unknown: the provider is asked what became of the key
before anything else is done with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from escrow.money import Money


@dataclass(frozen=True, slots=True)
class Unknown:
    """The provider has never seen this key: nothing was done, and the call may be made with it."""


@dataclass(frozen=True, slots=True)
class Pending:
    """The provider accepted the call and has no result yet."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The money moved: `amount` is what the provider says that it moved, which may not be what was asked."""

    amount: Money


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing moved. `reason` is for people; only a refund may be asked for again, with the same key."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reversed:
    """`amount` came, and was taken back later: a chargeback. Only a deposit comes to this. `reason` is for people."""

    amount: Money
    reason: str


Answer = Pending | Succeeded | Failed
"""What a call may answer: most providers accept first and tell the result later."""

Found = Unknown | Answer | Reversed
"""What a look-up may find."""


class ProviderError(Exception):
    """The provider couldn't be asked, or its answer was lost. The message holds no secret: it is kept and logged."""


class Provider(Protocol):
    """One way to move money. Implementations keep their own time limits short; callers cut them off anyway."""

    async def deposit(self, *, idempotency_key: str, amount: Money, token: str | None) -> Answer:
        """Take `amount` from the means of payment that `token` names, or the client's usual one."""
        ...

    async def refund(self, *, idempotency_key: str, amount: Money, charge_key: str | None) -> Answer:
        """Return `amount` to the client, of the charge that was made with `charge_key` if it came from one.

        After it failed, the same key tries again.
        """
        ...

    async def payout(self, *, idempotency_key: str, amount: Money, payee: str) -> Answer:
        """Pay `amount` out to the account `payee`."""
        ...

    async def lookup(self, idempotency_key: str) -> Found:
        """What became of a call, as far as the provider knows now."""
        ...

    async def notices(self) -> Sequence[str]:
        """The keys that the provider has said something new about since it was last asked.

        A hint to look up, never an answer: a notice may come twice, late, or not at all.
        """
        ...
