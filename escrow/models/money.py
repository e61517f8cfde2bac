"""The ledger, and what the payment provider is asked to do."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from escrow.models.agreement import Contract, Deposit
from escrow.models.log import Event


class Transfer(Model):
    """One posting, never changed: the same amount leaves `debit` and arrives at `credit`."""

    id = fields.CharField(64, primary_key=True)
    contract: fields.ForeignKeyRelation[Contract] = fields.ForeignKeyField("escrow.Contract", related_name="transfers")
    event: fields.ForeignKeyRelation[Event] = fields.ForeignKeyField("escrow.Event", related_name="transfers")
    debit = fields.TextField()
    credit = fields.TextField()
    amount_minor = fields.BigIntField()
    currency = fields.TextField()
    occurred_at = fields.DatetimeField()

    class Meta:
        table = "transfers"


class Balance(Model):
    """Credits minus debits of a ledger account that belongs to one contract. Its key is account and currency."""

    account = fields.CharField(64, primary_key=True)
    currency = fields.TextField()
    contract: fields.ForeignKeyRelation[Contract] = fields.ForeignKeyField("escrow.Contract", related_name="balances")
    balance_minor = fields.BigIntField()

    class Meta:
        table = "balances"


class PaymentOrder(Model):
    """What the provider is asked to do; from `created_at` on in real time and for the worker that does it."""

    id = fields.CharField(64, primary_key=True)
    contract: fields.ForeignKeyRelation[Contract] = fields.ForeignKeyField("escrow.Contract", related_name="orders")
    kind = fields.TextField()
    state = fields.TextField()
    amount_minor = fields.BigIntField()
    currency = fields.TextField()
    deposit: fields.ForeignKeyNullableRelation[Deposit] = fields.ForeignKeyField(
        "escrow.Deposit", related_name="orders", null=True
    )
    payment_token = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    due_at = fields.DatetimeField(null=True)
    lease_token = fields.TextField(null=True)
    attempts = fields.IntField()
    called_at = fields.DatetimeField(null=True)
    last_error = fields.TextField(null=True)

    class Meta:
        table = "payment_orders"


class SandboxCharge(Model):
    """What the sandbox provider keeps in its own books."""

    idempotency_key = fields.CharField(64, primary_key=True)
    kind = fields.TextField()
    amount_minor = fields.BigIntField()
    currency = fields.TextField()
    token = fields.TextField(null=True)
    outcome = fields.TextField()
    settles_at = fields.DatetimeField(null=True)
    notices = ArrayField("timestamptz")
    received = fields.BooleanField()
    created_at = fields.DatetimeField()
    calls = fields.IntField()

    class Meta:
        table = "sandbox_charges"
