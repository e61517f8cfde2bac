"""What the payment provider is asked to do."""

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


class PaymentOrder(Model):
    """What the provider is asked to do; from `created_at` on in real time and for the worker that does it."""

    id = fields.CharField(64, primary_key=True)
    contract_id = fields.CharField(64)
    kind = fields.TextField()
    state = fields.TextField()
    amount_minor = fields.BigIntField()
    currency = fields.TextField()
    deposit_id = fields.CharField(64, null=True)
    payment_token = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    due_at = fields.DatetimeField(null=True)
    lease_token = fields.TextField(null=True)
    attempts = fields.IntField()
    called_at = fields.DatetimeField(null=True)
    last_error = fields.TextField(null=True)

    class Meta(Facts):
        table = "payment_orders"
        fixed = ("kind", "amount_minor", "currency", "deposit_id", "payment_token")
        passing = ("payment_token",)
        apart = ("created_at", "due_at", "lease_token", "attempts", "called_at", "last_error")
