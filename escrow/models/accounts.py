"""Accounts: parties, mediators and the operator."""

from tortoise import fields
from tortoise.models import Model


class Account(Model):
    """A party, a mediator, or the operator."""

    id = fields.CharField(64, primary_key=True)
    name = fields.TextField()
    type = fields.TextField()
    is_operator = fields.BooleanField()
    is_mediator = fields.BooleanField()
    disabled_at = fields.DatetimeField(null=True)
    points_per_second = fields.IntField(null=True)
    version = fields.BigIntField()
    last_hash = fields.TextField()
    last_event_at = fields.DatetimeField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "accounts"
