"""Exposes the enumerations that only events have, with a description of every value."""

from __future__ import annotations

from escrow.accounts.events import RevocationReason
from escrow.agreement.events import (
    AbandonReason,
    DepositFailure,
    DisputeOutcome,
    RefundReason,
    ReleaseReason,
    SplitReason,
)
from schema.enums import describe

_BY_THE_CLAIM = "The other side agreed to the claim of a dispute."
_BY_SILENCE = "Nobody answered a dispute whose claim silence carries out."
_BY_DECISION = "A mediator or the operator decided a dispute."
_BY_SETTLEMENT = "Both sides agreed on a settlement."

describe(
    ReleaseReason,
    "Why money was released.",
    APPROVED="The client approved the work.",
    AUTO_RELEASED="The client was silent until the review ended.",
    CLAIM_ACCEPTED=_BY_THE_CLAIM,
    CLAIM_UNANSWERED=_BY_SILENCE,
    DECIDED=_BY_DECISION,
    SETTLEMENT=_BY_SETTLEMENT,
)

describe(
    RefundReason,
    "Why money went back to the client.",
    REQUEST_ACCEPTED="The freelancer accepted a refund request.",
    REQUEST_UNANSWERED="Nobody answered a refund request in time.",
    GIVEN="The freelancer gave it back without being asked.",
    CLAIM_ACCEPTED=_BY_THE_CLAIM,
    CLAIM_UNANSWERED=_BY_SILENCE,
    DECIDED=_BY_DECISION,
    SETTLEMENT=_BY_SETTLEMENT,
    ENDED="The contract was ended.",
    PROPOSAL_REVISED="The proposal was revised.",
    PROPOSAL_DIED="The proposal was declined, withdrawn or expired.",
    REVERSAL_LOST="A reversal of the deposit was lost.",
    HOLD_ENDED="The money could be held no longer.",
)

describe(
    SplitReason,
    "Why what was held was split.",
    CLAIM_ACCEPTED=_BY_THE_CLAIM,
    CLAIM_UNANSWERED=_BY_SILENCE,
    DECIDED=_BY_DECISION,
    SETTLEMENT=_BY_SETTLEMENT,
)

describe(
    DisputeOutcome,
    "What resolved a dispute.",
    CLAIM_ACCEPTED=_BY_THE_CLAIM,
    CLAIM_UNANSWERED=_BY_SILENCE,
    DECIDED=_BY_DECISION,
    SETTLEMENT=_BY_SETTLEMENT,
    APPROVED="The client approved the work.",
    REFUND_GIVEN="The freelancer gave all of it back.",
    ENDED="The contract was ended.",
    REVERSAL_LOST="A reversal of the deposit was lost.",
)

describe(
    DepositFailure,
    "Why a deposit or a bonus failed.",
    REFUSED="The payment provider refused it.",
    WRONG_AMOUNT="Another sum came than was asked for.",
    UNANSWERED="The payment provider did not answer in time.",
    ACTION_EXPIRED="The payer did not act in time.",
)

describe(
    AbandonReason,
    "Why a deposit was given up.",
    CANCELLED="The client cancelled it.",
    UNANSWERED="The payment provider did not answer in time.",
    REVISED="The proposal was revised.",
    PROPOSAL_DIED="The proposal was declined, withdrawn or expired.",
    ENDED="The contract was ended.",
)

describe(
    RevocationReason,
    "Why a key ended.",
    REVOKED="Somebody revoked it.",
    MEMBER_REMOVED="The member that it belonged to was removed.",
    MAKER_REVOKED="The key that made it was revoked, with all that came of it.",
)
