"""The queries: a filter for each, and a data loader for what is nested."""

from __future__ import annotations

import json
from collections.abc import Sequence

import strawberry
from strawberry.dataloader import DataLoader
from tortoise.expressions import Q

from escrow import models
from escrow.cursors import print_cursor, read_cursor
from tests.benchmarks.peers.plain.types import (
    Change,
    ChangePage,
    Contract,
    ContractConnection,
    Cursor,
    Event,
    Info,
    Milestone,
    MilestoneConnection,
    MilestoneFilter,
    MilestoneOrder,
    MilestoneState,
    PageInfo,
    Viewer,
)


def _seen_by(account_id: str) -> Q:
    return Q(client_id=account_id) | Q(freelancer_id=account_id)


@strawberry.type
class Query:
    @strawberry.field
    def viewer(self, info: Info) -> Viewer:
        key = info.context.key
        scopes = sorted(scope.upper().replace(":", "_") for scope in key.scopes)
        return Viewer(account_id=strawberry.ID(key.account_id), key_id=strawberry.ID(key.id), scopes=scopes)

    @strawberry.field
    async def contract(self, info: Info, id: strawberry.ID) -> Contract | None:  # noqa: A002
        info.context.may("contracts:read")
        row = await models.Contract.filter(_seen_by(info.context.account_id), id=id).first()
        return Contract.of(row) if row is not None else None

    @strawberry.field
    async def contracts(self, info: Info, first: int = 50) -> ContractConnection:
        info.context.may("contracts:read")
        rows = await models.Contract.filter(_seen_by(info.context.account_id)).order_by("-id").limit(first + 1)
        nodes = [Contract.of(row) for row in rows[:first]]
        return ContractConnection(nodes=nodes, page_info=PageInfo(has_next_page=len(rows) > first))

    @strawberry.field
    async def milestones(
        self,
        info: Info,
        filter: MilestoneFilter,  # noqa: A002
        order_by: MilestoneOrder = MilestoneOrder.DUE,
        first: int = 50,
    ) -> MilestoneConnection:
        info.context.may("contracts:read")
        states = [state.value for state in filter.state or MilestoneState]
        found = models.Milestone.filter(_seen_by(info.context.account_id), state__in=states)
        rows = await found.order_by(order_by.value, "id").limit(first + 1)
        currencies = await _currencies({row.contract_id for row in rows})
        nodes = [Milestone.of(row, currencies[row.contract_id]) for row in rows[:first]]
        return MilestoneConnection(nodes=nodes, page_info=PageInfo(has_next_page=len(rows) > first))

    @strawberry.field
    async def changes(self, info: Info, first: int = 50, after: Cursor | None = None) -> ChangePage:
        info.context.may("contracts:read")
        start = read_cursor(after) if after is not None else 0
        found = models.LogPosition.filter(_seen_by(info.context.account_id), position__gt=start)
        rows = await found.order_by("position").limit(first + 1)
        events = {row.id: row for row in await models.Event.filter(id__in=[row.event_id for row in rows[:first]])}
        nodes = [
            Change(
                milestone_ids=[json.loads(events[row.event_id].body)["data"]["milestoneId"]],
                cursor=Cursor(print_cursor(row.position)),
                event=Event.of(events[row.event_id]),
            )
            for row in rows[:first]
        ]
        return ChangePage(nodes=nodes, has_more=len(rows) > first)


async def _currencies(contract_ids: set[str]) -> dict[str, str]:
    rows = await models.Contract.filter(id__in=contract_ids).values_list("id", "currency")
    return dict(rows)


async def plans(contract_ids: list[str]) -> list[list[Milestone]]:
    contracts = {row.id: row for row in await models.Contract.filter(id__in=contract_ids)}
    found: dict[str, list[Milestone]] = {one: [] for one in contract_ids}
    for row in await models.Milestone.filter(contract_id__in=contract_ids).order_by("position"):
        contract = contracts[row.contract_id]
        if row.revision == contract.revision:
            found[row.contract_id].append(Milestone.of(row, contract.currency))
    return [found[one] for one in contract_ids]


def milestones_for(account_id: str) -> DataLoader[str, Milestone | None]:
    async def load(milestone_ids: list[str]) -> Sequence[Milestone | None]:
        rows = await models.Milestone.filter(_seen_by(account_id), id__in=milestone_ids)
        currencies = await _currencies({row.contract_id for row in rows})
        found = {row.id: Milestone.of(row, currencies[row.contract_id]) for row in rows}
        return [found.get(one) for one in milestone_ids]

    return DataLoader(load_fn=load)
