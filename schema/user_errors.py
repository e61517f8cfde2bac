"""Turns the domain's refusals into `userErrors`, which a person or a program can act on."""

from __future__ import annotations

from typing import cast

import strawberry
from strawberry.scalars import JSON

from escrow.errors import DomainError, ErrorCode
from schema import error_codes


@strawberry.type(description="Why a mutation was refused. Nothing that it asked for was done.")
class UserError:
    code: ErrorCode = strawberry.field(description="The reason, for programs.")
    message: str = strawberry.field(description="The reason, for people.")
    cause: str | None = strawberry.field(
        description="Which sentence the message is, such as `BEING_ENDED`, for pages that say it in another language; null if it "
        "has no name. With `details` it says all that the message does."
    )
    field: str | None = strawberry.field(
        description="The place in the input that is at fault, if it is one: `milestones.0.amount.currency`."
    )
    details: JSON | None = strawberry.field(
        description="Values that help to act on it, by name; null if there are none."
    )
    documentation: str = strawberry.field(
        description="Where it is explained, for people: when this code comes, an example, and what to do. A path of this "
        "deployment, such as `/docs/errors/INVALID_STATE`, or a whole address where it has a public one."
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
            cause=refusal.cause,
            field=refusal.field,
            details=cast("JSON | None", refusal.details or None),
            documentation=error_codes.page_of(refusal.code),
        )
