"""Finds which item of the tool is which milestone: by what was noted, by our mark in the item, by the name that Earnest keeps.

So an item that was renamed is found again, and so is one whose making was never answered. Of items that bear one mark the
one that was noted is the milestone's, else the first; the others are copies that somebody made, and count as new. An item that
stands under a noted name with the mark of another milestone, which has none where it was noted, is that other's: names move.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from connectors.sides import ASKED, Ours, OurSide, Pair, Theirs, TheirSide


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A pair with what both sides have of it now; `noted` is what was agreed so far, or None if they just met."""

    ours: Ours | None
    theirs: Theirs | None
    pair: Pair
    is_noted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """Everything on both sides."""

    pairs: tuple[Match, ...]
    only_ours: tuple[Ours, ...]
    only_theirs: tuple[Theirs, ...]


def match(ours: OurSide, theirs: TheirSide, noted: Iterable[Pair]) -> Matches:
    """Every milestone and every item exactly once."""
    free = dict(sorted(theirs.items.items(), key=lambda entry: (len(entry[0]), entry[0])))
    pairs = sorted(noted, key=lambda pair: pair.milestone_id)
    # First all that stand where they were noted, so that no copy of a mark takes another's place.
    there = _standing(pairs, free)
    found = [_again(pair, there[pair.milestone_id], ours.items.get(pair.milestone_id), free) for pair in pairs]
    known = {pair.milestone_id for pair in pairs}
    alone = []
    for milestone in ours.items.values():
        if milestone.id in known:
            continue
        item = _named(milestone, free) or _marked(milestone.id, milestone, free)
        if item is None:
            alone.append(milestone)
        else:
            pair = Pair(milestone_id=milestone.id, external_id=item.id)
            found.append(Match(ours=milestone, theirs=item, pair=pair, is_noted=False))
    return Matches(pairs=tuple(found), only_ours=tuple(alone), only_theirs=tuple(free.values()))


def anew(pair: Pair, ours: OurSide) -> Pair | None:
    """What still holds of a pair when Earnest is not as it was, since it was restored: which item it is, and how often what was
    said. What was agreed is compared anew, the later change of a field wins. None for what was asked for and is no more.
    """
    is_asked = pair.request_id in ours.open_requests
    if pair.milestone_id.startswith(ASKED):
        return pair
    if pair.milestone_id not in ours.items:
        is_lost = pair.request_id is not None and not is_asked
        return None if is_lost else replace(pair, is_gone=pair.is_gone or not is_asked)
    kept = replace(pair, agreed={}, shown={}, refused={}, vain="", is_gone=False)
    return kept if is_asked else replace(kept, request_id=None, proposed={}, asks_removal=False)


def _standing(pairs: Iterable[Pair], free: dict[str, Theirs]) -> dict[str, Theirs | None]:
    """What stands where each pair was noted. Where a name is an item's identity another may have taken it over meanwhile."""
    there = {pair.milestone_id: free.get(pair.external_id) for pair in pairs}
    at_home = {name: item.id for name, item in there.items() if item is not None and item.mark == name}
    for milestone_id, item in there.items():
        if item is not None and item.mark in there and item.mark != milestone_id:
            is_a_copy = at_home.get(item.mark, item.id) != item.id
            there[milestone_id] = free.pop(item.id, None) if is_a_copy else None
        elif item is not None:
            there[milestone_id] = free.pop(item.id, None)
    return there


def _again(pair: Pair, item: Theirs | None, milestone: Ours | None, free: dict[str, Theirs]) -> Match:
    if item is None and (item := _marked(pair.milestone_id, milestone, free)) is not None:
        pair = replace(pair, external_id=item.id)
        return Match(ours=milestone, theirs=item, pair=pair, is_noted=False)
    return Match(ours=milestone, theirs=item, pair=pair, is_noted=True)


def _named(milestone: Ours, free: dict[str, Theirs]) -> Theirs | None:
    return free.pop(milestone.external_id, None) if milestone.external_id is not None else None


def _marked(milestone_id: str, milestone: Ours | None, free: dict[str, Theirs]) -> Theirs | None:
    """Of several with the mark the one that says most of what the milestone says, and then the first."""
    marked = [item for item in free.values() if item.mark == milestone_id]
    if not marked:
        return None
    values = milestone.values if milestone is not None else {}
    return free.pop(
        max(marked, key=lambda item: sum(values.get(name) == value for name, value in item.values.items())).id
    )
