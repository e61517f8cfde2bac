"""Finds which item of the tool is which milestone: by what was noted, by our mark in the item, by the name that Earnest keeps.

So an item that was renamed is found again, and so is one whose making was never answered. Of items that bear one mark the
one that was noted is the milestone's, else the first; the others are copies that somebody made, and count as new. An item that
stands under a noted name with the mark of another milestone, which has none where it was noted, is that other's: names move.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from connectors.sides import ASKED, Field, Ours, OurSide, Pair, Theirs, TheirSide


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A pair with what both sides have of it now; `noted` is what was agreed so far, or None if they just met."""

    ours: Ours | None
    theirs: Theirs | None
    pair: Pair
    is_noted: bool
    is_inherited: bool = False
    """Whether the item was that of a milestone of an earlier plan so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """Everything on both sides."""

    pairs: tuple[Match, ...]
    only_ours: tuple[Ours, ...]
    only_theirs: tuple[Theirs, ...]


def heirs(ours: OurSide, noted: Collection[Pair]) -> dict[str, str]:
    """Which milestone takes over the item of one of an earlier plan, by the former's name.

    It is who is called the same, else who stands in its place, unless that is done with. An item is handed over once.
    """
    known = {pair.milestone_id for pair in noted}
    at_home = {pair.external_id for pair in noted if pair.milestone_id in ours.items}
    free = {name: one for name, one in ours.items.items() if name not in known and not one.is_over}
    formers = [pair for pair in noted if pair.milestone_id in ours.former and not pair.is_gone]
    found: dict[str, str] = {}
    for is_alike in (_is_called_the_same, _stands_in_its_place):
        for pair in sorted(formers, key=lambda pair: pair.milestone_id, reverse=True):  # the latest plan's first
            former = ours.former[pair.milestone_id]
            if pair.milestone_id in found or pair.external_id in at_home:
                continue
            heir = next((name for name, one in free.items() if is_alike(former, one, pair)), None)
            if heir is not None:
                found[pair.milestone_id] = heir
                del free[heir]
    return found


def _is_called_the_same(former: Ours, one: Ours, _: Pair) -> bool:
    return former.values[Field.TITLE] == one.values[Field.TITLE]


def _stands_in_its_place(former: Ours, one: Ours, pair: Pair) -> bool:
    return former.position == one.position and not pair.done


def match(
    ours: OurSide, theirs: TheirSide, noted: Iterable[Pair], inherited: Mapping[str, str] | None = None
) -> Matches:
    """Every milestone and every item exactly once; `inherited` are those that `heirs` found."""
    former_of = {heir: former for former, heir in (inherited or {}).items()}
    noted = [_handed_over(pair, inherited or {}) for pair in noted]
    free = dict(sorted(theirs.items.items(), key=lambda entry: (len(entry[0]), entry[0])))
    pairs = sorted(noted, key=lambda pair: pair.milestone_id)
    # First all that stand where they were noted, so that no copy of a mark takes another's place.
    there = _standing(pairs, free)
    found = [
        _again(pair, there[pair.milestone_id], ours.items.get(pair.milestone_id), free, former_of) for pair in pairs
    ]
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
    if pair.milestone_id not in {*ours.items, *ours.former}:
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


def _handed_over(pair: Pair, inherited: Mapping[str, str]) -> Pair:
    """A pair with what both sides said last, and nothing of what was asked for about the milestone of the earlier plan."""
    if (heir := inherited.get(pair.milestone_id)) is None:
        return pair
    return replace(pair, milestone_id=heir, proposed={}, request_id=None, asks_removal=False, refused={}, vain="")


def _again(
    pair: Pair, item: Theirs | None, milestone: Ours | None, free: dict[str, Theirs], former_of: Mapping[str, str]
) -> Match:
    is_inherited = pair.milestone_id in former_of
    if item is None:
        mark = former_of.get(pair.milestone_id, pair.milestone_id)
        item = _marked(pair.milestone_id, milestone, free) or _marked(mark, milestone, free)
        is_noted = item is None and not is_inherited
        pair = replace(pair, external_id=item.id) if item is not None else pair
        return Match(ours=milestone, theirs=item, pair=pair, is_noted=is_noted, is_inherited=is_inherited)
    return Match(ours=milestone, theirs=item, pair=pair, is_noted=not is_inherited, is_inherited=is_inherited)


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
