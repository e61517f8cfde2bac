"""The sandbox provider's own books."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model


class SandboxCharge(Model):
    """What the sandbox provider keeps in its own books."""

    id = fields.CharField(64, primary_key=True)
    key = fields.TextField()
    order_id = fields.TextField()
    group_id = fields.TextField()
    kind = fields.TextField()
    amount_minor = fields.BigIntField()
    currency = fields.TextField()
    token = fields.TextField(null=True)
    outcome = fields.TextField()
    settles_at = fields.DatetimeField(null=True)
    notices = ArrayField("timestamptz")
    received = fields.BooleanField()
    created_at = fields.DatetimeField()
    calls = fields.IntField()
    is_forgotten = fields.BooleanField()
    confirmed_at = fields.DatetimeField(null=True)
    acts_at = fields.DatetimeField(null=True)
    action = fields.TextField(null=True)
    action_until = fields.DatetimeField(null=True)
    is_cancelled = fields.BooleanField()

    class Meta:
        table = "sandbox_charges"
