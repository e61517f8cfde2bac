"""Refund requests."""

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


class RefundRequest(Model):
    """The client asks for what a milestone holds, or part of it; one open request at most holds a milestone."""

    id = fields.CharField(64, primary_key=True)
    contract_id = fields.CharField(64)
    milestone_id = fields.CharField(64)
    state = fields.TextField()
    amount_minor = fields.BigIntField()
    by_ending = fields.BooleanField()
    requested_at = fields.DatetimeField()
    due_at = fields.DatetimeField()
    clock_started_at = fields.DatetimeField()
    message = fields.TextField()
    answer = fields.TextField()

    class Meta(Facts):
        table = "refund_requests"
        fixed = ("milestone_id", "amount_minor", "by_ending", "requested_at", "message")
        words = ("message", "answer")
