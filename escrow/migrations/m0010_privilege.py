"""Notes by which key a key and a calendar's address were made, and keeps payment tokens nowhere but sealed in their order.

Who made a key stands in the log as the actor of its event; keys made by the command line have no maker. Addresses that are
there already have none either: nobody noted it. Tokens beside events are erased; in orders that are final they go, and in
the others they are marked as plain until a worker, which has the keys, seals them.
"""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

PLAIN, SEALED = "plain:", "sealed:"
"""How what is stored of a token begins, as `escrow.payments.tokens_at_rest` writes it."""

MAKERS = """
ALTER TABLE api_keys ADD COLUMN created_by TEXT COLLATE "C";
COMMENT ON COLUMN api_keys.created_by IS 'The key that made it; NULL if that was no key';
UPDATE api_keys SET created_by = event.body::jsonb -> 'actor' ->> 'key'
    FROM events AS event
    WHERE event.type = 'key.created' AND event.stream_id = api_keys.account_id
    AND event.body::jsonb -> 'data' ->> 'keyId' = api_keys.id;
CREATE INDEX api_keys_by_maker ON api_keys (created_by) WHERE created_by IS NOT NULL;

ALTER TABLE calendar_tokens ADD COLUMN key_id TEXT COLLATE "C";
COMMENT ON COLUMN calendar_tokens.key_id IS 'The key that made it, with which it ends; NULL if that was no key, or is not known';
"""

TOKENS = f"""
UPDATE texts SET body = NULL, salt = NULL, erased_at = clock_timestamp()
    WHERE field = 'paymentToken' AND erased_at IS NULL;
CREATE FUNCTION keep_nothing_withheld() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.body := NULL; NEW.salt := NULL; NEW.erased_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER texts_withheld_are_never_kept BEFORE INSERT ON texts
    FOR EACH ROW WHEN (NEW.field = 'paymentToken') EXECUTE FUNCTION keep_nothing_withheld();

UPDATE payment_orders SET payment_token = CASE WHEN state = 'STARTED' THEN '{PLAIN}' || payment_token END
    WHERE payment_token IS NOT NULL;
ALTER TABLE payment_orders ADD CONSTRAINT payment_orders_token CHECK (payment_token ~ '^({SEALED}|{PLAIN})');
COMMENT ON COLUMN payment_orders.payment_token IS 'Encrypted, while the order is STARTED; NULL once it is final';
CREATE INDEX payment_orders_with_token ON payment_orders (id) WHERE payment_token IS NOT NULL;
CREATE FUNCTION forget_the_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.payment_token := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER payment_orders_forget_their_token BEFORE INSERT OR UPDATE ON payment_orders
    FOR EACH ROW WHEN (NEW.state <> 'STARTED') EXECUTE FUNCTION forget_the_token();
"""  # noqa: S608 - constants of this module


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0009_placed_at")]
    operations: list[Operation] = [RunSQL(MAKERS), RunSQL(TOKENS)]
