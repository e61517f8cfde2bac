"""What movements at the payment provider cost."""

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


class Cost(Model):
    """A fee, an exchange or both of one movement at the provider; its id is the provider's."""

    id = fields.CharField(255, primary_key=True)
    contract_id = fields.CharField(64)
    fee_minor = fields.BigIntField(null=True)
    fee_currency = fields.TextField(null=True)
    is_fee_returned = fields.BooleanField()
    given_minor = fields.BigIntField(null=True)
    given_currency = fields.TextField(null=True)
    got_minor = fields.BigIntField(null=True)
    got_currency = fields.TextField(null=True)
    booked_at = fields.DatetimeField()

    class Meta(Facts):
        table = "costs"
        is_added_only = True
