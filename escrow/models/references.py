"""What programs call contracts and milestones."""

from tortoise import fields
from tortoise.models import Model

from escrow.models.facts import Facts


class ExternalReference(Model):
    """What an account's program calls a contract or a milestone."""

    account_id = fields.CharField(64)
    subject_id = fields.CharField(64, primary_key=True)
    system = fields.TextField()
    external_id = fields.TextField()
    url = fields.TextField(null=True)
    contract_id = fields.CharField(64)
    milestone_id = fields.CharField(64, null=True)
    set_at = fields.DatetimeField()

    class Meta(Facts):
        table = "external_references"
        key = ("account_id", "subject_id", "system")
