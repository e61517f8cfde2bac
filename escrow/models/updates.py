"""Progress updates."""

from typing import Any

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from escrow.models.facts import Facts


class Update(Model):
    """A progress update on a contract or on one of its milestones."""

    contract_id = fields.CharField(64)
    number = fields.IntField(primary_key=True)
    side = fields.TextField()
    milestone_id = fields.CharField(64, null=True)
    message = fields.TextField()
    links = ArrayField("text")
    attachments: Any = fields.JSONField()
    posted_at = fields.DatetimeField()

    class Meta(Facts):
        table = "updates"
        key = ("contract_id", "number")
        is_added_only = True
        words = ("message", "links", "attachments")
