"""The tables of events and of the words beside them."""

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


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
    trace = fields.TextField(null=True)

    class Meta:
        table = "events"
        unique_together = (("stream_id", "sequence"),)


class Text(Model):
    """The words that an event holds as a salted hash, until they are erased."""

    event_id = fields.CharField(64)
    field = fields.CharField(64, primary_key=True)
    salt = fields.BinaryField(null=True)
    body = fields.TextField(null=True)
    erased_at = fields.DatetimeField(null=True)
    stream_id = fields.TextField()

    class Meta(Facts):
        table = "texts"
        key = ("event_id", "field")
