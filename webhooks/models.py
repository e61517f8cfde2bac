"""Describes the delivery tables as Tortoise models, for reading; plain SQL beside the code that means it changes them.

A test compares every model with the database, column by column; checks and partial indexes stand in the migrations alone.
"""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

__all__ = ["Attempt", "Delivery", "EndpointHealth", "Lane", "Replay", "Retention", "Subscription"]


class Subscription(Model):
    """Which events an endpoint gets from one change of its filter to the next. Its key is endpoint and position."""

    endpoint_id = fields.CharField(64, primary_key=True)
    since_position = fields.BigIntField()
    until_position = fields.BigIntField()
    account_id = fields.TextField()
    event_types = ArrayField("text")
    contract_ids = ArrayField("text", null=True)

    class Meta:
        table = "subscriptions"


class EndpointHealth(Model):
    """How the attempts at an endpoint went lately, and what is to be done with its lanes."""

    endpoint_id = fields.CharField(64, primary_key=True)
    failures = fields.IntField()
    failing_since = fields.DatetimeField(null=True)
    probation = fields.BooleanField()
    openings = fields.IntField()
    open_until = fields.DatetimeField(null=True)
    task = fields.TextField(null=True)

    class Meta:
        table = "endpoint_health"


class Lane(Model):
    """The cursor of one endpoint in one stream, or in what was asked for beside it. Its key is endpoint and lane."""

    endpoint_id = fields.TextField()
    lane = fields.CharField(128, primary_key=True)
    done = fields.BigIntField()
    tail = fields.BigIntField()
    failures = fields.IntField()
    given_up = fields.TextField(null=True)
    due_at = fields.DatetimeField(null=True)
    token = fields.UUIDField(null=True)
    leased_at = fields.DatetimeField(null=True)

    class Meta:
        table = "lanes"


class Delivery(Model):
    """One event on its way to one endpoint."""

    id = fields.CharField(64, primary_key=True)
    endpoint_id = fields.TextField()
    lane = fields.TextField()
    position = fields.BigIntField()
    event_id = fields.TextField()
    event_type = fields.TextField()
    stream_id = fields.TextField()
    kind = fields.TextField()
    state = fields.TextField()
    body = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    finished_at = fields.DatetimeField(null=True)

    class Meta:
        table = "deliveries"


class Attempt(Model):
    """One request for one delivery, and what came of it."""

    id = fields.CharField(64, primary_key=True)
    delivery_id = fields.TextField()
    token = fields.UUIDField()
    started_at = fields.DatetimeField()
    status = fields.IntField(null=True)
    error = fields.TextField(null=True)
    address = fields.TextField(null=True)
    dns_ms = fields.FloatField(null=True)
    connect_ms = fields.FloatField(null=True)
    first_byte_ms = fields.FloatField(null=True)
    total_ms = fields.FloatField(null=True)
    excerpt = fields.BinaryField(null=True)
    is_late = fields.BooleanField()

    class Meta:
        table = "delivery_attempts"


class Replay(Model):
    """A stretch of the log that an endpoint gets once more, a little at a time."""

    id = fields.CharField(64, primary_key=True)
    endpoint_id = fields.TextField()
    after_position = fields.BigIntField()
    next_position = fields.BigIntField()
    until_position = fields.BigIntField()
    deliveries = fields.BigIntField()
    due_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "replays"


class Retention(Model):
    """From which position on finished deliveries are kept, and whether older ones go to an archive: one row."""

    id = fields.SmallIntField(primary_key=True)
    kept_from_position = fields.BigIntField()
    is_archived = fields.BooleanField()

    class Meta:
        table = "delivery_retention"
