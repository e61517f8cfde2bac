"""The search index over the titles of contracts and milestones."""

from tortoise import fields
from tortoise.contrib.postgres.fields import TSVectorField
from tortoise.models import Model


class Title(Model):
    """The words of a contract's or a milestone's title, each under its parties and under nobody."""

    subject_id = fields.CharField(64, primary_key=True)
    words = TSVectorField()
    title_hash = fields.BigIntField()
    edition = fields.SmallIntField()
    contract_id = fields.TextField()

    class Meta:
        table = "titles"
