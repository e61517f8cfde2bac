"""What programs keep beside contracts, and the words by which titles are found."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField, TSVectorField
from tortoise.models import Model

from escrow.models.accounts import Account, Member
from escrow.models.agreement import Contract, Milestone


class ExternalReference(Model):
    """What an account's program calls a contract or a milestone. Its key is account, subject and system."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField("escrow.Account", related_name="references")
    subject_id = fields.CharField(64, primary_key=True)
    system = fields.TextField()
    external_id = fields.TextField()
    url = fields.TextField(null=True)
    contract: fields.ForeignKeyRelation[Contract] = fields.ForeignKeyField("escrow.Contract", related_name="references")
    milestone: fields.ForeignKeyNullableRelation[Milestone] = fields.ForeignKeyField(
        "escrow.Milestone", related_name="references", null=True
    )
    set_at = fields.DatetimeField()

    class Meta:
        table = "external_references"


class CalendarToken(Model):
    """The digest of the one token that shows an account's dates as a calendar to whoever has it."""

    owner_id = fields.CharField(64, primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField("escrow.Account", related_name="calendars")
    member: fields.ForeignKeyNullableRelation[Member] = fields.ForeignKeyField(
        "escrow.Member", related_name="calendars", null=True
    )
    token_sha256 = fields.BinaryField()
    contract_ids = ArrayField("text", null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "calendar_tokens"


class Title(Model):
    """The words of a contract's or a milestone's title, each under its parties and under nobody."""

    subject_id = fields.CharField(64, primary_key=True)
    words = TSVectorField()

    class Meta:
        table = "titles"
