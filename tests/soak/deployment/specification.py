"""What a contract is to those who ask and command over the API: a sequential specification by the pure core, for `linearizing`.

Its state is the contract and what was posted on it; time stands still, since no clock of these contracts rings while they are
played. Identifiers that the service chose are those of its answers.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from escrow.access import PROVIDER, Actor
from escrow.agreement import commands as c
from escrow.agreement.state import Contract, Surroundings
from escrow.agreement.step import step
from escrow.ids import Kind
from escrow.states import DepositState


@dataclass(frozen=True, slots=True)
class Commanded:
    """A command that was accepted, or refused with a code. Of one that nobody answered `code` is none: if it happened, it was
    accepted."""

    number: int
    command: c.Command
    by: Actor
    code: str | None = None

    def __str__(self) -> str:
        return f"{self.command} by {self.by.account_id}: {self.code or 'accepted'}"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What the provider reports of a deposit, whenever a worker hears of it."""

    deposit_id: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that an answer said of the contract: `state`, `milestones` or `updates`. What one answer says of several things
    it may have read at several moments."""

    what: str
    value: object


Said = Commanded | Confirmed | Seen


@dataclass(frozen=True, slots=True)
class Known:
    """A contract with what was posted on it, in order."""

    contract: Contract
    updates: tuple[str, ...] = ()

    def seen(self, what: str) -> object:
        """What an answer would say now."""
        if what == "milestones":
            return tuple(one.state.value for one in self.contract.milestones)
        return self.contract.state.value if what == "state" else self.updates


@dataclass(frozen=True, slots=True)
class OfContract:
    """The specification of one contract among its `around`."""

    around: Surroundings

    def __call__(self, known: Known, said: Said) -> Known | None:
        match said:
            case Seen(what, value):
                return known if known.seen(what) == value else None
            case Confirmed(deposit_id):
                return self._confirmed(known, deposit_id)
            case Commanded():
                return self._commanded(known, said)

    def _confirmed(self, known: Known, deposit_id: str) -> Known | None:
        contract = known.contract
        deposit = contract.deposits.get(deposit_id)
        if deposit is None or deposit.state is not DepositState.STARTED:
            return None
        amount = contract.money(deposit.charge_minor)
        report = c.ConfirmDeposit(contract_id=contract.id, deposit_id=deposit_id, amount=amount)
        return self._commanded(known, Commanded(-1, report, PROVIDER))

    def _commanded(self, known: Known, said: Commanded) -> Known | None:
        numbers = itertools.count()

        def fresh(kind: Kind) -> str:
            return f"{kind.value}_of_{said.number}_{next(numbers)}"

        done = step(known.contract, said.command, actor=said.by, around=self.around, fresh=fresh)
        if done.refusal is not None:
            return known if done.refusal.code.value == said.code else None
        if said.code is not None or done.after is None:
            return None
        posted = (said.command.message,) if isinstance(said.command, c.PostUpdate) else ()
        return Known(done.after, known.updates + posted)
