"""The table of GraphQL documents that the operator registered."""

from tortoise import fields
from tortoise.models import Model


class Document(Model):
    """A document that may be asked for by the digest of its text."""

    sha256 = fields.CharField(64, primary_key=True)
    name = fields.TextField()
    text = fields.TextField()
    added_at = fields.DatetimeField()

    class Meta:
        table = "documents"
