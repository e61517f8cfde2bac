"""The type of submissions: work that was handed in for a milestone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from escrow.agreement import state as domain
from escrow.queries.work import SUBMISSIONS
from schema.connections import Connection, Window
from schema.engine.context import Context
from schema.engine.data_loaders import data_loader
from schema.types.attachments import Attachment
from schema.types.common import Node
from schema.types.paging import pages_of


@strawberry.type(description="Work that the freelancer handed in for a milestone.")
class Submission(Node):
    milestone_id: strawberry.ID = strawberry.field(description="The milestone.")
    number: int = strawberry.field(description="1 for the first submission of its milestone, 2 for the next.")
    message: str = strawberry.field(description="What the freelancer says about it.")
    links: list[str] = strawberry.field(description="Where the work is.")
    attachments: list[Attachment] = strawberry.field(description="Files that belong to it.")
    submitted_at: datetime = strawberry.field(description="When it was handed in.")

    @classmethod
    def of(cls, submission: domain.Submission) -> Submission:
        return cls(
            id=strawberry.ID(submission.id),
            milestone_id=strawberry.ID(submission.milestone_id),
            number=submission.number,
            message=submission.message,
            links=list(submission.links),
            attachments=[Attachment(name=one.name, sha256=one.sha256) for one in submission.attachments],
            submitted_at=submission.submitted_at,
        )


@data_loader
async def submissions_of(milestone_ids: Sequence[str], _: Context, window: Window) -> list[Connection[Submission]]:
    """A page of the submissions of each milestone: one statement for all that are asked for."""
    return await pages_of(
        SUBMISSIONS,
        Submission.of,
        milestone_ids,
        "milestone_id",
        order="submissions",
        by="number",
        window=window,
    )


@data_loader
async def contract_submissions_of(
    contract_ids: Sequence[str], _: Context, window: Window
) -> list[Connection[Submission]]:
    """A page of the submissions of each contract: one statement for all that are asked for."""
    return await pages_of(
        SUBMISSIONS, Submission.of, contract_ids, "contract_id", order="contract-submissions", window=window
    )


@data_loader
async def submission_of(submission_ids: Sequence[str], context: Context) -> list[Submission | None]:
    """Submissions by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await SUBMISSIONS.by_id(context.known(), submission_ids)
    return [Submission.of(found[one]) if one in found else None for one in submission_ids]
