"""Fills in the contract, or the stream, in the rows that are there, some at a time."""

from tortoise.migrations.operations import Operation

from escrow.parts import Before, InBatches

PENDING = """
UPDATE log_pending SET stream_id = (SELECT stream_id FROM events WHERE id = log_pending.event_id)
WHERE serial IN (SELECT serial FROM log_pending WHERE stream_id IS NULL LIMIT 2000)
"""

TEXTS = """
UPDATE texts SET stream_id = (SELECT stream_id FROM events WHERE id = texts.event_id)
WHERE (event_id, field) IN (SELECT event_id, field FROM texts WHERE stream_id IS NULL ORDER BY event_id LIMIT 2000)
"""

CALLS = """
UPDATE provider_calls SET contract_id = (SELECT contract_id FROM payment_orders WHERE id = provider_calls.order_id)
WHERE (order_id, step, attempt) IN (
    SELECT order_id, step, attempt FROM provider_calls WHERE contract_id IS NULL ORDER BY order_id LIMIT 2000)
"""

TITLES = """
UPDATE titles SET contract_id = coalesce((SELECT contract_id FROM milestones WHERE id = titles.subject_id), subject_id)
WHERE subject_id IN (SELECT subject_id FROM titles WHERE contract_id IS NULL ORDER BY subject_id LIMIT 2000)
"""


class Migration(Before):
    release = "1.0.0"
    dependencies = [("escrow", "m0024_placement_3_titles")]
    operations: list[Operation] = [InBatches(PENDING), InBatches(TEXTS), InBatches(CALLS), InBatches(TITLES)]
