"""The table of transfers between ledger accounts."""

from tortoise import fields
from tortoise.models import Model


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
