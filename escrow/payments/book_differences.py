"""Defines what may differ between the payment provider's books and the ledger, and in which words it is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from escrow.money import Money


class DifferenceKind(StrEnum):
    """What differs."""

    CONTRACT = "CONTRACT"
    """Of one contract and currency: what moved at the provider, and what crossed clearing."""
    MOVEMENT = "MOVEMENT"
    """A movement at the provider belongs to no contract, and is no withdrawal, fee or reserve of the operator's."""
    BALANCE = "BALANCE"
    """The provider's balance in a currency, and clearing with what is the operator's own and what is on its way."""
    ORDER = "ORDER"
    """An order that was begun, or whose money is, at another provider than the one that is asked now: nobody can look it up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookDifference:
    """A sum that is another at the provider than here, in minor units; signs are the balance's: what came in is positive."""

    kind: DifferenceKind
    subject: str
    """The contract, the provider's name for the movement, the currency, or the order."""
    currency: str
    provider_minor: int
    ledger_minor: int

    def __str__(self) -> str:
        provider, ledger = Money(self.provider_minor, self.currency), Money(self.ledger_minor, self.currency)
        if self.kind is DifferenceKind.ORDER:
            return f"order {self.subject}: {ledger} of it belong to another provider than the one that is asked"
        words = {
            DifferenceKind.CONTRACT: "contract",
            DifferenceKind.MOVEMENT: "movement",
            DifferenceKind.BALANCE: "balance in",
        }
        return f"{words[self.kind]} {self.subject}: {provider} at the provider, {ledger} in the ledger"
