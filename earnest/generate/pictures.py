"""Draws the lifecycle as Mermaid diagrams, from the tables in `escrow.rules`.

The README and `docs/lifecycle.md` hold what these functions return; a test compares, so that a picture can't go stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from escrow.rules import AUTOMATIC, RULES, Action, Rule, Subject
from escrow.states import (
    CLOSED,
    DEAD,
    HELD,
    ChangeRequestState,
    ContractState,
    DisputeState,
    MilestoneState,
    RefundState,
)

Arrow = tuple[str, str, str]
"""From where, to where, and why."""

HOLDS_MONEY: Final = "HOLDS_MONEY"
"""All states in which a milestone holds money, drawn as one where the same leads out of each."""


def milestone_picture() -> str:
    """Every way from one state of a milestone to another, with the action or the cause as its label."""
    known = set(_milestone_arrows())
    whole = {arrow[1:] for arrow in known if all((state.value, *arrow[1:]) in known for state in HELD)}
    arrows = {arrow for arrow in known if arrow[1:] not in whole or arrow[0] not in {state.value for state in HELD}}
    arrows |= {(HOLDS_MONEY, *rest) for rest in whole}
    inside = [f"        {state}" for state in sorted(HELD)]
    lines = [f"    state {HOLDS_MONEY} {{", *inside, "    }"]
    return _picture(MilestoneState.PLANNED, arrows, sorted(CLOSED), lines)


def contract_picture() -> str:
    """Every way from one state of a contract to another."""
    ends = sorted({ContractState.COMPLETED, ContractState.ENDED, *DEAD})
    return _picture(ContractState.PROPOSED, _contract_arrows(), ends)


def refund_request_picture() -> str:
    """Every way from one state of a refund request to another."""
    ends = sorted(set(RefundState) - {RefundState.OPEN})
    return _picture(RefundState.OPEN, _object_arrows(Subject.REFUND, "refund request"), ends)


def dispute_picture() -> str:
    """Every way from one state of a dispute to another."""
    ends = [DisputeState.RESOLVED, DisputeState.WITHDRAWN]
    answers = f"    [*] --> {DisputeState.MEDIATION}: {_spoken(RULES[Action.DECLINE_REFUND])}"
    return _picture(DisputeState.OPEN, _object_arrows(Subject.DISPUTE, "dispute"), ends, [answers])


def change_request_picture() -> str:
    """Every way from one state of a change request to another."""
    ends = sorted(set(ChangeRequestState) - {ChangeRequestState.OPEN})
    return _picture(ChangeRequestState.OPEN, _object_arrows(Subject.CHANGE_REQUEST, "change request"), ends)


def _picture(first: str, arrows: Iterable[Arrow], ends: Iterable[str], head: Iterable[str] = ()) -> str:
    known = sorted(set(arrows))
    reached = {to for _, to, _ in known}
    lines = [*head, f"    [*] --> {first}"]
    lines += [f"    {source} --> {to}: {label}" for source, to, label in known]
    lines += [f"    {end} --> [*]" for end in ends if end in reached]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def _milestone_arrows() -> Iterator[Arrow]:
    for rule in RULES.values():
        if isinstance(rule.to, MilestoneState):
            for source in rule.milestone or ():
                if source != rule.to:
                    yield source.value, str(rule.to), _spoken(rule)
    yield from _by_themselves("milestone")


def _contract_arrows() -> Iterator[Arrow]:
    for rule in RULES.values():
        if isinstance(rule.to, ContractState) and rule.action is not Action.PROPOSE:
            for source in rule.contract or ():
                yield source.value, str(rule.to), _spoken(rule)
    yield from _by_themselves("contract")


def _object_arrows(subject: Subject, name: str) -> Iterator[Arrow]:
    for rule in RULES.values():
        if rule.subject is subject and rule.to is not None:
            for source in rule.states or ():
                yield source.value, str(rule.to), _spoken(rule)
    yield from _by_themselves(name)


def _by_themselves(subject: str) -> Iterator[Arrow]:
    return ((change.source, change.to, change.cause) for change in AUTOMATIC if change.subject == subject)


def _spoken(rule: Rule) -> str:
    spoken = rule.action.value.lower()
    for name in ("_milestone", "_change_request"):
        spoken = spoken.replace(name, "")
    return spoken.replace("_", " ")
