"""Disputes, and the evidence in them."""

from typing import Any

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from escrow.models.facts import Facts


class Dispute(Model):
    """An argument about what a milestone holds; one at most that is not decided holds a milestone."""

    id = fields.CharField(64, primary_key=True)
    contract_id = fields.CharField(64)
    milestone_id = fields.CharField(64)
    state = fields.TextField()
    opened_by = fields.TextField()
    claim_minor = fields.BigIntField()
    opened_at = fields.DatetimeField()
    due_at = fields.DatetimeField()
    clock_started_at = fields.DatetimeField()
    silence_pays = fields.BooleanField()
    answers_refund_id = fields.CharField(64, null=True)
    overdue = fields.IntField()
    client_evidence = fields.IntField()
    freelancer_evidence = fields.IntField()
    client_offer_minor = fields.BigIntField(null=True)
    freelancer_offer_minor = fields.BigIntField(null=True)
    client_withdraws = fields.BooleanField()
    freelancer_withdraws = fields.BooleanField()
    to_freelancer_minor = fields.BigIntField(null=True)
    reason = fields.TextField()
    explanation = fields.TextField()
    by_hold_limit = fields.BooleanField()

    class Meta(Facts):
        table = "disputes"
        fixed = (
            "milestone_id",
            "opened_by",
            "claim_minor",
            "opened_at",
            "answers_refund_id",
            "reason",
            "by_hold_limit",
        )
        words = ("reason", "explanation")


class Evidence(Model):
    """What a side brought forward in a dispute."""

    contract_id = fields.CharField(64)
    dispute_id = fields.CharField(64)
    side = fields.TextField()
    number = fields.IntField(primary_key=True)
    text = fields.TextField()
    links = ArrayField("text")
    attachments: Any = fields.JSONField()
    added_at = fields.DatetimeField()

    class Meta(Facts):
        table = "evidence"
        key = ("dispute_id", "side", "number")
        is_added_only = True
        words = ("text", "links", "attachments")
