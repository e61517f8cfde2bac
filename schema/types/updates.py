"""The type of progress updates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from escrow.access import Side
from escrow.agreement import state
from escrow.queries.updates import UPDATES, update_by_number
from schema.connections import Connection, Total, Window, windowed
from schema.engine.context import Context, Info
from schema.engine.data_loaders import data_loader
from schema.engine.fields import read
from schema.scalars import print_cursor, read_number
from schema.types.attachments import Attachment
from schema.types.common import as_id
from schema.types.paging import total_of

if TYPE_CHECKING:
    from schema.types.milestones import Milestone


@strawberry.type(description="A party says how it goes, on the contract or on one of its milestones.")
class Update:
    contract_id: strawberry.ID = strawberry.field(description="The contract.")
    number: int = strawberry.field(description="1 for the contract's first update, 2 for the next.")
    side: Side = strawberry.field(description="Who posted it.")
    milestone_id: strawberry.ID | None = strawberry.field(description="The milestone that it is about, if it is one.")
    message: str = strawberry.field(description="What it says.")
    links: list[str] = strawberry.field(description="Where it can be seen.")
    attachments: list[Attachment] = strawberry.field(description="Files that belong to it.")
    posted_at: datetime = strawberry.field(description="When it was posted.")

    @read("The milestone that it is about, if it is one.")
    async def milestone(self, info: Info) -> Annotated[Milestone, strawberry.lazy("schema.types.milestones")] | None:
        from schema.types.milestones import milestone_of

        return await milestone_of(self.milestone_id, info.context) if self.milestone_id is not None else None

    @classmethod
    def of(cls, update: state.Update, *, contract_id: str) -> Update:
        return cls(
            contract_id=strawberry.ID(contract_id),
            number=update.number,
            side=update.side,
            milestone_id=as_id(update.milestone_id),
            message=update.message,
            links=list(update.links),
            attachments=[Attachment(name=one.name, sha256=one.sha256) for one in update.attachments],
            posted_at=update.posted_at,
        )


@data_loader
async def updates_of(contract_ids: Sequence[str], _: Context, window: Window) -> list[Connection[Update]]:
    """A page of the updates of each contract: one statement for all that are asked for."""
    found = await UPDATES.pages(
        contract_ids,
        "contract_id",
        order="number",
        limit=window.size + 1,
        after=_start(window),
        backwards=window.backwards,
    )
    return [_connection(found.get(one, []), one, window, total_of(UPDATES, one, "contract_id")) for one in contract_ids]


@data_loader
async def milestone_updates_of(milestones: Sequence[Milestone], _: Context, window: Window) -> list[Connection[Update]]:
    """A page of the updates of each milestone: one statement for all that are asked for."""
    ids = [one.id for one in milestones]
    found = await UPDATES.pages(
        ids, "milestone_id", order="number", limit=window.size + 1, after=_start(window), backwards=window.backwards
    )
    return [
        _connection(found.get(one.id, []), one.contract_id, window, total_of(UPDATES, one.id, "milestone_id"))
        for one in milestones
    ]


def _start(window: Window) -> tuple[int] | None:
    return (read_number(window.place, "updates"),) if window.place is not None else None


def _connection(found: Sequence[state.Update], contract_id: str, window: Window, total: Total) -> Connection[Update]:
    shown = [(Update.of(one, contract_id=contract_id), print_cursor("updates", one.number)) for one in found]
    return windowed(shown, window, total)


async def update_of(contract_id: str, number: int) -> Update | None:
    """One update of a contract that the viewer sees."""
    found = await update_by_number(contract_id, number)
    return Update.of(found, contract_id=contract_id) if found is not None else None
