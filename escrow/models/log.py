"""The event log, its order, the words beside it, and the keys of commands that may be repeated."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from escrow.models.accounts import Account
from escrow.models.agreement import Contract


class Event(Model):
    """A fact, never changed: `body` is the canonical JSON that `hash` is the hash of."""

    id = fields.CharField(64, primary_key=True)
    stream_id = fields.TextField()
    sequence = fields.BigIntField()
    type = fields.TextField()
    schema_version = fields.IntField()
    occurred_at = fields.DatetimeField()
    body = fields.TextField()
    hash = fields.TextField()
    previous_hash = fields.TextField(null=True)

    class Meta:
        table = "events"
        unique_together = (("stream_id", "sequence"),)


class Text(Model):
    """The words that an event holds as a salted hash, until they are erased. Its key is event and field."""

    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField("escrow.Event", related_name="texts")
    field = fields.CharField(64, primary_key=True)
    salt = fields.BinaryField(null=True)
    body = fields.TextField(null=True)
    erased_at = fields.DatetimeField(null=True)

    class Meta:
        table = "texts"


class PendingEvent(Model):
    """A committed event that waits for its position."""

    serial = fields.BigIntField(primary_key=True)
    event: fields.OneToOneRelation[Event] = fields.OneToOneField("escrow.Event", related_name="pending")

    class Meta:
        table = "log_pending"


class LogPosition(Model):
    """An event's place in the one log that all readers read."""

    position = fields.BigIntField(primary_key=True)
    event: fields.OneToOneRelation[Event] = fields.OneToOneField("escrow.Event", related_name="place")
    stream_id = fields.TextField()
    client_id = fields.TextField(null=True)
    freelancer_id = fields.TextField(null=True)

    class Meta:
        table = "log_positions"


class IdempotencyKey(Model):
    """A command that may be repeated: the hash of its input and the ids of its result. Its key is account and key."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField("escrow.Account", related_name="commands")
    key = fields.CharField(255, primary_key=True)
    input_sha256 = fields.BinaryField()
    result: Any = fields.JSONField()
    contract: fields.ForeignKeyNullableRelation[Contract] = fields.ForeignKeyField(
        "escrow.Contract", related_name="commands", null=True
    )
    created_at = fields.DatetimeField()

    class Meta:
        table = "idempotency_keys"
