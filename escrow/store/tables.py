"""Lists the tables of a contract's objects, and which objects each holds.

Loading, writing, lists, the audit and erasure go through these, so that a new field is one more column of its model, and a
new kind of object one more entry of `PARTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, Final, TypeVar

from tortoise.models import Model

from escrow import models
from escrow.agreement import state
from escrow.agreement.deadlines import Deadline, deadlines, first_clocks
from escrow.agreement.state import Contract, Milestone
from escrow.store.mapping import Clocks, Mapper
from escrow.store.shapes import Row

T = TypeVar("T")


class Part(Mapper[T]):
    """The table of one kind of a contract's objects."""

    def __init__(
        self, name: str, kind: type[T], model: type[Model], held_by: Callable[[Contract], Mapping[str, T]] | None = None
    ) -> None:
        super().__init__(kind, model, owner=Contract)
        self.name: Final = name
        """What `Contract` calls them."""
        self.held_by: Final[Callable[[Contract], Mapping[str, T]]] = held_by or attrgetter(name)
        """The objects that a contract as it is loaded, or folded, has, by a name of their own."""

    def rows(self, contract: Contract) -> list[Row]:
        """The rows of all objects that the contract has."""
        clocks = next_clocks(contract) if self.is_clocked else {}
        return [self.row(one, contract, clocks) for one in self.held_by(contract).values()]


def _milestones(contract: Contract) -> Mapping[str, Milestone]:
    return {**contract.former, **{milestone.id: milestone for milestone in contract.milestones}}


CONTRACTS: Final = Mapper(
    Contract,
    models.Contract,
    owner=Contract,
    named={"client_bps": "client_fee_bps", "freelancer_bps": "freelancer_fee_bps"},
)
MILESTONES: Final = Part("milestones", Milestone, models.Milestone, _milestones)
DEPOSITS: Final = Part("deposits", state.Deposit, models.Deposit)
ORDERS: Final = Part("orders", state.Order, models.PaymentOrder)
SUBMISSIONS: Final = Part("submissions", state.Submission, models.Submission)
REFUNDS: Final = Part("refunds", state.RefundRequest, models.RefundRequest)
DISPUTES: Final = Part("disputes", state.Dispute, models.Dispute)
EVIDENCE: Final = Part("evidence", state.Evidence, models.Evidence)
CHANGE_REQUESTS: Final = Part("change_requests", state.ChangeRequest, models.ChangeRequest)
UPDATES: Final = Part("updates", state.Update, models.Update)
COSTS: Final = Part("costs", state.Cost, models.Cost)

PARTS: Final[tuple[Part[Any], ...]] = (
    MILESTONES, DEPOSITS, ORDERS, SUBMISSIONS, REFUNDS, DISPUTES, EVIDENCE, CHANGE_REQUESTS, UPDATES, COSTS,
)  # fmt: skip


def next_clocks(contract: Contract) -> Clocks:
    """When the first clock of the contract ends, and of each milestone that waits for one, by identifier."""
    return first_ends(contract.id, deadlines(contract))


def first_ends(contract_id: str, running: Iterable[Deadline]) -> Clocks:
    """The same of the clocks that run, in the order in which they end."""
    return {identifier: clock.due_at for identifier, clock in first_clocks(contract_id, running).items()}


def deadline_row(contract_id: str, deadline: Deadline) -> Row:
    return {
        "contract_id": contract_id,
        "kind": deadline.kind.value,
        "subject_id": deadline.subject_id,
        "due_at": deadline.due_at,
    }
