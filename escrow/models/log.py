"""The order of the log: positions, and events that wait for theirs."""

from tortoise import fields
from tortoise.models import Model


class PendingEvent(Model):
    """A committed event that waits for its position."""

    serial = fields.BigIntField(primary_key=True)
    event_id = fields.CharField(64, unique=True)
    stream_id = fields.TextField()

    class Meta:
        table = "log_pending"


class LogPosition(Model):
    """An event's place in the one log that all readers read."""

    position = fields.BigIntField(primary_key=True)
    event_id = fields.CharField(64, unique=True)
    stream_id = fields.TextField()
    client_id = fields.TextField(null=True)
    freelancer_id = fields.TextField(null=True)
    placed_at = fields.DatetimeField()

    class Meta:
        table = "log_positions"
