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
    last_error = fields.TextField(null=True)
    is_stuck = fields.BooleanField()
    next_action = fields.TextField(null=True)
    explanation = fields.TextField(null=True)
    known_as = fields.TextField(null=True)
    seen_uncalled_at = fields.DatetimeField(null=True)
    trace = fields.TextField(null=True)

    class Meta(Facts):
        table = "payment_orders"
        fixed = ("kind", "amount_minor", "currency", "deposit_id", "payment_token", "trace")
        passing = ("payment_token", "trace")
        apart = (
            "created_at",
            "due_at",
            "lease_token",
            "attempts",
            "last_error",
            "next_action",
            "explanation",
            "known_as",
            "seen_uncalled_at",
        )


class ProviderCall(Model):
    """A call to the provider for an order, noted before it is made: its key, and what the provider made of it."""

    order_id = fields.CharField(64, primary_key=True)
    step = fields.TextField()
    attempt = fields.IntField()
    called_at = fields.DatetimeField()
    provider_id = fields.TextField(null=True)
    is_over = fields.BooleanField()
    provider = fields.TextField(null=True)
    contract_id = fields.CharField(64)

    class Meta(Facts):
        table = "provider_calls"
        key = ("order_id", "step", "attempt")
