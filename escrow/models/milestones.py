"""The milestones of contracts."""

from typing import Any

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from escrow.models.facts import Facts


class Milestone(Model):
    """A milestone of any revision; amounts are minor units of the contract's currency."""

    id = fields.CharField(64, primary_key=True)
    contract_id = fields.CharField(64)
    revision = fields.IntField()
    position = fields.IntField()
    state = fields.TextField()
    title = fields.TextField()
    purpose = fields.TextField()
    deliverables = ArrayField("text")
    due_on = fields.DateField()
    amount_minor = fields.BigIntField()
    held_minor = fields.BigIntField()
    held_fee_minor = fields.BigIntField()
    base_minor = fields.BigIntField()
    base_fee_minor = fields.BigIntField()
    released_minor = fields.BigIntField()
    refunded_minor = fields.BigIntField()
    freelancer_fee_minor = fields.BigIntField()
    client_fee_minor = fields.BigIntField()
    submissions = fields.IntField()
    review_due_at = fields.DatetimeField(null=True)
    deposit_id = fields.CharField(64, null=True)
    updated_at = fields.DatetimeField()
    reminded_hours = fields.IntField(null=True)
    hold = fields.TextField()
    hold_id = fields.CharField(64, null=True)
    review_frozen_at = fields.DatetimeField(null=True)
    review_resumed_at = fields.DatetimeField(null=True)
    client_barred_until = fields.DatetimeField(null=True)
    freelancer_barred_until = fields.DatetimeField(null=True)
    frozen_at = fields.DatetimeField(null=True)
    lots: Any = fields.JSONField()
    bonus_deposit_id = fields.CharField(64, null=True)
    bonus_minor = fields.BigIntField()
    rolled_minor = fields.BigIntField()
    lost_minor = fields.BigIntField()
    hold_until = fields.DatetimeField(null=True)
    hold_told_hours = fields.IntField(null=True)
    client_id = fields.TextField()
    freelancer_id = fields.TextField()
    deadline_at = fields.DatetimeField(null=True)

    class Meta(Facts):
        table = "milestones"
        fixed = ("revision",)
        words = ("title", "purpose", "deliverables")
        unique_together = (("contract_id", "revision", "position"),)
