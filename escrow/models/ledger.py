"""The ledger: transfers, and the balances that are stored."""

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


class Transfer(Model):
    """One posting, never changed: the same amount leaves `debit` and arrives at `credit`."""

    id = fields.CharField(64, primary_key=True)
    contract_id = fields.CharField(64)
    event_id = fields.CharField(64)
    debit = fields.TextField()
    credit = fields.TextField()
    amount_minor = fields.BigIntField()
    currency = fields.TextField()
    occurred_at = fields.DatetimeField()

    class Meta:
        table = "transfers"


class Balance(Model):
    """Credits minus debits of a ledger account that belongs to one contract."""

    account = fields.CharField(64, primary_key=True)
    currency = fields.TextField()
    contract_id = fields.CharField(64)
    balance_minor = fields.BigIntField()

    class Meta(Facts):
        table = "balances"
        key = ("account", "currency")
