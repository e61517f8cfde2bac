"""The checker on a small list that is appended to and read: what can have happened it accepts, what can't it refuses."""

from __future__ import annotations

import random
from itertools import permutations

import pytest

from tests.soak.deployment.linearizing import NEVER_ENDED, Operation, check

State = tuple[str, ...]
Said = tuple[str, str | State]


def listed(state: State, said: Said) -> State | None:
    """A list: `append` a word, `refused` if it has two already, `read` all of it."""
    verb, value = said
    match verb:
        case "append":
            return (*state, str(value)) if len(state) < 2 else None
        case "refused":
            return state if len(state) >= 2 else None
        case _:
            return state if state == value else None


def op(verb: str, value: str | State, began: float, ended: float = NEVER_ENDED) -> Operation[Said]:
    return Operation((verb, value), began, ended)


POSSIBLE = {
    "one after the other": [op("append", "a", 0, 1), op("read", ("a",), 2, 3), op("append", "b", 4, 5)],
    "a read meanwhile sees it": [op("append", "a", 0, 9), op("read", ("a",), 1, 2)],
    "a read meanwhile doesn't see it": [op("append", "a", 0, 9), op("read", (), 1, 2)],
    "in the other order than they began": [
        *(op("append", "a", 0, 9), op("append", "b", 1, 8)),
        op("read", ("b", "a"), 10, 11),
    ],
    "an unanswered one happened": [op("append", "a", 0), op("read", ("a",), 5, 6)],
    "an unanswered one didn't": [op("append", "a", 0), op("read", (), 5, 6)],
    "an unanswered one happened late": [op("append", "a", 0), op("read", (), 1, 2), op("read", ("a",), 5, 6)],
    "refused by what nobody answered": [
        *(op("append", "a", 0), op("append", "b", 0, 1), op("refused", "c", 2, 3)),
        op("read", ("a", "b"), 4, 5),
    ],
    "nothing at all": [],
}

IMPOSSIBLE = {
    "an effect that came twice": [op("append", "a", 0, 1), op("read", ("a", "a"), 2, 3)],
    "an effect that was lost": [op("append", "a", 0, 1), op("read", (), 2, 3)],
    "a stale answer": [op("append", "a", 0, 9), op("read", ("a",), 1, 2), op("read", (), 3, 4)],
    "an effect before it was asked for": [op("read", ("a",), 0, 1), op("append", "a", 2, 3)],
    "an order that two readers see differently": [
        *(op("append", "a", 0, 9), op("append", "b", 0, 9)),
        *(op("read", ("a", "b"), 10, 11), op("read", ("b", "a"), 10, 11)),
    ],
    "an order against that of time": [op("append", "a", 0, 1), op("append", "b", 2, 3), op("read", ("b", "a"), 4, 5)],
    "a refusal for no reason": [op("append", "a", 0, 1), op("refused", "b", 2, 3)],
    "accepted where it had to be refused": [op("append", word, 2 * n, 2 * n + 1) for n, word in enumerate("abc")],
    "undone again": [op("append", "a", 0), op("read", ("a",), 1, 2), op("read", (), 3, 4)],
}


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_can_have_happened_is_accepted_with_an_order(name: str) -> None:
    history = POSSIBLE[name]
    verdict = check((), history, listed)
    assert verdict.is_linearizable
    state: State | None = ()
    for one in verdict.order:
        assert state is not None
        state = listed(state, one.said)
    assert state is not None
    assert {one for one in history if one.is_sure} <= set(verdict.order)


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_have_happened_is_refused_with_what_it_broke_on(name: str) -> None:
    history = IMPOSSIBLE[name]
    verdict = check((), history, listed)
    assert not verdict.is_linearizable
    assert set(verdict.stuck) <= set(history)
    assert not set(verdict.stuck) & set(verdict.order)


def by_every_order(history: list[Operation[Said]]) -> bool:
    """The definition itself: some order of the sure ones and some of the others, which time and the specification allow."""
    sure, unsure = [one for one in history if one.is_sure], [one for one in history if not one.is_sure]
    for chosen in range(1 << len(unsure)):
        some = [*sure, *(one for number, one in enumerate(unsure) if chosen >> number & 1)]
        for order in permutations(some):
            in_time = all(a.began <= b.ended for n, a in enumerate(order) for b in order[n + 1 :])
            state: State | None = ()
            for one in order:
                state = listed(state, one.said) if state is not None else None
            if in_time and state is not None:
                return True
    return False


def test_it_says_what_trying_every_order_says() -> None:
    chance = random.Random(1)
    answers: set[bool] = set()
    reads: list[State] = [(), ("a",), ("b",), ("a", "b"), ("b", "a"), ("a", "a")]
    for _ in range(400):
        history = []
        for _ in range(chance.randint(1, 5)):
            began = chance.random()
            verb = chance.choice(("append", "append", "read", "refused"))
            value: str | State = chance.choice(reads) if verb == "read" else chance.choice("ab")
            unknown = verb == "append" and chance.random() < 0.3
            history.append(op(verb, value, began, NEVER_ENDED if unknown else began + chance.random() / 2))
        expected = by_every_order(history)
        answers.add(expected)
        assert check((), history, listed).is_linearizable == expected, history
    assert answers == {True, False}
