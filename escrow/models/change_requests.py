"""Change requests: operations on the plan that one side asks the other to accept."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


class ChangeRequest(Model):
    """Operations on the plan that one side asks the other to accept; `words` holds those of each change, in order."""

    id = fields.CharField(64, primary_key=True)
    contract_id = fields.CharField(64)
    filed_by = fields.TextField()
    state = fields.TextField()
    changes: Any = fields.JSONField()
    words: Any = fields.JSONField()
    message = fields.TextField()
    filed_at = fields.DatetimeField()
    plan_version = fields.IntField()

    class Meta(Facts):
        table = "change_requests"
        fixed = ("filed_by", "changes", "words", "message", "filed_at", "plan_version")
        words = ("words", "message")
