"""Webhook endpoints, and the secrets that sign what is sent to them."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from escrow.models.facts import Facts


class Endpoint(Model):
    """Where an account wants its events sent, and which of them."""

    id = fields.CharField(64, primary_key=True)
    account_id = fields.CharField(64)
    url = fields.TextField()
    description = fields.TextField()
    event_types = ArrayField("text")
    contract_ids = ArrayField("text", null=True)
    api_version = fields.TextField()
    version = fields.IntField()
    created_at = fields.DatetimeField()
    disabled_at = fields.DatetimeField(null=True)
    disabled_reason = fields.TextField(null=True)
    deleted_at = fields.DatetimeField(null=True)

    class Meta(Facts):
        table = "endpoints"
        fixed = ("created_at",)


class EndpointSecret(Model):
    """A secret at rest: ciphertext, and what recognises it."""

    endpoint_id = fields.CharField(64)
    fingerprint = fields.CharField(64, primary_key=True)
    algorithm = fields.TextField()
    public_key = fields.TextField(null=True)
    ciphertext = fields.BinaryField()
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(null=True)

    class Meta(Facts):
        table = "endpoint_secrets"
        key = ("endpoint_id", "fingerprint")
        apart = ("ciphertext",)
