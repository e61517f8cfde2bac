"""The domain's tables as Tortoise models, for reading: what changes them is one statement of `escrow.store.write`.

A test compares every model with the database, column by column; what they can't say (checks, partial indexes, triggers)
stands in the migrations alone.
"""

from escrow.models.accounts import Account, ApiKey, Deployment, EventType, Member
from escrow.models.agreement import Contract, Deadline, Deposit, Milestone, Submission
from escrow.models.disagreement import ChangeRequest, Dispute, Evidence, RefundRequest, Update
from escrow.models.endpoints import Endpoint, EndpointSecret
from escrow.models.log import Event, IdempotencyKey, LogPosition, PendingEvent, Text
from escrow.models.money import Balance, PaymentOrder, SandboxCharge, Transfer
from escrow.models.notes import CalendarToken, ExternalReference, Title
from escrow.models.sweeps import DeadlineCount, DeadlineSweep

__all__ = [
    "Account",
    "ApiKey",
    "Balance",
    "CalendarToken",
    "ChangeRequest",
    "Contract",
    "Deadline",
    "DeadlineCount",
    "DeadlineSweep",
    "Deployment",
    "Deposit",
    "Dispute",
    "Endpoint",
    "EndpointSecret",
    "Event",
    "EventType",
    "Evidence",
    "ExternalReference",
    "IdempotencyKey",
    "LogPosition",
    "Member",
    "Milestone",
    "PaymentOrder",
    "PendingEvent",
    "RefundRequest",
    "SandboxCharge",
    "Submission",
    "Text",
    "Title",
    "Transfer",
    "Update",
]
