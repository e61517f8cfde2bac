"""Keeps what the provider says of an order beside it, for whose money it is, and how much of what differs isn't listed.

What it said before stands in the events of then, where both sides read it; what is said from now on stands here alone.
"""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

EXPLANATIONS = """
ALTER TABLE payment_orders ADD COLUMN explanation TEXT;
COMMENT ON COLUMN payment_orders.explanation IS 'What the provider said of it last: why it failed, or what it waits for';
ALTER TABLE deployment ADD COLUMN unlisted_differences BIGINT NOT NULL DEFAULT 0;
COMMENT ON COLUMN deployment.unlisted_differences IS 'How much more differed when the books were last compared than is listed';
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0016_hold_limits")]
    operations: list[Operation] = [RunSQL(EXPLANATIONS)]
