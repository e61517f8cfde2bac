"""Turns the domain's refusals into `userErrors`, which a person or a program can act on."""

from __future__ import annotations

from typing import cast

import strawberry
from strawberry.scalars import JSON

from escrow.errors import DomainError, ErrorCode


@strawberry.type(description="Why a mutation was refused. Nothing that it asked for was done.")
class UserError:
    code: ErrorCode = strawberry.field(description="The reason, for programs.")
    message: str = strawberry.field(description="The reason, for people.")
    field: str | None = strawberry.field(
        description="The place in the input that is at fault, if it is one: `milestones.0.amount.currency`."
    )
    details: JSON | None = strawberry.field(
        description="Values that help to act on it, by name; null if there are none."
    )

    @classmethod
    def all_of(cls, refusal: DomainError) -> list[UserError]:
        """The refusal, and those that stand beside it."""
        return [cls.of(one) for one in (refusal, *refusal.others)]

    @classmethod
    def of(cls, refusal: DomainError) -> UserError:
        return cls(
            code=refusal.code,
            message=refusal.message,
            field=refusal.field,
            details=cast("JSON | None", refusal.details or None),
        )
