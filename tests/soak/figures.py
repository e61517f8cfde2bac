"""Counts what happened in a soak, for whoever runs it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class Figures:
    """What happened so far, in one deployment or in several."""

    deployments: int = 1
    orders: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    notices_taken: int = 0
    notices_lost: int = 0
    disputes: Counter[str] = field(default_factory=Counter)
    quiet_moments: int = 0
    looks: int = 0
    """How often the books were compared while money moved."""
    balance_minor: int = 0
    fees_minor: int = 0
    movements: int = 0
    violations: int = 0
    stuck: int = 0
    seconds: float = 0

    @classmethod
    def together(cls, parts: Iterable[Figures]) -> Figures:
        """What happened in all of these; how long they took is known to whoever had them played."""
        whole = cls(deployments=0)
        for part in parts:
            for name in (one.name for one in fields(cls)):
                setattr(whole, name, getattr(whole, name) + getattr(part, name))
        return whole

    @property
    def total(self) -> int:
        """How many orders there were."""
        return sum(self.orders.values())

    def lines(self, *, went_well: bool = True) -> list[str]:
        """For reading; what was compared is told if it went well."""
        rate = self.total / self.seconds if self.seconds else 0.0
        balance, fees = f"{self.balance_minor / 100:.2f} USD", f"{self.fees_minor / 100:.2f} USD"
        compared = [
            f"lost, doubled          0, 0 of {self.movements} movements of money",
            f"quiet moments          {self.quiet_moments}, both books said the same at each",
            f"looks between          {self.looks}, the balance was what its movements came to at each",
            f"at the end             {balance} at the provider and in the ledger, {fees} of fees",
        ]
        hours = 100_000 / rate / 3600 if rate else 0.0
        return [
            f"orders                 {self.total}: " + _listed(self.orders),
            f"deployments            {self.deployments}, each with a provider of its own",
            f"requests to Stripe     {self.requests}, of which went wrong: " + _listed(self.faults),
            f"answers lost           {sum(n for fault, n in self.faults.items() if fault in LOST)}",
            f"notices                {self.notices_taken} arrived, {self.notices_lost} did not",
            f"disputes               {sum(self.disputes.values())}: " + _listed(self.disputes),
            f"workers killed         {self.kills}",
            f"left to a person       {self.stuck}",
            *(compared if went_well else ()),
            f"violations             {self.violations} of Stripe's description, either way",
            f"time                   {self.seconds:.0f} s, {rate:.1f} orders/s: 100,000 would take {hours:.1f} hours",
        ]


LOST = ("lost_answer", "late_answer", "late_work", "stored_error_afterwards")
"""What was carried out, or would be, and not answered."""


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
