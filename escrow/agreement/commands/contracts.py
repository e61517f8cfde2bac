"""Commands on a contract as a whole: proposals and their answers, ending it, and saying how it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar

from escrow.agreement.state import Attachment, DepositTerm
from escrow.lifecycle import Action
from escrow.money import RawMoney


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneDraft:
    """A milestone as a plan describes it."""

    id: str
    title: str
    purpose: str
    amount: RawMoney
    due_on: date
    deliverables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a proposal says beside its milestones. ``None`` means: the default, or in a revision as before.

    ``windows`` holds hours by the names of ``state.Windows``.
    """

    title: str | None = None
    description: str | None = None
    currency: str | None = None
    time_zone: str | None = None
    budget: RawMoney | None = None
    windows: Mapping[str, int] = field(default_factory=dict)
    deposit_term: DepositTerm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """Puts the first revision of a new contract on the table."""

    action: ClassVar = Action.PROPOSE
    contract_id: str
    client_id: str
    freelancer_id: str
    terms: Terms
    plan: tuple[MilestoneDraft, ...]
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revise:
    """Answers a proposal with other terms and a new plan: a counter-offer."""

    action: ClassVar = Action.REVISE
    contract_id: str
    terms: Terms
    plan: tuple[MilestoneDraft, ...]
    message: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """Accepts the revision that it names."""

    action: ClassVar = Action.ACCEPT
    contract_id: str
    revision: int
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """Turns a proposal down, by the side whose turn it is."""

    action: ClassVar = Action.DECLINE
    contract_id: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Takes a proposal back, by the side that wrote its latest revision."""

    action: ClassVar = Action.WITHDRAW
    contract_id: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Ends an active contract. The client asks back what is held; the freelancer names what is held and gives it up.

    ``giving_up`` is the freelancer's: the sum over all milestones, without fees; zero if nothing is held.
    """

    action: ClassVar = Action.END
    contract_id: str
    giving_up: RawMoney | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawEnd:
    """Takes the client's ending back, and the refund requests that it made."""

    action: ClassVar = Action.WITHDRAW_END
    contract_id: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostUpdate:
    """Says how it goes, on the contract or on one of its milestones."""

    action: ClassVar = Action.POST_UPDATE
    contract_id: str
    message: str
    milestone_id: str | None = None
    links: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
