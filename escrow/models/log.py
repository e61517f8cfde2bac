"""The event log, its order, the words beside it, and the types of events that some release has written."""

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

    class Meta:
        table = "events"
        unique_together = (("stream_id", "sequence"),)


class EventType(Model):
    """A kind of event that some release may have written."""

    type = fields.CharField(64, primary_key=True)
    schema_version = fields.IntField()

    class Meta(Facts):
        table = "event_types"
        key = ("type", "schema_version")


class Text(Model):
    """The words that an event holds as a salted hash, until they are erased."""

    event_id = fields.CharField(64)
    field = fields.CharField(64, primary_key=True)
    salt = fields.BinaryField(null=True)
    body = fields.TextField(null=True)
    erased_at = fields.DatetimeField(null=True)

    class Meta(Facts):
        table = "texts"
        key = ("event_id", "field")


class PendingEvent(Model):
    """A committed event that waits for its position."""

    serial = fields.BigIntField(primary_key=True)
    event_id = fields.CharField(64, unique=True)

    class Meta:
        table = "log_pending"


class LogPosition(Model):
    """An event's place in the one log that all readers read."""

    position = fields.BigIntField(primary_key=True)
    event_id = fields.CharField(64, unique=True)
    stream_id = fields.TextField()
    client_id = fields.TextField(null=True)
    freelancer_id = fields.TextField(null=True)

    class Meta:
        table = "log_positions"
