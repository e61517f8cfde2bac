"""The deposits of clients."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


class Deposit(Model):
    """A client's payment into escrow; `parts` and `returned` are lists of objects in minor units."""

    id = fields.CharField(64, primary_key=True)
    contract_id = fields.CharField(64)
    order_id = fields.CharField(64)
    revision = fields.IntField()
    state = fields.TextField()
    parts: Any = fields.JSONField()
    charge_minor = fields.BigIntField()
    currency = fields.TextField()
    returned: Any = fields.JSONField()
    started_at = fields.DatetimeField()
    due_at = fields.DatetimeField()
    is_bonus = fields.BooleanField()
    reversal = fields.TextField(null=True)
    reversed_at = fields.DatetimeField(null=True)
    is_for_everything = fields.BooleanField()
    forfeited_minor = fields.BigIntField()
    restored_minor = fields.BigIntField()
    reversals: Any = fields.JSONField()
    evidence_due_at = fields.DatetimeField(null=True)
    action = fields.TextField(null=True)
    clock_started_at = fields.DatetimeField(null=True)
    hold_until = fields.DatetimeField(null=True)

    class Meta(Facts):
        table = "deposits"
        unique_together = (("contract_id", "order_id"),)
        fixed = (
            "order_id",
            "revision",
            "parts",
            "charge_minor",
            "started_at",
            "is_bonus",
            "is_for_everything",
        )
