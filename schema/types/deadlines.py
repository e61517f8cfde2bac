"""A running clock, as the API shows it."""

from __future__ import annotations

from datetime import datetime

import strawberry

from escrow.access import Side


@strawberry.type(description="A running clock: what happens by itself if nobody acts before.")
class Deadline:
    at: datetime = strawberry.field(description="When it happens.")
    action: str = strawberry.field(description="The type of the event that happens then, such as `milestone.released`.")
    in_favour_of: Side | None = strawberry.field(description="The side that the silence favours, if it favours one.")
