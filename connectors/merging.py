"""The engine: two sides and what they last agreed on, to the writes that make them agree. Pure; it knows no tool and no clock.

A field that one side changed goes to the other. If both did, the later one wins, and Earnest in a tie. What was written is
what was agreed, so reading it back is no change, whoever tells of it, however often. Amounts and states are Earnest's: what
a tool says of them is overwritten. What the treaty gives no leave for is overwritten, too.

Asked again after anything was cut off it asks for what is missing, and for nothing twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from connectors import footer
from connectors.pairing import Match, heirs, match
from connectors.sides import (
    ASKED,
    Card,
    DoneLeave,
    Field,
    Ours,
    OurSide,
    Pair,
    PlanLeave,
    Theirs,
    TheirSide,
    Treaty,
    Values,
)
from connectors.writes import (
    Add,
    AskToAdd,
    AskToEdit,
    AskToRemove,
    Create,
    Edit,
    Forget,
    Name,
    Note,
    Remove,
    Step,
    Submit,
    Tell,
    Write,
)  # fmt: skip

MISSING_MIN: Final = 5
"""So many items must be missing at least before their absence is doubted, if others are there."""


class TooManyMissing(Exception):
    """More than half of the tool's items are gone at once: rather a fault than a wish, and a person has to say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done, in this order."""

    steps: tuple[Step, ...]
    strays: tuple[str, ...] = ()
    """Items with our line of a milestone that this contract doesn't have: left alone until somebody takes the line away."""
    absent: tuple[str, ...] = ()
    """The items that the steps take for deleted, since the listing has none of them: each is to be looked for by itself first."""
    problems: tuple[str, ...] = ()
    """A line for each new item with a price that can't be meant."""


def plan(
    ours: OurSide,
    theirs: TheirSide,
    noted: Iterable[Pair],
    treaty: Treaty,
    *,
    believes: bool = False,
    awaited: frozenset[str] = frozenset(),
) -> Plan:
    """The writes that make both sides agree. Raises `TooManyMissing` unless the tool is to be believed whatever is gone.

    `awaited` are milestones whose items were written to and aren't seen as they are now: nothing comes of them yet.
    """
    known = ours.items.keys()
    noted = list(noted)
    before = sum(not pair.milestone_id.startswith(ASKED) for pair in noted)
    inherited = heirs(ours, noted)
    awaited |= {name for both in inherited.items() if not awaited.isdisjoint(both) for name in both}
    alone = {name: one for name, one in ours.former.items() if name not in inherited}
    ours = replace(ours, items={name: one for name, one in {**ours.items, **alone}.items() if name not in awaited})
    noted = [pair for pair in noted if pair.milestone_id not in awaited]
    there = {pair.external_id for pair in noted if not pair.milestone_id.startswith(ASKED)}
    done = [pair for pair in noted if pair.milestone_id.startswith(ASKED) and pair.external_id in there]
    matches = match(ours, theirs, [pair for pair in noted if pair not in done], inherited)
    if not believes:
        _doubt(matches.pairs, is_empty=not theirs.items)
    steps: list[Step] = [Forget(milestone_id=pair.milestone_id) for pair in done]
    for found in matches.pairs:
        steps += _pair_steps(found, ours, theirs.fields, treaty)
    steps += [Create(card=_card(one, one.values)) for one in matches.only_ours if not one.is_dropped]
    strays = [item.id for item in matches.only_theirs if item.mark is not None and item.mark not in known]
    new = [item for item in matches.only_theirs if item.id not in strays]
    steps += [step for item in new if (step := _addition(item, ours, treaty, before=before)) is not None]
    return Plan(
        steps=tuple(steps),
        strays=tuple(strays),
        absent=_absent(ours, theirs, noted) if steps else (),
        problems=tuple(_objections(new, ours, treaty)),
    )


def _absent(ours: OurSide, theirs: TheirSide, noted: Iterable[Pair]) -> tuple[str, ...]:
    """What was there by our notes, or by the name that Earnest keeps of what was never noted, and isn't listed."""
    known = {pair.milestone_id: pair for pair in noted}
    names = {pair.external_id for pair in known.values() if pair.external_id}
    for one in ours.items.values():
        if one.external_id is not None and one.id not in known and not one.is_dropped:
            names.add(one.external_id)
    return tuple(sorted(names - set(theirs.items)))


def _doubt(pairs: Iterable[Match], *, is_empty: bool) -> None:
    """A listing with nothing in it is doubted however little there was: most faults of a tool look like that."""
    alive = [one for one in pairs if one.ours is not None and not one.ours.is_over and not one.pair.is_gone]
    missing = sum(one.theirs is None for one in alive)
    if missing and (is_empty or missing >= MISSING_MIN) and 2 * missing > len(alive):
        raise TooManyMissing(f"{missing} of {len(alive)} items are gone from the tool at once")


def _pair_steps(found: Match, ours: OurSide, fields: frozenset[Field], treaty: Treaty) -> Iterator[Step]:
    if found.pair.is_gone:
        if found.theirs is None:
            yield from _gone(found.ours, found.pair)
    elif found.ours is None:
        yield from _unborn(found, ours, treaty)
    elif found.theirs is None:
        yield from _deletion(found.ours, found.pair, ours, treaty)
    else:
        if found.ours.external_id != found.theirs.id:
            yield Name(milestone_id=found.ours.id, external_id=found.theirs.id, url=found.theirs.url)
        yield from _merge(found.ours, found.theirs, found, ours, fields, treaty)


def _unborn(found: Match, ours: OurSide, treaty: Treaty) -> Iterator[Step]:
    """A milestone that was asked for and isn't there: it waits while nobody has decided, then its item is left alone."""
    pair = found.pair
    if pair.milestone_id.startswith(ASKED):
        amount = pair.amount or _price(found.theirs, ours, treaty)
        is_wanted = found.theirs is not None and treaty.plan is PlanLeave.ASK and ours.takes_new and amount is not None
        yield AskToAdd(pair=pair, amount=amount or "") if is_wanted else Forget(milestone_id=pair.milestone_id)
    elif pair.request_id not in ours.open_requests:
        yield Note(pair=replace(pair, is_gone=True))


def _price(item: Theirs | None, ours: OurSide, treaty: Treaty) -> str | None:
    """The amount of a new item. What it says of a price and can't be meant isn't replaced by another one: then it has none."""
    if item is None or item.price is None:
        return treaty.new_amount
    return item.price.amount if item.price.objection(ours.currency) is None else None


def _objections(new: Iterable[Theirs], ours: OurSide, treaty: Treaty) -> Iterator[str]:
    if treaty.plan is PlanLeave.NONE or not ours.takes_new:
        return
    for item in new:
        if item.price is not None and (why := item.price.objection(ours.currency)) is not None:
            yield f"{item.id}: {why}"


def _gone(milestone: Ours | None, pair: Pair) -> Iterator[Step]:
    """What is left alone, and its item is there no more: whatever comes to bear its name is something else."""
    if milestone is not None and milestone.external_id is not None:
        yield Name(milestone_id=milestone.id, external_id="", url=None)
    gone = replace(pair, external_id="", is_gone=True)
    if gone != pair:
        yield Note(pair=gone)


def _deletion(milestone: Ours, pair: Pair, ours: OurSide, treaty: Treaty) -> Iterator[Step]:
    """An item that was deleted in the tool."""
    changed = any(value != pair.agreed.get(name, value) for name, value in milestone.values.items())
    if milestone.is_over:
        yield from _gone(milestone, pair)
    elif pair.request_id in ours.open_requests:
        return
    elif changed or not (treaty.removes and milestone.is_open) or _was_asked(pair, treaty):
        yield Create(card=_card(milestone, milestone.values), before=pair)
    elif treaty.plan is PlanLeave.EDIT:
        yield Remove(pair=replace(pair, external_id="", is_gone=True))
    elif treaty.plan is PlanLeave.ASK:
        yield AskToRemove(pair=replace(pair, proposals=pair.proposals + 1))
    else:
        yield Create(card=_card(milestone, milestone.values), before=pair)


def _was_asked(pair: Pair, treaty: Treaty) -> bool:
    """Whether its removal was asked for, and declined, since the milestone still stands."""
    return treaty.plan is PlanLeave.ASK and pair.asks_removal


def _addition(item: Theirs, ours: OurSide, treaty: Treaty, *, before: int) -> Step | None:
    """A new item; nothing without leave, or without a price. Its like may have been asked for `before`, under the same name."""
    amount = _price(item, ours, treaty)
    if treaty.plan is PlanLeave.NONE or not ours.takes_new or amount is None or not item.values.get(Field.TITLE):
        return None
    title = item.values[Field.TITLE]
    due_on = item.values.get(Field.DUE_ON) or (ours.today + timedelta(days=treaty.new_due_days)).isoformat()
    purpose = item.values.get(Field.PURPOSE) or title
    values = {Field.TITLE: title, Field.PURPOSE: purpose, Field.DUE_ON: due_on}
    if treaty.plan is PlanLeave.EDIT:
        return Add(external_id=item.id, url=item.url, values=values, amount=amount)
    pair = Pair(milestone_id=ASKED + item.id, external_id=item.id, agreed=values, proposals=before, amount=amount)
    return AskToAdd(pair=pair, amount=amount)


def _merge(
    milestone: Ours, item: Theirs, found: Match, ours: OurSide, fields: frozenset[Field], treaty: Treaty
) -> Iterator[Step]:
    """Two that are one: first what goes to Earnest, then what goes to the tool."""
    item = _whole(milestone, item)
    pair, inward, outward = found.pair, {}, {}
    kept = found.pair if found.is_noted else None
    is_asked = pair.request_id is not None and pair.request_id in ours.open_requests
    pair = replace(pair, asks_removal=pair.asks_removal and is_asked)  # it is there again
    agreed, shown = dict(pair.agreed), {}
    for name in sorted(fields):
        mine, other = milestone.values[name], item.values.get(name, "")
        if mine == other:
            agreed[name] = mine
        elif mine == pair.agreed.get(name) and other == pair.shown.get(name):
            shown[name] = other  # what the tool made of it
        elif _stays(name, other, mine, pair, is_asked=is_asked):
            continue
        elif _goes_inward(name, milestone, item, pair, treaty):
            inward[name] = other
        else:
            outward[name] = mine
    pair = replace(pair, agreed=agreed, shown=shown, refused=_still_refused(milestone, item, pair))
    if inward and not (treaty.plan is PlanLeave.ASK and is_asked):
        step = _inward(pair, inward, treaty)
        pair = kept = step.pair
        yield step
    for hint in _done(milestone, item, pair, treaty):
        pair = kept = hint.pair
        yield hint
    closes = milestone.is_over and not item.is_done
    marks = item.mark != milestone.id or item.facts != milestone.facts
    values = {**{name: item.values.get(name, "") for name in fields}, **outward}
    is_done = item.is_done and not (found.is_inherited and item.says_over)  # it was us who closed it
    card = _card(milestone, values, is_done=is_done)
    if (outward or closes or marks) and pair.vain != (vain := _vain(card, item)):
        asked = {name: value for name, value in pair.proposed.items() if name not in outward}
        pair = kept = replace(pair, agreed={**pair.agreed, **outward}, proposed=asked, done=pair.done or closes)
        yield Write(pair=pair, card=card, changed=frozenset(outward), marks=marks, closes=closes, vain=vain)
    if pair != kept:
        yield Note(pair=pair)


def _whole(milestone: Ours, item: Theirs) -> Theirs:
    """An item whose footer somebody took away: lines of its text that look like a price are no price, and still there."""
    mine = milestone.values[Field.PURPOSE]
    if item.mark is None and item.values.get(Field.PURPOSE) == footer.unpriced(mine):
        return replace(item, values={**item.values, Field.PURPOSE: mine})
    return item


def _stays(name: Field, other: str, mine: str, pair: Pair, *, is_asked: bool) -> bool:
    """Whether what the tool says stays there though Earnest says otherwise: it was asked for, or refused."""
    if pair.proposed.get(name) == other and is_asked:
        return True
    return pair.refused.get(name) == other and mine == pair.agreed.get(name)


def _still_refused(milestone: Ours, item: Theirs, pair: Pair) -> Values:
    """What was refused and the tool goes on saying, where Earnest hasn't come to say it either."""
    said = pair.refused.items()
    return {name: value for name, value in said if value == item.values.get(name) != milestone.values[name]}


def _goes_inward(name: Field, milestone: Ours, item: Theirs, pair: Pair, treaty: Treaty) -> bool:
    """Whether Earnest is to say what the tool says."""
    mine, other, agreed = milestone.values[name], item.values.get(name, ""), pair.agreed.get(name)
    if other in {agreed, pair.shown.get(name), ""} or treaty.plan is PlanLeave.NONE or not milestone.is_open:
        return False
    if pair.proposed.get(name) == other:
        return False  # it was asked for, and whoever decides has declined it
    return mine == agreed or (item.updated_at is not None and item.updated_at > milestone.updated_at)


def _inward(pair: Pair, values: Values, treaty: Treaty) -> Edit | AskToEdit:
    refused = {name: value for name, value in pair.refused.items() if name not in values}
    if treaty.plan is PlanLeave.EDIT:
        return Edit(pair=replace(pair, agreed={**pair.agreed, **values}, refused=refused), values=values)
    return AskToEdit(pair=replace(pair, proposed=values, proposals=pair.proposals + 1, refused=refused), values=values)


def _done(milestone: Ours, item: Theirs, pair: Pair, treaty: Treaty) -> Iterator[Tell | Submit | Note]:
    """What “done” in the tool comes to: once for each time that somebody says it, and never for what is over."""
    if milestone.is_over or item.is_done == pair.done:
        return
    if not item.is_done or item.says_over or treaty.done is DoneLeave.IGNORE:
        yield Note(pair=replace(pair, done=item.is_done))
        return
    after = replace(pair, done=True, dones=pair.dones + 1)
    if treaty.done is DoneLeave.SUBMIT and milestone.is_in_hand:
        yield Submit(pair=after)
    else:
        yield Tell(pair=after)


def _vain(card: Card, item: Theirs) -> str:
    """A name for writing a card to an item that says what it does now."""
    both = [sorted(card.values.items()), card.facts, card.is_done, sorted(item.values.items())]
    return hashlib.sha256(repr([both, item.mark, item.facts, item.is_done]).encode()).hexdigest()[:16]


def _card(milestone: Ours, values: Values, *, is_done: bool = False) -> Card:
    return Card(values=values, mark=milestone.id, facts=milestone.facts, is_done=is_done or milestone.is_over)
