"""The one row of the deployment: its fees, and how far the test clock is ahead."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class Deployment(Model):
    """The one row of what a deployment decided: its fees, and how far the test clock is ahead."""

    id = fields.SmallIntField(primary_key=True)
    clock_offset = fields.TimeDeltaField()
    client_fee_bps = fields.IntField()
    freelancer_fee_bps = fields.IntField()
    vocabulary = fields.TextField()
    reconciled_at = fields.DatetimeField(null=True)
    unlisted_differences = fields.BigIntField()
    provider_accounts: Any = fields.JSONField()

    class Meta:
        table = "deployment"
