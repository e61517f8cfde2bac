"""The work that was handed in for milestones."""

from typing import Any

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from escrow.models.facts import Facts


class Submission(Model):
    """Work that was handed in; `attachments` is a list of objects with a name and a sha256."""

    id = fields.CharField(64, primary_key=True)
    contract_id = fields.CharField(64)
    milestone_id = fields.CharField(64)
    number = fields.IntField()
    message = fields.TextField()
    links = ArrayField("text")
    attachments: Any = fields.JSONField()
    submitted_at = fields.DatetimeField()

    class Meta(Facts):
        table = "submissions"
        is_added_only = True
        words = ("message", "links", "attachments")
        unique_together = (("contract_id", "milestone_id", "number"),)
