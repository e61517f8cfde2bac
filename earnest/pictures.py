"""The lifecycle as Mermaid diagrams, drawn from the tables in ``escrow.lifecycle``, for people who would rather look.

The README and ``docs/lifecycle.md`` hold what these functions return; a test compares, so that a picture can't go stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from escrow.lifecycle import AUTOMATIC, CLOSED, DEAD, TRANSITIONS, Action, ContractState, MilestoneState, Transition


def milestone_picture() -> str:
    """Every way from one state of a milestone to another, with the action or the cause as its label."""
    return _picture(MilestoneState.PLANNED, _milestone_arrows(), sorted(CLOSED))


def contract_picture() -> str:
    """Every way from one state of a contract to another."""
    return _picture(ContractState.PROPOSED, _contract_arrows(), sorted({ContractState.COMPLETED, *DEAD}))


def _picture(first: str, arrows: Iterable[tuple[str, str, str]], ends: Iterable[str]) -> str:
    known = sorted(set(arrows))
    reached = {to for _, to, _ in known}
    lines = [f"    [*] --> {first}"]
    lines += [f"    {source} --> {to}: {label}" for source, to, label in known]
    lines += [f"    {end} --> [*]" for end in ends if end in reached]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def _milestone_arrows() -> Iterator[tuple[str, str, str]]:
    for row in TRANSITIONS.values():
        if row.to in set(MilestoneState):
            for source in row.milestone or ():
                if source != row.to:
                    yield source.value, str(row.to), _spoken(row)
    for change in AUTOMATIC:
        if change.subject == "milestone":
            yield change.source, change.to, change.cause


def _contract_arrows() -> Iterator[tuple[str, str, str]]:
    for row in TRANSITIONS.values():
        if row.to in set(ContractState) and row.action is not Action.PROPOSE:
            for source in row.contract or ():
                yield source.value, str(row.to), _spoken(row)
    for change in AUTOMATIC:
        if change.subject == "contract":
            yield change.source, change.to, change.cause


def _spoken(row: Transition) -> str:
    return row.action.value.lower().replace("_milestone", "").replace("_", " ")
