"""The table of what was written to an archive."""

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


class Archive(Model):
    """A segment of the archive."""

    kind = fields.CharField(64)
    number = fields.BigIntField(primary_key=True)
    name = fields.TextField()
    row_count = fields.BigIntField()
    first_key = fields.TextField()
    last_key = fields.TextField()
    digest = fields.TextField()
    archived_at = fields.DatetimeField()

    class Meta(Facts):
        table = "archives"
        key = ("kind", "number")
