"""Notes with each call which payment provider it went to: what became of it is asked there alone.

Calls of before are the sandbox's if its books know their order, and Stripe's if it named what they made. The others went to the
one provider that this deployment is known to have had; where it had several, nobody knows, and a person finds out. A worker of an
earlier release that still runs beside those of this one notes no provider: its calls are that one provider's, too.
"""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

PROVIDERS = """
ALTER TABLE provider_calls ADD COLUMN provider TEXT;
COMMENT ON COLUMN provider_calls.provider IS 'Which provider it went to; NULL if that is not known any more';

UPDATE provider_calls AS one SET provider = 'sandbox'
    WHERE EXISTS (SELECT FROM sandbox_charges AS charge WHERE charge.order_id = one.order_id);
UPDATE provider_calls AS one SET provider = 'stripe'
    WHERE provider IS NULL AND EXISTS (
        SELECT FROM provider_calls AS named
        WHERE named.order_id = one.order_id AND named.provider_id ~ '^(pi|ch|py|re|pyr|tr|trr|po)_');

DO $$
DECLARE known TEXT[] := ARRAY(
    SELECT provider FROM provider_calls WHERE provider IS NOT NULL UNION SELECT provider FROM payees);
BEGIN
    IF cardinality(known) = 1 THEN
        UPDATE provider_calls SET provider = known[1] WHERE provider IS NULL;
        EXECUTE format('ALTER TABLE provider_calls ALTER COLUMN provider SET DEFAULT %L', known[1]);
    END IF;
END $$;
"""


DIFFERENCES = """
ALTER TABLE reconciliation_differences DROP CONSTRAINT reconciliation_differences_kind,
    ADD CONSTRAINT reconciliation_differences_kind CHECK (kind IN ('CONTRACT', 'MOVEMENT', 'BALANCE', 'ORDER'));
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0020_couplings")]
    operations: list[Operation] = [RunSQL(PROVIDERS), RunSQL(DIFFERENCES)]
