"""What can be asked of a contract, as users say it, and what the payment provider reports. Values only, not yet checked.

Amounts are ``RawMoney``: a wrong one is refused by ``decide``, after everything that the law puts before it. Identifiers of
what a command creates come with it, so that deciding stays free of chance.
"""

from __future__ import annotations

from escrow.agreement.commands.contracts import (
    Accept,
    Decline,
    End,
    MilestoneDraft,
    PostUpdate,
    Propose,
    Revise,
    Terms,
    Withdraw,
    WithdrawEnd,
)
from escrow.agreement.commands.deposits import (
    ApplyDeadlines,
    CancelFunding,
    ConfirmDeposit,
    ConfirmOrder,
    FailDeposit,
    FailOrder,
    Fund,
    FundContract,
    RequestPayout,
    ResolveReversal,
    ReverseDeposit,
    SetPayouts,
)
from escrow.agreement.commands.disputes import (
    AcceptClaim,
    AcceptRefund,
    AcceptSettlement,
    AddEvidence,
    DecideDispute,
    DeclineRefund,
    GiveRefund,
    OfferSettlement,
    OpenDispute,
    RejectClaim,
    RequestRefund,
    WithdrawDispute,
    WithdrawRefund,
    WithdrawSettlement,
)
from escrow.agreement.commands.milestones import (
    AcceptChangeRequest,
    AddChange,
    AddMilestone,
    AmendChange,
    DeclineChangeRequest,
    EditChange,
    EditMilestone,
    FileChangeRequest,
    ImportMilestones,
    ImportRow,
    MoveChange,
    MoveMilestone,
    RemoveChange,
    RemoveMilestone,
    RequestedChange,
    WithdrawChangeRequest,
)
from escrow.agreement.commands.work import (
    Approve,
    RequestChanges,
    Submit,
)

PartyCommand = (
    Propose
    | Revise
    | Accept
    | Decline
    | Withdraw
    | End
    | WithdrawEnd
    | PostUpdate
    | AddMilestone
    | EditMilestone
    | MoveMilestone
    | RemoveMilestone
    | ImportMilestones
    | FileChangeRequest
    | AcceptChangeRequest
    | DeclineChangeRequest
    | WithdrawChangeRequest
    | Submit
    | Approve
    | RequestChanges
    | Fund
    | FundContract
    | CancelFunding
    | RequestPayout
    | SetPayouts
    | ResolveReversal
    | RequestRefund
    | WithdrawRefund
    | AcceptRefund
    | DeclineRefund
    | GiveRefund
    | OpenDispute
    | AddEvidence
    | AcceptClaim
    | RejectClaim
    | OfferSettlement
    | WithdrawSettlement
    | AcceptSettlement
    | WithdrawDispute
    | DecideDispute
)
"""What an account asks for: a party, a mediator or the operator."""

Report = ConfirmDeposit | FailDeposit | ReverseDeposit | ConfirmOrder | FailOrder
Command = PartyCommand | Report | ApplyDeadlines

__all__ = [
    "Accept",
    "AcceptChangeRequest",
    "AcceptClaim",
    "AcceptRefund",
    "AcceptSettlement",
    "AddChange",
    "AddEvidence",
    "AddMilestone",
    "AmendChange",
    "ApplyDeadlines",
    "Approve",
    "CancelFunding",
    "Command",
    "ConfirmDeposit",
    "ConfirmOrder",
    "DecideDispute",
    "Decline",
    "DeclineChangeRequest",
    "DeclineRefund",
    "EditChange",
    "EditMilestone",
    "End",
    "FailDeposit",
    "FailOrder",
    "FileChangeRequest",
    "Fund",
    "FundContract",
    "GiveRefund",
    "ImportMilestones",
    "ImportRow",
    "MilestoneDraft",
    "MoveChange",
    "MoveMilestone",
    "OfferSettlement",
    "OpenDispute",
    "PartyCommand",
    "PostUpdate",
    "Propose",
    "RejectClaim",
    "RemoveChange",
    "RemoveMilestone",
    "Report",
    "RequestChanges",
    "RequestPayout",
    "RequestRefund",
    "RequestedChange",
    "ResolveReversal",
    "ReverseDeposit",
    "Revise",
    "SetPayouts",
    "Submit",
    "Terms",
    "Withdraw",
    "WithdrawChangeRequest",
    "WithdrawDispute",
    "WithdrawEnd",
    "WithdrawRefund",
    "WithdrawSettlement",
]
