"""The sandbox provider's own books."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model


class SandboxCharge(Model):
    """What the sandbox provider keeps in its own books."""

    idempotency_key = fields.CharField(64, primary_key=True)
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

    class Meta:
        table = "sandbox_charges"
