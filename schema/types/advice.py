"""The types of `reviewPlan`: hints on a draft, each with a code that programs can branch on."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import date
from typing import cast
from zoneinfo import ZoneInfo

import strawberry
from strawberry.scalars import JSON

from escrow import clock
from escrow.agreement import advice, inputs
from escrow.agreement.advice import HintCode
from escrow.aside import LONG_MILESTONES, aside_if
from schema.engine.fields import optional
from schema.inputs import MoneyInput, raw_money_or_none


@strawberry.input(
    description=(
        "A milestone as far as somebody has thought of it. It takes what `MilestoneInput` takes, but everything may be "
        "missing still."
    )
)
class MilestoneDraftInput:
    title: str | None = optional("What it is called.")
    purpose: str | None = optional("What it is for.")
    amount: MoneyInput | None = optional("Its price.")
    due_on: date | None = optional("When it is due.")
    deliverables: list[str] = strawberry.field(default_factory=list, description="What will be delivered.")


@strawberry.type(description="A friendly hint on a plan. It never keeps the plan from being proposed.")
class PlanHint:
    code: HintCode = strawberry.field(description="What it is about, for programs.")
    message: str = strawberry.field(description="What it says, for people.")
    position: int | None = strawberry.field(
        description="The milestone that it is about, from 1; null if it is about the whole plan."
    )
    field: str | None = strawberry.field(
        description="The place in the arguments that it is about, such as `plan.0.deliverables.1`; null if it is none."
    )
    details: JSON | None = strawberry.field(
        description="Values that help to act on it, by name; null if there are none."
    )

    @classmethod
    def of(cls, hint: advice.Hint) -> PlanHint:
        return cls(
            code=hint.code,
            message=hint.message,
            position=hint.position,
            field=hint.field,
            details=cast("JSON | None", hint.details),
        )


async def hints_on(
    plan: list[MilestoneDraftInput], budget: MoneyInput | None, time_zone: str | None, *, owner: Hashable
) -> list[PlanHint]:
    """The hints on a draft plan today, by domain time and the time zone of its due dates; found when it is the owner's turn.

    Raises `InvalidInput` for a time zone that isn't one.
    """
    zone = ZoneInfo(inputs.time_zone(time_zone if time_zone is not None else "UTC"))
    today = (await clock.now()).astimezone(zone).date()
    drafts = [
        advice.Draft(
            title=one.title,
            purpose=one.purpose,
            amount=raw_money_or_none(one.amount),
            due_on=one.due_on,
            deliverables=tuple(one.deliverables),
        )
        for one in plan
    ]
    found = await aside_if(
        len(drafts) > LONG_MILESTONES,
        lambda: advice.review(drafts, budget=raw_money_or_none(budget), today=today),
        owner=owner,
    )
    return [PlanHint.of(hint) for hint in found]
