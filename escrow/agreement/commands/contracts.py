"""Commands on a contract as a whole: proposals, counter-offers and their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from escrow.agreement.commands.base import Made, PartyCommand
from escrow.agreement.commands.milestones import MilestoneDraft
from escrow.agreement.state import DepositTerm
from escrow.money import RawMoney
from escrow.rules import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a proposal says beside its milestones. `None` means: the default, or in a revision as before.

    `windows` holds hours by the names of `state.Windows`.
    """

    title: str | None = None
    description: str | None = None
    currency: str | None = None
    time_zone: str | None = None
    budget: RawMoney | None = None
    windows: Mapping[str, int] = field(default_factory=dict)
    deposit_term: DepositTerm | None = None


class Propose(PartyCommand):
    """Puts the first revision of a new contract on the table."""

    action: ClassVar = Action.PROPOSE
    contract_id: Made
    client_id: str
    freelancer_id: str
    terms: Terms
    plan: tuple[MilestoneDraft, ...]
    message: str | None = None


class Revise(PartyCommand):
    """Answers a proposal with other terms and a new plan: a counter-offer."""

    action: ClassVar = Action.REVISE
    contract_id: str
    terms: Terms
    plan: tuple[MilestoneDraft, ...]
    message: str | None = None
    expected_version: int | None = None


class Accept(PartyCommand):
    """Accepts the revision that it names."""

    action: ClassVar = Action.ACCEPT
    contract_id: str
    revision: int
    message: str | None = None


class Decline(PartyCommand):
    """Turns a proposal down, by the side whose turn it is."""

    action: ClassVar = Action.DECLINE
    contract_id: str
    message: str | None = None


class Withdraw(PartyCommand):
    """Takes a proposal back, by the side that wrote its latest revision."""

    action: ClassVar = Action.WITHDRAW
    contract_id: str
    message: str | None = None
