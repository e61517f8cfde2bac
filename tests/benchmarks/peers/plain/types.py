"""What is answered with, filled from the rows of models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import NewType

import strawberry
from graphql import GraphQLError
from strawberry.dataloader import DataLoader

from escrow import models

Cursor = NewType("Cursor", str)


@dataclass
class Context:
    """Whose key it is, and the loaders of one operation."""

    key: models.ApiKey
    plans: DataLoader[str, list[Milestone]]
    milestones: DataLoader[str, Milestone | None]

    @property
    def account_id(self) -> str:
        return self.key.account_id

    def may(self, scope: str) -> None:
        if scope not in self.key.scopes:
            raise GraphQLError(f"the key lacks {scope}")


Info = strawberry.Info[Context, None]


@strawberry.type
class Money:
    amount: str
    currency: str


@strawberry.enum
class MilestoneState(Enum):
    PLANNED = "PLANNED"
    FUNDING = "FUNDING"
    FUNDED = "FUNDED"
    ACTIVE = "ACTIVE"
    SUBMITTED = "SUBMITTED"
    CHANGES_REQUESTED = "CHANGES_REQUESTED"
    RELEASED = "RELEASED"
    REFUNDED = "REFUNDED"
    SETTLED = "SETTLED"
    CANCELLED = "CANCELLED"


@strawberry.enum
class MilestoneOrder(Enum):
    DUE = "due_on"


@strawberry.type
class Milestone:
    id: strawberry.ID
    title: str
    state: MilestoneState
    position: int
    due_on: date
    amount: Money

    @classmethod
    def of(cls, row: models.Milestone, currency: str) -> Milestone:
        return cls(
            id=strawberry.ID(row.id),
            title=row.title,
            state=MilestoneState(row.state),
            position=row.position,
            due_on=row.due_on,
            amount=Money(amount=f"{row.amount_minor // 100}.{row.amount_minor % 100:02}", currency=currency),
        )


@strawberry.type
class Event:
    id: strawberry.ID
    type: str
    occurred_at: datetime
    sequence: int
    stream: strawberry.ID
    hash: str

    @classmethod
    def of(cls, row: models.Event) -> Event:
        return cls(
            id=strawberry.ID(row.id),
            type=row.type,
            occurred_at=row.occurred_at,
            sequence=row.sequence,
            stream=strawberry.ID(row.stream_id),
            hash=row.hash,
        )


@strawberry.type
class PageInfo:
    has_next_page: bool


@strawberry.type
class EventConnection:
    nodes: list[Event]
    page_info: PageInfo


@strawberry.type
class Contract:
    id: strawberry.ID
    title: str
    state: str
    currency: str
    updated_at: datetime

    @strawberry.field
    async def milestones(self, info: Info) -> list[Milestone]:
        return await info.context.plans.load(self.id)

    @strawberry.field
    async def timeline(self, first: int = 50) -> EventConnection:
        rows = await models.Event.filter(stream_id=self.id).order_by("sequence").limit(first + 1)
        nodes = [Event.of(row) for row in rows[:first]]
        return EventConnection(nodes=nodes, page_info=PageInfo(has_next_page=len(rows) > first))

    @classmethod
    def of(cls, row: models.Contract) -> Contract:
        return cls(
            id=strawberry.ID(row.id),
            title=row.title,
            state=row.state,
            currency=row.currency,
            updated_at=row.updated_at,
        )


@strawberry.type
class ContractConnection:
    nodes: list[Contract]
    page_info: PageInfo


@strawberry.type
class MilestoneConnection:
    nodes: list[Milestone]
    page_info: PageInfo


@strawberry.type
class Change:
    milestone_ids: strawberry.Private[list[str]]
    cursor: Cursor
    event: Event

    @strawberry.field
    async def milestones(self, info: Info) -> list[Milestone]:
        found = await info.context.milestones.load_many(self.milestone_ids)
        return [one for one in found if one is not None]


@strawberry.type
class ChangePage:
    nodes: list[Change]
    has_more: bool


@strawberry.type
class Viewer:
    account_id: strawberry.ID
    key_id: strawberry.ID
    scopes: list[str]


@strawberry.input
class MilestoneFilter:
    state: list[MilestoneState] | None = None
