"""The table of event types that some release may have written."""

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


class EventType(Model):
    """A kind of event that some release may have written."""

    type = fields.CharField(64, primary_key=True)
    schema_version = fields.IntField()

    class Meta(Facts):
        table = "event_types"
        key = ("type", "schema_version")
