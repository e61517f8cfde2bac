"""Keeps until when the payment provider may hold a deposit's money, and what of that was told.

What is there already has no limit: it came without one, or before limits were watched. A lot of a milestone tells of its own
only where it has one, so that those that are there stay as they are.
"""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

HOLD_LIMITS = """
ALTER TABLE deposits ADD COLUMN hold_until TIMESTAMPTZ;
COMMENT ON COLUMN deposits.hold_until IS 'Until when its money may be held, in domain time; NULL for ever';

ALTER TABLE milestones
    ADD COLUMN hold_until TIMESTAMPTZ,
    ADD COLUMN hold_told_hours INT,
    ADD CONSTRAINT milestones_only_money_is_held_until CHECK (hold_until IS NULL OR held_minor > 0),
    ADD CONSTRAINT milestones_only_a_limit_is_told CHECK (hold_told_hours IS NULL OR hold_until IS NOT NULL);
COMMENT ON COLUMN milestones.hold_until IS 'The first end of the limits of what it holds, in domain time; NULL without one';
COMMENT ON COLUMN milestones.hold_told_hours IS 'How many hours before that it was last announced';

ALTER TABLE deadlines
    DROP CONSTRAINT deadlines_kind,
    ADD CONSTRAINT deadlines_kind CHECK (
        kind IN (
            'OFFER', 'DEPOSIT', 'REVIEW', 'REFUND', 'DISPUTE', 'MEDIATION', 'REMINDER', 'DORMANCY', 'HOLD_NOTICE', 'HOLD_LIMIT'));

ALTER TABLE disputes ADD COLUMN by_hold_limit BOOLEAN NOT NULL DEFAULT false;
COMMENT ON COLUMN disputes.by_hold_limit IS 'Nobody opened it but the law, since the money may be held no longer';
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0015_payees")]
    operations: list[Operation] = [RunSQL(HOLD_LIMITS)]
