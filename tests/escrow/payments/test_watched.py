"""What is noted of calls to a provider: each is counted and timed by what came of it, and told by a line of the log."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime

import pytest

from escrow import meters
from escrow.money import Money
from escrow.payments.movements import Movement, MovementKind
from escrow.payments.sandbox import Sandbox
from escrow.payments.watched import Watched
from tests.written import written

pytestmark = pytest.mark.usefixtures("database")

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
SUM, NOTHING = Money(100, "USD"), Money(0, "USD")


class Telling(Sandbox):
    """A sandbox whose books have two movements; between them its connection may break."""

    def __init__(self, *, breaks: bool = False) -> None:
        super().__init__()
        self._breaks = breaks

    async def movements(self, since: datetime) -> AsyncIterator[Movement]:
        yield Movement(id="txn_1", kind=MovementKind.CHARGE, at=since, amount=SUM, fee=NOTHING, net=SUM)
        if self._breaks:
            raise ConnectionError
        yield Movement(id="txn_2", kind=MovementKind.CHARGE, at=since, amount=SUM, fee=NOTHING, net=SUM)


def noted() -> dict[str, float]:
    """How often each call came to what, and was timed, so far in this process."""
    return {
        " ".join((figure.name + value.suffix, *(text for _, text in value.labels))): value.value
        for figure in meters.figures()
        for value in figure.values
        if figure.name.startswith("earnest_provider") and value.suffix in ("", "_count")
    }


def grown(before: dict[str, float]) -> dict[str, float]:
    return {name: value - before.get(name, 0) for name, value in noted().items() if value != before.get(name, 0)}


async def test_readings_of_the_books_and_the_account_are_calls_like_all_others() -> None:
    before, provider = noted(), Watched(Telling())
    with written() as log:
        assert [one.id async for one in provider.movements(BEGINNING)] == ["txn_1", "txn_2"]
        await provider.balance()
    calls = ("own_account", "movements", "balance")
    counted = {f"earnest_provider_calls {call} Read": 1 for call in calls}
    assert grown(before) == counted | {f"earnest_provider_seconds_count {call}": 1 for call in calls}
    assert [(one["call"], one["outcome"]) for one in log.entries] == [(call, "Read") for call in calls]


async def test_books_that_break_off_have_no_answer_and_those_that_nobody_reads_to_the_end_have() -> None:
    before, breaking = noted(), Watched(Telling(breaks=True))
    with pytest.raises(ConnectionError):
        async for _ in breaking.movements(BEGINNING):
            pass
    assert grown(before)["earnest_provider_calls movements no_answer"] == 1
    told = Watched(Telling()).movements(BEGINNING)
    assert (await anext(told)).id == "txn_1"
    assert isinstance(told, AsyncGenerator)
    await told.aclose()
    assert grown(before)["earnest_provider_calls movements Read"] == 1
    assert grown(before)["earnest_provider_seconds_count movements"] == 2
