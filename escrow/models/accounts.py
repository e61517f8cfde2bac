"""Accounts, their members and keys, and what the deployment decided."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model


class Deployment(Model):
    """The one row of what a deployment decided: its fees, and how far the test clock is ahead."""

    id = fields.SmallIntField(primary_key=True)
    clock_offset = fields.TimeDeltaField()
    client_fee_bps = fields.IntField()
    freelancer_fee_bps = fields.IntField()
    vocabulary = fields.TextField()

    class Meta:
        table = "deployment"


class EventType(Model):
    """A kind of event that some release may have written. Its key is both columns."""

    type = fields.CharField(64, primary_key=True)
    schema_version = fields.IntField()

    class Meta:
        table = "event_types"


class Account(Model):
    """A party, a mediator, or the operator."""

    id = fields.CharField(64, primary_key=True)
    name = fields.TextField()
    type = fields.TextField()
    is_operator = fields.BooleanField()
    is_mediator = fields.BooleanField()
    disabled_at = fields.DatetimeField(null=True)
    version = fields.BigIntField()
    last_hash = fields.TextField()
    last_event_at = fields.DatetimeField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "accounts"


class Member(Model):
    """A person who acts for an account."""

    id = fields.CharField(64, primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField("escrow.Account", related_name="members")
    person = fields.TextField()
    name = fields.TextField()
    role = fields.TextField()
    added_at = fields.DatetimeField()
    removed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "members"


class ApiKey(Model):
    """A program's key to an account; of its secret only the digest."""

    id = fields.CharField(64, primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField("escrow.Account", related_name="keys")
    member: fields.ForeignKeyNullableRelation[Member] = fields.ForeignKeyField(
        "escrow.Member", related_name="keys", null=True
    )
    secret_sha256 = fields.BinaryField()
    hint = fields.TextField()
    name = fields.TextField()
    scopes = ArrayField("text")
    contract_ids = ArrayField("text", null=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "api_keys"
