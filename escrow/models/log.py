"""The order of the log: positions, events that wait for theirs, and where the log was cut."""

from tortoise import fields
from tortoise.models import Model


class PendingEvent(Model):
    """A committed event that waits for its position."""

    serial = fields.BigIntField(primary_key=True)
    event_id = fields.CharField(64)
    stream_id = fields.TextField()

    class Meta:
        table = "log_pending"
        unique_together = (("stream_id", "event_id"),)


class LogCut(Model):
    """Where positions began to be given by another server; what lay after the kept one there is void."""

    first_position = fields.BigIntField(primary_key=True)
    kept_position = fields.BigIntField()
    kept_at = fields.DatetimeField(null=True)
    server = fields.TextField()
    cut_at = fields.DatetimeField()
    books_due_at = fields.DatetimeField()
    books_read_at = fields.DatetimeField(null=True)
    untold_after = fields.TextField(null=True)

    class Meta:
        table = "log_cuts"


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
