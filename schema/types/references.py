"""The type of external references: what an account's own programs call a contract or a milestone."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry

from escrow import references
from schema.engine.context import Context
from schema.engine.data_loaders import data_loader


@strawberry.type(description="What the viewer's account calls a contract or a milestone in one of its own systems.")
class ExternalReference:
    system: str = strawberry.field(description="The system: `jira`.")
    external_id: str = strawberry.field(
        description="What it is called there; within the system it stands for one thing."
    )
    url: str | None = strawberry.field(description="Where it is seen there, if that was said.")

    @classmethod
    def of(cls, reference: references.Reference) -> ExternalReference:
        return cls(system=reference.system, external_id=reference.external_id, url=reference.url)


async def references_listed(subject_id: str, context: Context) -> list[ExternalReference]:
    """What the viewer's account calls one thing; counted with the other lists without pages."""
    found = await _references_of(subject_id, context)
    await context.afford(len(found))
    return found


@data_loader
async def _references_of(subject_ids: Sequence[str], context: Context) -> list[list[ExternalReference]]:
    found = await references.references_of(context.known().account_id, subject_ids)
    return [[ExternalReference.of(one) for one in found.get(subject_id, ())] for subject_id in subject_ids]
