"""Decides on proposals: proposed, revised, accepted, declined, withdrawn, expired."""

from __future__ import annotations

from typing import Final

from escrow.access import AccountType, ActorKind, Side
from escrow.agreement import events, inputs
from escrow.agreement.authorisation import forbidden_by_table
from escrow.agreement.commands import Accept, Decline, MilestoneDraft, Propose, Revise, Terms, Withdraw
from escrow.agreement.deadlines import Deadline
from escrow.agreement.decisions import deposits, holdings
from escrow.agreement.decisions.milestones import added
from escrow.agreement.history import Decisions, History
from escrow.agreement.permit import same_party
from escrow.agreement.state import Contract, DepositTerm, Party, Windows
from escrow.errors import Forbidden, InvalidInput, InvalidState, NotFound
from escrow.money import Money, check_new_currency, exact
from escrow.rules import Action
from escrow.states import MilestoneState


def propose(history: History, command: Propose) -> None:
    """`contract.proposed` and a `milestone.added` for each milestone of the plan."""
    side = _proposing_side(history, command)
    terms = command.terms
    title = inputs.line(terms.title or "", field="title", characters_max=inputs.TITLE_MAX)
    description = inputs.optional_text(
        terms.description or "", field="description", characters_max=inputs.DESCRIPTION_MAX
    )
    currency = check_new_currency(terms.currency or "")
    proposed = events.ContractProposed(
        client_id=command.client_id,
        freelancer_id=command.freelancer_id,
        written_by=side,
        revision=1,
        plan_version=1,
        currency=currency,
        time_zone=inputs.time_zone(terms.time_zone if terms.time_zone is not None else "UTC"),
        budget=_budget(terms, currency),
        deposit_term=terms.deposit_term or DepositTerm.FIRST,
        windows=inputs.windows(Windows(), terms.windows),
        fees=history.around.fees,
        title=title,
        description=description,
        message=inputs.message(command.message),
    )
    deposits.check_windows(history, proposed.windows, currency, field="windows")
    drafts = inputs.plan(command.plan, currency=currency)
    history.add(proposed)
    _lay_out(history, drafts)


def _proposing_side(history: History, command: Propose) -> Side:
    """The side that the actor proposes from; refuses in the law's order."""
    actor, around = history.actor, history.around
    ids = {command.client_id: Side.CLIENT, command.freelancer_id: Side.FREELANCER}
    side = ids.get(actor.account_id or "") if actor.kind is ActorKind.ACCOUNT else None
    if side is None:
        raise Forbidden("You can only propose a contract of your own account, as its client or as its freelancer.")
    if refusal := forbidden_by_table(actor, Action.PROPOSE, side):
        raise refusal
    own, other = (around.client, around.freelancer) if side is Side.CLIENT else (around.freelancer, around.client)
    if own is None or own.disabled:
        raise Forbidden("Your account is disabled.")
    other_field = "freelancerId" if side is Side.CLIENT else "clientId"
    if other is None:
        raise NotFound("There is no such account.", field=other_field)
    if other.disabled:
        raise InvalidState("The other party's account is disabled.")
    if command.client_id == command.freelancer_id or around.share_member:
        raise same_party()
    _check_parties(around.client, around.freelancer)
    return side


def _check_parties(client: Party | None, freelancer: Party | None) -> None:
    for party, field in ((client, "clientId"), (freelancer, "freelancerId")):
        if party is not None and party.is_operator:
            raise InvalidInput("The operator's account can't be a party.", field=field)
    if freelancer is not None and freelancer.type is AccountType.COMPANY:
        raise InvalidInput("A freelancer is an individual or an agency.", field="freelancerId")


def revise(history: History, command: Revise) -> None:
    """Replaces the plan by a new one: deposits on the old one go back, what the terms omit stays, the offer starts anew."""
    state, terms = history.state, command.terms
    revised = events.ContractRevised(
        written_by=state.turn,
        revision=state.revision + 1,
        plan_version=state.plan_version + 1,
        time_zone=state.time_zone if terms.time_zone is None else inputs.time_zone(terms.time_zone),
        budget=_former_budget(state) if terms.budget is None else _budget(terms, state.currency),
        deposit_term=terms.deposit_term or state.deposit_term,
        windows=inputs.windows(state.windows, terms.windows),
        fees=history.around.fees,
        title=state.title
        if terms.title is None
        else inputs.line(terms.title, field="title", characters_max=inputs.TITLE_MAX),
        description=state.description
        if terms.description is None
        else inputs.optional_text(terms.description, field="description", characters_max=inputs.DESCRIPTION_MAX),
        message=inputs.message(command.message),
    )
    if terms.currency is not None and terms.currency != state.currency:
        raise InvalidInput(f"A contract keeps its currency, {state.currency}.", field="currency")
    deposits.check_windows(history, revised.windows, state.currency, field="windows")
    drafts = inputs.plan(command.plan, currency=state.currency)
    _drop_plan(history, events.AbandonReason.REVISED, events.RefundReason.PROPOSAL_REVISED)
    history.add(revised)
    _lay_out(history, drafts)


def _budget(terms: Terms, currency: str) -> Money | None:
    return None if terms.budget is None else exact(terms.budget, currency=currency, field="budget")


def _former_budget(state: Contract) -> Money | None:
    return None if state.budget_minor is None else state.money(state.budget_minor)


def _lay_out(history: History, drafts: tuple[tuple[MilestoneDraft, Money], ...]) -> None:
    for position, (draft, amount) in enumerate(drafts, start=1):
        history.add(added(history.state, draft, amount, position=position))


def accept(history: History, command: Accept) -> None:
    """`contract.accepted`: the snapshot of this revision is what holds from now on."""
    event = events.ContractAccepted(
        revision=history.state.revision, accepted_by=history.state.turn, message=inputs.message(command.message)
    )
    history.add(event)


def decline(history: History, command: Decline) -> None:
    """`contract.declined` and the end of its milestones."""
    event = events.ContractDeclined(revision=history.state.revision, message=inputs.message(command.message))
    _die(history, event)


def withdraw(history: History, command: Withdraw) -> None:
    """`contract.withdrawn` and the end of its milestones."""
    event = events.ContractWithdrawn(revision=history.state.revision, message=inputs.message(command.message))
    _die(history, event)


def expire(history: History, clock: Deadline) -> None:
    """`contract.expired` and the end of its milestones; the offer window passed."""
    _die(history, events.ContractExpired(revision=history.state.revision))


def _die(history: History, event: events.Event) -> None:
    history.add(event)
    _drop_plan(history, events.AbandonReason.PROPOSAL_DIED, events.RefundReason.PROPOSAL_DIED)


def _drop_plan(history: History, abandoned: events.AbandonReason, refunded: events.RefundReason) -> None:
    """Nothing waits for money any more, what was held goes back, and what wasn't is cancelled."""
    deposits.abandon_all(history, abandoned)
    for milestone in history.state.milestones:
        if milestone.is_held:
            holdings.refund(history, milestone, refunded)
        elif milestone.state is MilestoneState.PLANNED:
            history.add(events.MilestoneCancelled(milestone_id=milestone.id))


DECISIONS: Final[Decisions] = {
    Propose: propose,
    Revise: revise,
    Accept: accept,
    Decline: decline,
    Withdraw: withdraw,
}
