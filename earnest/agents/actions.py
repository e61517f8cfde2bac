"""Knows each action by the mutation that carries it out and the input that names what it is done to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_OF_CONTRACTS: Final = {
    "REVISE": "reviseContract",
    "ACCEPT": "acceptContract",
    "DECLINE": "declineContract",
    "WITHDRAW": "withdrawContract",
    "ADD_MILESTONE": "addMilestone",
    "IMPORT_MILESTONES": "importMilestones",
    "FUND_CONTRACT": "fundContract",
    "REQUEST_PAYOUT": "requestPayout",
    "SET_PAYOUTS": "setPayouts",
    "POST_UPDATE": "postUpdate",
    "FILE_CHANGE_REQUEST": "fileChangeRequest",
    "END": "endContract",
    "WITHDRAW_END": "withdrawEnd",
}
_OF_MILESTONES: Final = {
    "EDIT_MILESTONE": "editMilestone",
    "MOVE_MILESTONE": "moveMilestone",
    "REMOVE_MILESTONE": "removeMilestone",
    "FUND": "fundMilestone",
    "CANCEL_FUNDING": "cancelFunding",
    "SUBMIT": "submitMilestone",
    "APPROVE": "approveMilestone",
    "REQUEST_CHANGES": "requestChanges",
    "REQUEST_REFUND": "requestRefund",
    "GIVE_REFUND": "giveRefund",
    "OPEN_DISPUTE": "openDispute",
}
_OF_CHANGE_REQUESTS: Final = {
    "ACCEPT_CHANGE_REQUEST": "acceptChangeRequest",
    "DECLINE_CHANGE_REQUEST": "declineChangeRequest",
    "WITHDRAW_CHANGE_REQUEST": "withdrawChangeRequest",
}
_OF_REFUNDS: Final = {
    "WITHDRAW_REFUND": "withdrawRefund",
    "ACCEPT_REFUND": "acceptRefund",
    "DECLINE_REFUND": "declineRefund",
}
_OF_DISPUTES: Final = {
    "ADD_EVIDENCE": "addEvidence",
    "ACCEPT_CLAIM": "acceptClaim",
    "REJECT_CLAIM": "rejectClaim",
    "OFFER_SETTLEMENT": "offerSettlement",
    "WITHDRAW_SETTLEMENT": "withdrawSettlement",
    "ACCEPT_SETTLEMENT": "acceptSettlement",
    "WITHDRAW_DISPUTE": "withdrawDispute",
    "DECIDE_DISPUTE": "decideDispute",
}

ACTIONS: Final[Mapping[str, tuple[str, str]]] = {
    action: (mutation, subject)
    for subject, actions in (
        ("contractId", _OF_CONTRACTS),
        ("milestoneId", _OF_MILESTONES),
        ("changeRequestId", _OF_CHANGE_REQUESTS),
        ("refundId", _OF_REFUNDS),
        ("disputeId", _OF_DISPUTES),
        ("depositId", {"RESOLVE_REVERSAL": "resolveReversal"}),
        ("orderId", {"RESOLVE_ORDER": "resolveOrder"}),
    )
    for action, mutation in actions.items()
}
"""The mutation of each of the schema's actions that is done to something, and the field of its input that names what."""
