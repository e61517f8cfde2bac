"""The sessions of people's browsers."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from escrow.models.facts import Facts


class Session(Model):
    """A browser that acts for an account for a while; of its secret, and of the link that opened it, only digests."""

    id = fields.CharField(64, primary_key=True)
    account_id = fields.CharField(64)
    member_id = fields.CharField(64, null=True)
    secret_sha256 = fields.BinaryField()
    code_sha256 = fields.BinaryField(null=True)
    hint = fields.TextField()
    fingerprint = fields.CharField(64)
    scopes = ArrayField("text")
    contract_ids = ArrayField("text", null=True)
    origins = ArrayField("text")
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    opens_for_seconds = fields.IntField(null=True)
    ended_at = fields.DatetimeField(null=True)
    created_by = fields.CharField(64, null=True)

    class Meta(Facts):
        table = "sessions"
        fixed = ("member_id", "scopes", "contract_ids", "origins", "created_at", "created_by")
        apart = ("secret_sha256", "code_sha256")
