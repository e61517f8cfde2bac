"""The API keys of accounts."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model


class ApiKey(Model):
    """A program's key to an account; of its secret only the digest."""

    id = fields.CharField(64, primary_key=True)
    account_id = fields.CharField(64)
    member_id = fields.CharField(64, null=True)
    secret_sha256 = fields.BinaryField()
    hint = fields.TextField()
    name = fields.TextField()
    scopes = ArrayField("text")
    contract_ids = ArrayField("text", null=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)
    created_by = fields.CharField(64, null=True)

    class Meta:
        table = "api_keys"
