"""The members of accounts."""

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


class Member(Model):
    """A person who acts for an account."""

    id = fields.CharField(64, primary_key=True)
    account_id = fields.CharField(64)
    person = fields.TextField()
    name = fields.TextField()
    role = fields.TextField()
    added_at = fields.DatetimeField()
    removed_at = fields.DatetimeField(null=True)

    class Meta(Facts):
        table = "members"
        fixed = ("person", "name", "role", "added_at")
