"""The mutation that posts a progress update."""

from __future__ import annotations

import strawberry

from escrow.agreement import commands
from escrow.agreement.state import Attachment
from escrow.pipeline import ContractOutcome
from schema.engine.fields import after, optional
from schema.inputs import AttachmentInput
from schema.mutations.running import Call, Payload, contract_after, on_contract
from schema.types.contracts import Contract
from schema.types.updates import Update, update_of


@strawberry.type(description="The contract and the update after the mutation.")
class PostUpdatePayload(Payload):
    contract: Contract | None = after("The contract")
    update: Update | None = after("The update")


async def _posted(_: Call, outcome: ContractOutcome) -> PostUpdatePayload:
    contract, number = outcome.contract, int(outcome.result["update_number"])
    made = contract.updates.get(str(number))
    return PostUpdatePayload(
        contract=contract_after(outcome),
        # A repetition finds the update of the first call only in the database.
        update=Update.of(made, contract_id=contract.id) if made is not None else await update_of(contract.id, number),
    )


@strawberry.input(description="How it goes.")
class PostUpdateInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract, which is PROPOSED or ACTIVE.")
    message: str = strawberry.field(description="What there is to say, 1 to 5,000 characters.")
    milestone_id: strawberry.ID | None = optional("The milestone that it is about; null if it is about the contract.")
    links: list[str] = strawberry.field(
        default_factory=list,
        description="Where it can be seen: at most 20 addresses that begin with https:// or http://.",
    )
    attachments: list[AttachmentInput] = strawberry.field(
        default_factory=list, description="Files that belong to it, at most 20."
    )


@on_contract(
    "Says how it goes, on a contract or on one of its milestones. A contract has 1,000 updates at most.", _posted
)
def post_update(given: PostUpdateInput) -> commands.PostUpdate:
    return commands.PostUpdate(
        contract_id=given.contract_id,
        message=given.message,
        milestone_id=given.milestone_id,
        links=tuple(given.links),
        attachments=tuple(Attachment(one.name, one.sha256) for one in given.attachments),
    )
