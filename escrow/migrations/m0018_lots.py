"""Adds up what a milestone's lots hold by a function whose plan a session keeps: the constraint asks it at every write."""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

# As a function in SQL it was planned anew for each row that was written, which took a tenth of writing a command.
LOTS = """
CREATE OR REPLACE FUNCTION lots_total(lots JSONB) RETURNS BIGINT LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    IF lots = '[]' THEN
        RETURN 0;
    END IF;
    RETURN (
        SELECT coalesce(sum((lot ->> 'amount_minor')::bigint + (lot ->> 'fee_minor')::bigint), 0)::bigint
        FROM jsonb_array_elements(lots) AS lot);
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0017_explanations")]
    operations: list[Operation] = [RunSQL(LOTS)]
