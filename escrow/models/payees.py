"""Payees: accounts as the payment provider knows them."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from escrow.models.facts import Facts


class Payee(Model):
    """An account that the provider was asked to take on, and what it said last."""

    account_id = fields.CharField(64, primary_key=True)
    provider = fields.TextField()
    payee_id = fields.TextField(null=True)
    can_be_paid = fields.BooleanField()
    missing = ArrayField("text")
    since = fields.DatetimeField()
    until = fields.DatetimeField(null=True)
    looked_at = fields.DatetimeField(null=True)
    due_at = fields.DatetimeField()

    class Meta(Facts):
        table = "payees"
        apart = ("looked_at", "due_at")
