"""Adds reminders: the clock that announces the end of a milestone's window, and which announcement was the last.

For windows that run already the next announcement is set: the first one that lies after the start of the window and not
before the contract's last event, as `escrow.agreement.deadlines` has it.
"""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

REMINDERS = """
ALTER TABLE milestones
    ADD COLUMN reminded_hours INT,
    ADD CONSTRAINT milestones_reminded CHECK (
        reminded_hours IS NULL OR (reminded_hours > 0 AND state IN ('FUNDING', 'SUBMITTED')));
COMMENT ON COLUMN milestones.reminded_hours IS 'How long before its end the running window was last announced';

ALTER TABLE deadlines
    DROP CONSTRAINT deadlines_kind,
    ADD CONSTRAINT deadlines_kind CHECK (kind IN ('OFFER', 'DEPOSIT', 'REVIEW', 'REMINDER'));
"""

RUNNING = """
INSERT INTO deadlines (contract_id, kind, subject_id, due_at)
SELECT contract.id, 'REMINDER', milestone.id, min(ends.at - hours * interval '1 hour')
FROM contracts AS contract
    JOIN milestones AS milestone ON milestone.contract_id = contract.id AND milestone.revision = contract.revision
    LEFT JOIN deposits AS deposit ON deposit.id = milestone.deposit_id
    CROSS JOIN LATERAL (
        SELECT milestone.review_due_at, milestone.review_due_at - contract.review_hours * interval '1 hour'
        WHERE milestone.state = 'SUBMITTED'
        UNION ALL SELECT deposit.due_at, deposit.started_at WHERE milestone.state = 'FUNDING'
    ) AS ends (at, since)
    CROSS JOIN unnest(ARRAY[168, 48, 12]) AS hours
WHERE ends.at - hours * interval '1 hour' > ends.since
    AND ends.at - hours * interval '1 hour' >= contract.updated_at
GROUP BY contract.id, milestone.id
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0002_sweeps")]
    operations: list[Operation] = [RunSQL(REMINDERS), RunSQL(RUNNING)]
