"""A contract with something in every part of its page."""

from __future__ import annotations

from tests.browser.deals import Deal, handed_in
from tests.browser.served import Served


def everything(served: Served, title: str, *, words: str = "Words.") -> Deal:
    """A contract with a submission, an update, a change request, a dispute, evidence and an offer, all with these words."""
    one = handed_in(served, title, description=words, budget=money("600.00"))
    one.note(words)
    contract, milestone = {"contractId": one.contract_id}, {"milestoneId": one.milestone()}
    changes = [{"edit": {"milestoneId": one.milestone(2), "amount": money("250.00"), "purpose": words}}]
    served.do("freelancer", "fileChangeRequest", "changeRequest { id }", **contract, message=words, changes=changes)
    made = served.do("client", "openDispute", "dispute { id }", **milestone, reason=words, claim=money("50.00"))
    dispute = {"disputeId": made["dispute"]["id"]}
    served.do("freelancer", "addEvidence", "dispute { id }", **dispute, text=words, links=["https://proof.example/1"])
    served.do("freelancer", "offerSettlement", "dispute { id }", **dispute, toFreelancer=money("90.00"))
    return one


def money(amount: str) -> dict[str, str]:
    """An amount as the API takes it."""
    return {"amount": amount, "currency": "USD"}
