"""Decides on what the payment provider's books tell of fees and of money that it changed."""

from __future__ import annotations

from typing import Final

from escrow.agreement.commands import BookCost
from escrow.agreement.decisions.deposits import REPORT_MINOR_MAX
from escrow.agreement.events import CostBooked
from escrow.agreement.history import Decisions, History
from escrow.errors import InvalidInput
from escrow.money import Money, check_currency

MOVEMENT_MAX: Final = 255
"""Characters of the provider's name for a movement."""


def book_cost(history: History, command: BookCost) -> None:
    """`cost.booked`, once for each movement, in every state of the contract.

    Refuses with `InvalidInput` what is no sum of money, what is no exchange, and a name that is none.
    """
    if not 0 < len(command.movement) <= MOVEMENT_MAX:
        raise InvalidInput(f"A movement has a name of up to {MOVEMENT_MAX} characters.", field="movement")
    for field, sum_ in (("fee", command.fee), ("given", command.given), ("got", command.got)):
        _check_sum(sum_, field)
    if (command.given is None) != (command.got is None):
        raise InvalidInput("What is given in an exchange is got in another currency.", field="got")
    if command.given is not None and command.got is not None and command.given.currency == command.got.currency:
        raise InvalidInput("An exchange is between two currencies.", field="got")
    if command.movement in history.state.costs or (command.fee is None and command.given is None):
        return
    event = CostBooked(
        movement=command.movement,
        fee=command.fee,
        is_fee_returned=True if command.fee is not None and command.is_fee_returned else None,
        given=command.given,
        got=command.got,
    )
    history.add(event)


def _check_sum(sum_: Money | None, field: str) -> None:
    if sum_ is None:
        return
    check_currency(sum_.currency, field=f"{field}.currency")
    if not 0 < sum_.minor <= REPORT_MINOR_MAX:
        raise InvalidInput(
            f"A sum is more than zero and at most {REPORT_MINOR_MAX} minor units.", field=f"{field}.amount"
        )


DECISIONS: Final[Decisions] = {
    BookCost: book_cost,
}
