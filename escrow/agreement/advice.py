"""Gives friendly hints on a draft plan: what usually makes a plan work, and what is unusual in this one.

A draft may be as unfinished as it likes: nothing here refuses anything, and a hint never keeps a plan from being proposed.
The rule is docs/law.md, section 8; the codes are documented in `docs/good-plans.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from escrow.errors import InvalidInput
from escrow.money import Money, RawMoney, exact

MILESTONES_USUAL: Final = (3, 5)
"""How many milestones most projects have, at least and at most."""

DAYS_LEAST: Final = 2
"""Work that is due in less than this, counted from today or from the milestone before, is hardly done well."""

VAGUE_WORDS: Final = frozenset(
    "all any as agreed and asked asap below better decided deliverable deliverables described discussed done etc everything "
    "final finish finished fix fixes good help improvement improvements it later misc miscellaneous more needed new nice "
    "of on or other required rest see so some something stuff tba tbc tbd the thing things to todo useful various work".split()
)
"""Words that say nothing about what will be there in the end; a deliverable made of nothing else is vague."""

_WORD: Final = re.compile(r"[^\W\d_]+|\d+")
_OPEN_END: Final = re.compile(r"(\betc\b|\band so on\b|\band more\b|\btb[acd]\b|\.\.\.|…)[\s.)]*$", re.IGNORECASE)


class HintCode(StrEnum):
    """What a hint is about. Programs branch on it; it never changes its meaning."""

    FEW_MILESTONES = "FEW_MILESTONES"
    MANY_MILESTONES = "MANY_MILESTONES"
    MISSING_TITLE = "MISSING_TITLE"
    MISSING_PURPOSE = "MISSING_PURPOSE"
    MISSING_DELIVERABLE = "MISSING_DELIVERABLE"
    VAGUE_DELIVERABLE = "VAGUE_DELIVERABLE"
    MISSING_AMOUNT = "MISSING_AMOUNT"
    UNUSABLE_AMOUNT = "UNUSABLE_AMOUNT"
    SEVERAL_CURRENCIES = "SEVERAL_CURRENCIES"
    TOTAL_DIFFERS_FROM_BUDGET = "TOTAL_DIFFERS_FROM_BUDGET"
    ONE_MILESTONE_CARRIES_MOST = "ONE_MILESTONE_CARRIES_MOST"
    LARGE_FIRST_MILESTONE = "LARGE_FIRST_MILESTONE"
    MISSING_DUE_DATE = "MISSING_DUE_DATE"
    DUE_IN_THE_PAST = "DUE_IN_THE_PAST"
    DUE_OUT_OF_ORDER = "DUE_OUT_OF_ORDER"
    DUE_TOO_CLOSE = "DUE_TOO_CLOSE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A milestone as far as somebody has thought of it; `None` and empty texts are what is still missing."""

    title: str | None = None
    purpose: str | None = None
    amount: RawMoney | None = None
    due_on: date | None = None
    deliverables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """One thing to think about. `position` is the milestone's, from 1; `field` the place in the draft at issue."""

    code: HintCode
    message: str
    position: int | None = None
    field: str | None = None
    details: Mapping[str, object] | None = None


def review(plan: Sequence[Draft], *, budget: RawMoney | None, today: date) -> tuple[Hint, ...]:
    """Every hint on `plan`: first those on the whole, then milestone by milestone. `today` is the parties' date."""
    amounts = [_amount(draft) for draft in plan]
    on_each = [hint for place in range(len(plan)) for hint in _on_milestone(plan, place, today)]
    return (*_on_count(plan), *_on_money(amounts, budget), *on_each)


def _on_count(plan: Sequence[Draft]) -> Iterator[Hint]:
    least, most = MILESTONES_USUAL
    details: dict[str, object] = {"milestones": len(plan), "usualLeast": least, "usualMost": most}
    if len(plan) < least:
        said = (
            f"Most projects have {least} to {most} milestones; with {len(plan)}, much rests on each. Can it be divided?"
        )
        yield Hint(code=HintCode.FEW_MILESTONES, message=said, details=details)
    elif len(plan) > most:
        said = f"Most projects have {least} to {most} milestones; {len(plan)} may slow the work down. Do some belong together?"
        yield Hint(code=HintCode.MANY_MILESTONES, message=said, details=details)


def _amount(draft: Draft) -> Money | None:
    """The price, if it is one that a contract would take."""
    if draft.amount is None:
        return None
    try:
        return exact(draft.amount, currency=draft.amount.currency, field="amount")
    except InvalidInput:
        return None


def _on_money(amounts: Sequence[Money | None], budget: RawMoney | None) -> Iterator[Hint]:
    known = [(place, amount) for place, amount in enumerate(amounts) if amount is not None]
    currencies = sorted({amount.currency for _, amount in known} | ({budget.currency} if budget is not None else set()))
    if len(currencies) > 1:
        said = f"A contract has one currency; here are {', '.join(currencies)}."
        yield Hint(code=HintCode.SEVERAL_CURRENCIES, message=said, details={"currencies": currencies})
        return
    if not known:
        return
    total = Money(sum(amount.minor for _, amount in known), currencies[0])
    # What is still missing a price is told by itself; until then the sum says nothing about the budget or the balance.
    if len(known) == len(amounts):
        yield from _on_budget(total, budget)
        yield from _on_shares(known, total)


def _on_budget(total: Money, budget: RawMoney | None) -> Iterator[Hint]:
    if budget is None:
        return
    try:
        wanted = exact(budget, currency=budget.currency, field="budget")
    except InvalidInput as error:
        yield Hint(code=HintCode.UNUSABLE_AMOUNT, message=error.message, field="budget")
        return
    if wanted != total:
        more = "more" if total.minor > wanted.minor else "less"
        gap = Money(abs(total.minor - wanted.minor), total.currency)
        yield Hint(
            code=HintCode.TOTAL_DIFFERS_FROM_BUDGET,
            message=f"The milestones add up to {total}, which is {gap} {more} than the budget of {wanted}.",
            field="budget",
            details={"total": total.wire(), "budget": wanted.wire()},
        )


def _on_shares(known: Sequence[tuple[int, Money]], total: Money) -> Iterator[Hint]:
    if len(known) < 2:
        return
    place, largest = max(known, key=lambda one: (one[1].minor, -one[0]))
    details: dict[str, object] = {"amount": largest.wire(), "total": total.wire()}
    if 2 * largest.minor > total.minor:
        said = (
            f"Milestone {place + 1} carries {largest} of {total}. Splits such as 25/50/25 share the risk more evenly."
        )
        yield _at(place, "amount", HintCode.ONE_MILESTONE_CARRIES_MOST, said, details)
    if place == 0 and all(amount.minor < largest.minor for _, amount in known[1:]):
        said = "The first milestone is the largest. A small first one builds trust before much is at stake."
        yield _at(0, "amount", HintCode.LARGE_FIRST_MILESTONE, said, details)


def _on_milestone(plan: Sequence[Draft], place: int, today: date) -> Iterator[Hint]:
    draft = plan[place]
    if not (draft.title or "").strip():
        yield _at(place, "title", HintCode.MISSING_TITLE, "Give it a title, so that both sides call it the same.")
    if not (draft.purpose or "").strip():
        yield _at(place, "purpose", HintCode.MISSING_PURPOSE, "Say what it is for: what will be true once it is done?")
    yield from _on_deliverables(draft, place)
    if draft.amount is None:
        yield _at(place, "amount", HintCode.MISSING_AMOUNT, "Every milestone needs a payment.")
    else:
        try:
            exact(draft.amount, currency=draft.amount.currency, field="amount")
        except InvalidInput as error:
            yield _at(place, "amount", HintCode.UNUSABLE_AMOUNT, error.message)
    yield from _on_due_date(plan, place, today)


def _on_deliverables(draft: Draft, place: int) -> Iterator[Hint]:
    if not any(text.strip() for text in draft.deliverables):
        said = "List what will be handed over, so that both sides can tell when it is done."
        yield _at(place, "deliverables", HintCode.MISSING_DELIVERABLE, said)
        return
    for index, text in enumerate(draft.deliverables):
        if is_vague(text):
            said = "Be more specific: what exactly will be there, how much of it, in which form?"
            yield _at(place, f"deliverables.{index}", HintCode.VAGUE_DELIVERABLE, said)


def is_vague(text: str) -> bool:
    """Whether a deliverable says too little to check by: no or one plain word, only words that mean anything, an open end."""
    words = [word.lower() for word in _WORD.findall(text)]
    if not words or _OPEN_END.search(text):
        return True
    # One word of a script without spaces between words may well be a whole sentence.
    return all(word in VAGUE_WORDS for word in words) or (len(words) == 1 and text.isascii())


def _on_due_date(plan: Sequence[Draft], place: int, today: date) -> Iterator[Hint]:
    due_on = plan[place].due_on
    if due_on is None:
        yield _at(place, "dueOn", HintCode.MISSING_DUE_DATE, "Every milestone needs a due date.")
        return
    if due_on < today:
        said = f"{due_on} has passed: today is {today}."
        yield _at(place, "dueOn", HintCode.DUE_IN_THE_PAST, said, {"dueOn": str(due_on), "today": str(today)})
        return
    before = max((one.due_on for one in plan[:place] if one.due_on is not None), default=None)
    if before is not None and due_on < before:
        said = f"It is due on {due_on}, before a milestone that comes earlier ({before}). Milestones follow each other."
        yield _at(place, "dueOn", HintCode.DUE_OUT_OF_ORDER, said, {"dueOn": str(due_on), "before": str(before)})
        return
    since = max(before, today) if before is not None else today
    if due_on - since < timedelta(days=DAYS_LEAST):
        whom = "today" if since == today else f"the milestone before ({since})"
        said = f"It is due on {due_on}, very close to {whom}. Is that enough time for good work?"
        yield _at(place, "dueOn", HintCode.DUE_TOO_CLOSE, said, {"dueOn": str(due_on), "since": str(since)})


def _at(place: int, name: str, code: HintCode, message: str, details: Mapping[str, object] | None = None) -> Hint:
    """A hint on one milestone of the draft; `place` counts from 0, as paths into an input do."""
    return Hint(code=code, message=message, position=place + 1, field=f"plan.{place}.{name}", details=details)
