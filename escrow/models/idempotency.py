"""The keys of commands that may be repeated."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


class IdempotencyKey(Model):
    """A command that may be repeated: the hash of its input and the ids of its result."""

    account_id = fields.CharField(64)
    key = fields.CharField(255, primary_key=True)
    input_sha256 = fields.BinaryField()
    result: Any = fields.JSONField()
    contract_id = fields.CharField(64, null=True)
    created_at = fields.DatetimeField()

    class Meta(Facts):
        table = "idempotency_keys"
        key = ("account_id", "key")
