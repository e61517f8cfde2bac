"""What can be asked of a contract, as users say it, and what the payment provider reports. Values only, not yet checked.

Amounts are ``RawMoney``: a wrong one is refused by ``decide``, after everything that the law puts before it. Identifiers of
what a command creates come with it, so that deciding stays free of chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar

from escrow.agreement.state import Attachment
from escrow.lifecycle import Action
from escrow.money import Money, RawMoney


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
class AddMilestone:
    """Adds a planned milestone at ``position`` (1-based, closed ones counted), by default at the end."""

    action: ClassVar = Action.ADD_MILESTONE
    contract_id: str
    milestone: MilestoneDraft
    position: int | None = None
    message: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditMilestone:
    """Changes what is given of a planned milestone; ``None`` leaves as it is."""

    action: ClassVar = Action.EDIT_MILESTONE
    milestone_id: str
    title: str | None = None
    purpose: str | None = None
    amount: RawMoney | None = None
    due_on: date | None = None
    deliverables: tuple[str, ...] | None = None
    message: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveMilestone:
    """Gives a planned milestone another place in the order."""

    action: ClassVar = Action.MOVE_MILESTONE
    milestone_id: str
    position: int
    message: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveMilestone:
    """Takes a planned milestone out of the plan."""

    action: ClassVar = Action.REMOVE_MILESTONE
    milestone_id: str
    message: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """A milestone as another system has it, under the name that it has there; ``None`` leaves as it is.

    ``milestone_id`` is that of the milestone which the name stands for already, else a fresh one. ``taken_by`` is what else
    the name stands for.
    """

    milestone_id: str
    external_id: str
    url: str | None = None
    title: str | None = None
    purpose: str | None = None
    amount: RawMoney | None = None
    due_on: date | None = None
    deliverables: tuple[str, ...] | None = None
    taken_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportMilestones:
    """Changes the planned milestones that ``system`` knows already and adds the others at the end, all or nothing."""

    action: ClassVar = Action.IMPORT_MILESTONES
    contract_id: str
    system: str
    rows: tuple[ImportRow, ...]
    message: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fund:
    """Starts the deposit for one planned milestone."""

    action: ClassVar = Action.FUND
    milestone_id: str
    deposit_id: str
    order_id: str
    payment_token: str | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelFunding:
    """Abandons a deposit that the provider has not confirmed."""

    action: ClassVar = Action.CANCEL_FUNDING
    milestone_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Hands in the work of a milestone."""

    action: ClassVar = Action.SUBMIT
    milestone_id: str
    submission_id: str
    message: str
    links: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """Releases the whole sum that a milestone holds; on a released one it changes nothing."""

    action: ClassVar = Action.APPROVE
    milestone_id: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestChanges:
    """Sends submitted work back with a note."""

    action: ClassVar = Action.REQUEST_CHANGES
    milestone_id: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPayout:
    """Asks for what is payable to the freelancer of one contract, all of it unless ``amount`` says less."""

    action: ClassVar = Action.REQUEST_PAYOUT
    contract_id: str
    order_id: str
    amount: RawMoney | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmDeposit:
    """The provider took the client's money: ``amount`` is what it says that it took."""

    contract_id: str
    deposit_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class FailDeposit:
    """The provider could not take the client's money."""

    contract_id: str
    deposit_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmOrder:
    """The provider carried out a refund or a payout."""

    contract_id: str
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailOrder:
    """The provider could not carry out a refund or a payout."""

    contract_id: str
    order_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyDeadlines:
    """Nothing but what is due anyway: the step that a sweep takes."""

    contract_id: str


PartyCommand = (
    Propose
    | Revise
    | Accept
    | Decline
    | Withdraw
    | AddMilestone
    | EditMilestone
    | MoveMilestone
    | RemoveMilestone
    | ImportMilestones
    | Fund
    | CancelFunding
    | Submit
    | Approve
    | RequestChanges
    | RequestPayout
)
Report = ConfirmDeposit | FailDeposit | ConfirmOrder | FailOrder
Command = PartyCommand | Report | ApplyDeadlines
