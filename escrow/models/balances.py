"""The table of stored balances."""

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


class Balance(Model):
    """Credits minus debits of a ledger account that belongs to one contract."""

    account = fields.CharField(64, primary_key=True)
    currency = fields.TextField()
    contract_id = fields.CharField(64)
    balance_minor = fields.BigIntField()

    class Meta(Facts):
        table = "balances"
        key = ("account", "currency")
