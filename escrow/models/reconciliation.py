"""What the payment provider's books say, and where they differ from ours."""

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


class ProviderMovement(Model):
    """A movement of the platform's balance as the provider told it; `changed_…` is what it was before an exchange."""

    id = fields.CharField(255, primary_key=True)
    kind = fields.TextField()
    at = fields.DatetimeField()
    amount_minor = fields.BigIntField()
    fee_minor = fields.BigIntField()
    net_minor = fields.BigIntField()
    currency = fields.TextField()
    changed_minor = fields.BigIntField(null=True)
    changed_currency = fields.TextField(null=True)
    order_id = fields.CharField(64, null=True)
    contract_id = fields.CharField(64, null=True)
    source_id = fields.TextField(null=True)
    is_settled = fields.BooleanField()
    provider = fields.TextField(null=True)

    class Meta:
        table = "provider_movements"


class ReconciliationDifference(Model):
    """A sum that was another at the provider than here when they were last compared."""

    kind = fields.CharField(64, primary_key=True)
    subject = fields.CharField(255)
    currency = fields.CharField(3)
    provider_minor = fields.BigIntField()
    ledger_minor = fields.BigIntField()
    found_at = fields.DatetimeField()

    class Meta(Facts):
        table = "reconciliation_differences"
        key = ("kind", "subject", "currency")
