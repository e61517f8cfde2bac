"""The tokens of calendars."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model


class CalendarToken(Model):
    """The digest of the one token that shows an account's dates as a calendar to whoever has it."""

    owner_id = fields.CharField(64, primary_key=True)
    account_id = fields.CharField(64)
    member_id = fields.CharField(64, null=True)
    token_sha256 = fields.BinaryField()
    contract_ids = ArrayField("text", null=True)
    created_at = fields.DatetimeField()
    key_id = fields.CharField(64, null=True)

    class Meta:
        table = "calendar_tokens"
