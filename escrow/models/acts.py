"""What operators did, and which credentials were refused: rows that never change."""

from tortoise import fields
from tortoise.models import Model


class OperatorAct(Model):
    """What an operator set out to do."""

    id = fields.BigIntField(primary_key=True)
    at = fields.DatetimeField()
    act = fields.TextField()
    subject = fields.TextField(null=True)
    account_id = fields.TextField(null=True)
    credential = fields.TextField(null=True)
    member_id = fields.TextField(null=True)
    trace_id = fields.TextField()

    class Meta:
        table = "operator_acts"


class OperatorActEnd(Model):
    """What came of it."""

    act_id = fields.BigIntField(primary_key=True)
    at = fields.DatetimeField()
    code = fields.TextField(null=True)

    class Meta:
        table = "operator_act_ends"


class RefusedCredentials(Model):
    """Credentials of one kind that named nobody, of one client within a minute or so, or of all the others."""

    id = fields.BigIntField(primary_key=True)
    since = fields.DatetimeField()
    until = fields.DatetimeField()
    reason = fields.TextField()
    client = fields.TextField(null=True)
    times = fields.BigIntField()
    trace_id = fields.TextField(null=True)

    class Meta:
        table = "refused_credentials"
