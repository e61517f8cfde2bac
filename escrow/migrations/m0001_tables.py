"""Creates every table of the domain as the first release has it.

Identifiers are text as on the wire, compared by bytes: order is the order of their making, and indexes are cheap. Every
constraint has a name, because that name is what a failing write reports.
"""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

ACCOUNTS = """
CREATE TABLE deployment (
    id                 SMALLINT NOT NULL DEFAULT 1,
    clock_offset       INTERVAL NOT NULL DEFAULT '0',
    client_fee_bps     INT NOT NULL DEFAULT 0,
    freelancer_fee_bps INT NOT NULL DEFAULT 0,
    vocabulary         TEXT NOT NULL DEFAULT '',
    CONSTRAINT deployment_pkey PRIMARY KEY (id),
    CONSTRAINT deployment_is_one_row CHECK (id = 1),
    CONSTRAINT deployment_clock_is_not_behind CHECK (clock_offset >= '0'),
    CONSTRAINT deployment_client_fee CHECK (client_fee_bps BETWEEN 0 AND 10000),
    CONSTRAINT deployment_freelancer_fee CHECK (freelancer_fee_bps BETWEEN 0 AND 10000)
);
COMMENT ON TABLE deployment IS 'What one deployment decided: exactly one row';
COMMENT ON COLUMN deployment.vocabulary IS 'A digest of event_types: a release that has the same knows all of them';
INSERT INTO deployment DEFAULT VALUES;

CREATE TABLE event_types (
    type           TEXT COLLATE "C" NOT NULL,
    schema_version INT NOT NULL,
    CONSTRAINT event_types_pkey PRIMARY KEY (type, schema_version)
);
COMMENT ON TABLE event_types IS 'Every event type that some release may have written; migrate adds its own';

CREATE TABLE accounts (
    id            TEXT COLLATE "C" NOT NULL,
    name          TEXT NOT NULL,
    type          TEXT NOT NULL,
    is_operator   BOOLEAN NOT NULL DEFAULT false,
    is_mediator   BOOLEAN NOT NULL DEFAULT false,
    disabled_at   TIMESTAMPTZ,
    version       BIGINT NOT NULL,
    last_hash     TEXT NOT NULL,
    last_event_at TIMESTAMPTZ NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    CONSTRAINT accounts_pkey PRIMARY KEY (id),
    CONSTRAINT accounts_type CHECK (type IN ('INDIVIDUAL', 'COMPANY', 'AGENCY')),
    CONSTRAINT accounts_operator_is_no_mediator CHECK (NOT (is_operator AND is_mediator)),
    CONSTRAINT accounts_version CHECK (version >= 1)
);
CREATE UNIQUE INDEX accounts_one_operator ON accounts (is_operator) WHERE is_operator;
CREATE INDEX accounts_mediators ON accounts (id) WHERE is_mediator;

CREATE TABLE members (
    id         TEXT COLLATE "C" NOT NULL,
    account_id TEXT COLLATE "C" NOT NULL,
    person     TEXT COLLATE "C" NOT NULL,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    added_at   TIMESTAMPTZ NOT NULL,
    removed_at TIMESTAMPTZ,
    CONSTRAINT members_pkey PRIMARY KEY (id),
    CONSTRAINT members_account FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT members_role CHECK (role IN ('VIEWER', 'MEMBER', 'MANAGER', 'OWNER'))
);
CREATE UNIQUE INDEX members_once_in_an_account ON members (account_id, person) WHERE removed_at IS NULL;
CREATE INDEX members_by_person ON members (person) WHERE removed_at IS NULL;
CREATE INDEX members_by_account ON members (account_id, id);

CREATE TABLE api_keys (
    id            TEXT COLLATE "C" NOT NULL,
    account_id    TEXT COLLATE "C" NOT NULL,
    member_id     TEXT COLLATE "C",
    secret_sha256 BYTEA NOT NULL,
    hint          TEXT NOT NULL,
    name          TEXT NOT NULL,
    scopes        TEXT[] NOT NULL,
    contract_ids  TEXT[],
    created_at    TIMESTAMPTZ NOT NULL,
    expires_at    TIMESTAMPTZ,
    revoked_at    TIMESTAMPTZ,
    last_used_at  TIMESTAMPTZ,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_account FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT api_keys_member FOREIGN KEY (member_id) REFERENCES members (id),
    CONSTRAINT api_keys_secret_is_unique UNIQUE (secret_sha256),
    CONSTRAINT api_keys_secret_is_a_digest CHECK (octet_length(secret_sha256) = 32),
    CONSTRAINT api_keys_scopes CHECK (scopes <@ ARRAY[
        'contracts:read', 'contracts:write', 'money:write', 'webhooks:manage', 'disputes:decide', 'operator'])
);
CREATE INDEX api_keys_by_account ON api_keys (account_id, id);
"""

AGREEMENT = """
CREATE TABLE contracts (
    id                   TEXT COLLATE "C" NOT NULL,
    client_id            TEXT COLLATE "C" NOT NULL,
    freelancer_id        TEXT COLLATE "C" NOT NULL,
    state                TEXT NOT NULL,
    title                TEXT NOT NULL,
    description          TEXT NOT NULL,
    currency             TEXT COLLATE "C" NOT NULL,
    time_zone            TEXT NOT NULL,
    budget_minor         BIGINT,
    deposit_term         TEXT NOT NULL,
    revision             INT NOT NULL,
    written_by           TEXT NOT NULL,
    offered_at           TIMESTAMPTZ NOT NULL,
    plan_version         INT NOT NULL,
    offer_hours          INT NOT NULL,
    deposit_hours        INT NOT NULL,
    review_hours         INT NOT NULL,
    refund_answer_hours  INT NOT NULL,
    dispute_answer_hours INT NOT NULL,
    mediation_hours      INT NOT NULL,
    client_fee_bps       INT NOT NULL,
    freelancer_fee_bps   INT NOT NULL,
    version              BIGINT NOT NULL,
    last_hash            TEXT NOT NULL,
    last_event_at        TIMESTAMPTZ NOT NULL,
    created_at           TIMESTAMPTZ NOT NULL,
    updated_at           TIMESTAMPTZ NOT NULL,
    erasures             INT NOT NULL DEFAULT 0,
    CONSTRAINT contracts_pkey PRIMARY KEY (id),
    CONSTRAINT contracts_client FOREIGN KEY (client_id) REFERENCES accounts (id),
    CONSTRAINT contracts_freelancer FOREIGN KEY (freelancer_id) REFERENCES accounts (id),
    CONSTRAINT contracts_parties_differ CHECK (client_id <> freelancer_id),
    CONSTRAINT contracts_state CHECK (
        state IN ('PROPOSED', 'ACTIVE', 'COMPLETED', 'ENDED', 'DECLINED', 'WITHDRAWN', 'EXPIRED')),
    CONSTRAINT contracts_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT contracts_budget CHECK (budget_minor > 0),
    CONSTRAINT contracts_deposit_term CHECK (deposit_term IN ('FIRST', 'ALL')),
    CONSTRAINT contracts_written_by CHECK (written_by IN ('CLIENT', 'FREELANCER')),
    CONSTRAINT contracts_windows CHECK (
        offer_hours BETWEEN 1 AND 2160 AND deposit_hours BETWEEN 1 AND 2160 AND review_hours BETWEEN 48 AND 2160
        AND refund_answer_hours BETWEEN 48 AND 2160 AND dispute_answer_hours BETWEEN 48 AND 2160
        AND mediation_hours BETWEEN 24 AND 2160),
    CONSTRAINT contracts_client_fee CHECK (client_fee_bps BETWEEN 0 AND 10000),
    CONSTRAINT contracts_freelancer_fee CHECK (freelancer_fee_bps BETWEEN 0 AND 10000),
    CONSTRAINT contracts_counters CHECK (version >= 1 AND revision >= 1 AND plan_version >= 1)
);
COMMENT ON COLUMN contracts.erasures IS 'Grows with each, so that nobody who loaded the words before writes them again';
CREATE INDEX contracts_by_client ON contracts (client_id, id);
CREATE INDEX contracts_by_freelancer ON contracts (freelancer_id, id);
CREATE INDEX contracts_by_parties ON contracts (client_id, freelancer_id);

CREATE TABLE milestones (
    id                   TEXT COLLATE "C" NOT NULL,
    contract_id          TEXT COLLATE "C" NOT NULL,
    revision             INT NOT NULL,
    position             INT NOT NULL,
    state                TEXT NOT NULL,
    title                TEXT NOT NULL,
    purpose              TEXT NOT NULL,
    deliverables         TEXT[] NOT NULL,
    due_on               DATE NOT NULL,
    amount_minor         BIGINT NOT NULL,
    held_minor           BIGINT NOT NULL,
    held_fee_minor       BIGINT NOT NULL,
    base_minor           BIGINT NOT NULL,
    base_fee_minor       BIGINT NOT NULL,
    released_minor       BIGINT NOT NULL,
    refunded_minor       BIGINT NOT NULL,
    freelancer_fee_minor BIGINT NOT NULL,
    client_fee_minor     BIGINT NOT NULL,
    submissions          INT NOT NULL,
    review_due_at        TIMESTAMPTZ,
    deposit_id           TEXT COLLATE "C",
    updated_at           TIMESTAMPTZ NOT NULL,
    CONSTRAINT milestones_pkey PRIMARY KEY (id),
    CONSTRAINT milestones_contract FOREIGN KEY (contract_id) REFERENCES contracts (id),
    CONSTRAINT milestones_one_in_each_place UNIQUE (contract_id, revision, position) DEFERRABLE INITIALLY IMMEDIATE,
    CONSTRAINT milestones_position CHECK (position >= 1),
    CONSTRAINT milestones_state CHECK (
        state IN ('PLANNED', 'FUNDING', 'FUNDED', 'ACTIVE', 'SUBMITTED', 'CHANGES_REQUESTED',
                  'RELEASED', 'REFUNDED', 'SETTLED', 'CANCELLED')),
    CONSTRAINT milestones_amount CHECK (amount_minor > 0),
    CONSTRAINT milestones_nothing_is_negative CHECK (
        least(held_minor, held_fee_minor, base_minor, base_fee_minor, released_minor, refunded_minor,
              freelancer_fee_minor, client_fee_minor, submissions) >= 0),
    CONSTRAINT milestones_held_is_the_amount CHECK (
        state NOT IN ('FUNDED', 'ACTIVE', 'SUBMITTED', 'CHANGES_REQUESTED') OR held_minor = amount_minor),
    CONSTRAINT milestones_else_hold_nothing CHECK (
        state IN ('FUNDED', 'ACTIVE', 'SUBMITTED', 'CHANGES_REQUESTED') OR (held_minor = 0 AND held_fee_minor = 0)),
    CONSTRAINT milestones_review_clock_runs_when_submitted CHECK (
        (state = 'SUBMITTED') = (review_due_at IS NOT NULL))
);

CREATE TABLE deposits (
    id           TEXT COLLATE "C" NOT NULL,
    contract_id  TEXT COLLATE "C" NOT NULL,
    order_id     TEXT COLLATE "C" NOT NULL,
    revision     INT NOT NULL,
    state        TEXT NOT NULL,
    parts        JSONB NOT NULL,
    charge_minor BIGINT NOT NULL,
    currency     TEXT COLLATE "C" NOT NULL,
    returned     JSONB NOT NULL DEFAULT '[]',
    started_at   TIMESTAMPTZ NOT NULL,
    due_at       TIMESTAMPTZ NOT NULL,
    CONSTRAINT deposits_pkey PRIMARY KEY (id),
    CONSTRAINT deposits_contract FOREIGN KEY (contract_id) REFERENCES contracts (id),
    CONSTRAINT deposits_order_is_its_own UNIQUE (order_id),
    CONSTRAINT deposits_state CHECK (state IN ('STARTED', 'CONFIRMED', 'FAILED', 'ABANDONED')),
    CONSTRAINT deposits_charge CHECK (charge_minor > 0),
    CONSTRAINT deposits_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT deposits_parts CHECK (jsonb_typeof(parts) = 'array' AND jsonb_array_length(parts) >= 1),
    CONSTRAINT deposits_returned CHECK (jsonb_typeof(returned) = 'array')
);
CREATE INDEX deposits_by_contract ON deposits (contract_id, id);
CREATE INDEX deposits_started ON deposits (contract_id) WHERE state = 'STARTED';

CREATE TABLE submissions (
    id           TEXT COLLATE "C" NOT NULL,
    contract_id  TEXT COLLATE "C" NOT NULL,
    milestone_id TEXT COLLATE "C" NOT NULL,
    number       INT NOT NULL,
    message      TEXT NOT NULL,
    links        TEXT[] NOT NULL,
    attachments  JSONB NOT NULL,
    submitted_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT submissions_pkey PRIMARY KEY (id),
    CONSTRAINT submissions_contract FOREIGN KEY (contract_id) REFERENCES contracts (id),
    CONSTRAINT submissions_milestone FOREIGN KEY (milestone_id) REFERENCES milestones (id),
    CONSTRAINT submissions_are_numbered UNIQUE (milestone_id, number),
    CONSTRAINT submissions_number CHECK (number >= 1),
    CONSTRAINT submissions_attachments CHECK (jsonb_typeof(attachments) = 'array')
);
CREATE INDEX submissions_by_contract ON submissions (contract_id, id);

CREATE TABLE deadlines (
    contract_id TEXT COLLATE "C" NOT NULL,
    kind        TEXT NOT NULL,
    subject_id  TEXT COLLATE "C" NOT NULL,
    due_at      TIMESTAMPTZ NOT NULL,
    CONSTRAINT deadlines_pkey PRIMARY KEY (contract_id, kind, subject_id),
    CONSTRAINT deadlines_contract FOREIGN KEY (contract_id) REFERENCES contracts (id),
    CONSTRAINT deadlines_kind CHECK (kind IN ('OFFER', 'DEPOSIT', 'REVIEW'))
);
CREATE INDEX deadlines_due ON deadlines (due_at, contract_id);
"""

MONEY = """
CREATE TABLE payment_orders (
    id            TEXT COLLATE "C" NOT NULL,
    contract_id   TEXT COLLATE "C" NOT NULL,
    kind          TEXT NOT NULL,
    state         TEXT NOT NULL,
    amount_minor  BIGINT NOT NULL,
    currency      TEXT COLLATE "C" NOT NULL,
    deposit_id    TEXT COLLATE "C",
    payment_token TEXT,
    created_at    TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    due_at        TIMESTAMPTZ DEFAULT clock_timestamp(),
    lease_token   TEXT,
    attempts      INT NOT NULL DEFAULT 0,
    called_at     TIMESTAMPTZ,
    last_error    TEXT,
    CONSTRAINT payment_orders_pkey PRIMARY KEY (id),
    CONSTRAINT payment_orders_contract FOREIGN KEY (contract_id) REFERENCES contracts (id),
    CONSTRAINT payment_orders_deposit FOREIGN KEY (deposit_id) REFERENCES deposits (id),
    CONSTRAINT payment_orders_kind CHECK (kind IN ('DEPOSIT', 'REFUND', 'PAYOUT')),
    CONSTRAINT payment_orders_state CHECK (state IN ('STARTED', 'PAID', 'FAILED', 'ABANDONED')),
    CONSTRAINT payment_orders_amount CHECK (amount_minor > 0),
    CONSTRAINT payment_orders_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT payment_orders_deposit_is_named CHECK (kind <> 'DEPOSIT' OR deposit_id IS NOT NULL),
    CONSTRAINT payment_orders_attempts CHECK (attempts >= 0)
);
COMMENT ON COLUMN payment_orders.due_at IS 'Real time: look at it then, or the lease ends; NULL: nothing more to do';
COMMENT ON COLUMN payment_orders.called_at IS 'Real time: set before the first call to the provider';
CREATE INDEX payment_orders_due ON payment_orders (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX payment_orders_by_contract ON payment_orders (contract_id, id);
CREATE INDEX payment_orders_started ON payment_orders (contract_id) WHERE state = 'STARTED';

ALTER TABLE deposits
    ADD CONSTRAINT deposits_order FOREIGN KEY (order_id) REFERENCES payment_orders (id);
ALTER TABLE milestones
    ADD CONSTRAINT milestones_deposit FOREIGN KEY (deposit_id) REFERENCES deposits (id);

CREATE TABLE balances (
    account       TEXT COLLATE "C" NOT NULL,
    currency      TEXT COLLATE "C" NOT NULL,
    contract_id   TEXT COLLATE "C" NOT NULL,
    balance_minor BIGINT NOT NULL,
    CONSTRAINT balances_pkey PRIMARY KEY (account, currency),
    CONSTRAINT balances_contract FOREIGN KEY (contract_id) REFERENCES contracts (id),
    CONSTRAINT balances_are_of_one_contract CHECK (account ~ '^(escrow|fee|payable|transit):'),
    CONSTRAINT balances_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT balances_are_not_negative CHECK (balance_minor >= 0)
);
COMMENT ON COLUMN balances.balance_minor IS 'Credits minus debits of a ledger account that belongs to one contract';
CREATE INDEX balances_by_contract ON balances (contract_id);

CREATE TABLE sandbox_charges (
    idempotency_key TEXT COLLATE "C" NOT NULL,
    kind            TEXT NOT NULL,
    amount_minor    BIGINT NOT NULL,
    currency        TEXT COLLATE "C" NOT NULL,
    token           TEXT,
    outcome         TEXT NOT NULL,
    settles_at      TIMESTAMPTZ,
    notices         TIMESTAMPTZ[] NOT NULL,
    received        BOOLEAN NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    calls           INT NOT NULL DEFAULT 1,
    CONSTRAINT sandbox_charges_pkey PRIMARY KEY (idempotency_key),
    CONSTRAINT sandbox_charges_kind CHECK (kind IN ('DEPOSIT', 'REFUND', 'PAYOUT')),
    CONSTRAINT sandbox_charges_amount CHECK (amount_minor > 0),
    CONSTRAINT sandbox_charges_calls CHECK (calls >= 1)
);
CREATE INDEX sandbox_charges_by_notice ON sandbox_charges ((notices[1])) WHERE notices <> '{}';
COMMENT ON TABLE sandbox_charges IS 'The books of the built-in sandbox provider, which a real provider keeps elsewhere';
"""

LOG = """
CREATE TABLE events (
    id             TEXT COLLATE "C" NOT NULL,
    stream_id      TEXT COLLATE "C" NOT NULL,
    sequence       BIGINT NOT NULL,
    type           TEXT COLLATE "C" NOT NULL,
    schema_version INT NOT NULL,
    occurred_at    TIMESTAMPTZ NOT NULL,
    body           TEXT NOT NULL,
    hash           TEXT NOT NULL,
    previous_hash  TEXT,
    CONSTRAINT events_pkey PRIMARY KEY (id),
    CONSTRAINT events_sequence_is_taken_once UNIQUE (stream_id, sequence),
    CONSTRAINT events_sequence CHECK (sequence >= 1),
    CONSTRAINT events_only_the_first_follows_none CHECK ((sequence = 1) = (previous_hash IS NULL)),
    CONSTRAINT events_hashes CHECK (hash ~ '^[0-9a-f]{64}$' AND previous_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT events_size CHECK (octet_length(body) <= 16384)
);
COMMENT ON COLUMN events.body IS 'Canonical JSON (RFC 8785), byte for byte what was hashed';

CREATE TABLE transfers (
    id           TEXT COLLATE "C" NOT NULL,
    contract_id  TEXT COLLATE "C" NOT NULL,
    event_id     TEXT COLLATE "C" NOT NULL,
    debit        TEXT COLLATE "C" NOT NULL,
    credit       TEXT COLLATE "C" NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency     TEXT COLLATE "C" NOT NULL,
    occurred_at  TIMESTAMPTZ NOT NULL,
    CONSTRAINT transfers_pkey PRIMARY KEY (id),
    CONSTRAINT transfers_contract FOREIGN KEY (contract_id) REFERENCES contracts (id),
    CONSTRAINT transfers_event FOREIGN KEY (event_id) REFERENCES events (id),
    CONSTRAINT transfers_have_two_sides CHECK (debit <> credit),
    CONSTRAINT transfers_amount CHECK (amount_minor > 0),
    CONSTRAINT transfers_currency CHECK (currency ~ '^[A-Z]{3}$')
);
CREATE INDEX transfers_by_contract ON transfers (contract_id, id);
CREATE INDEX transfers_by_event ON transfers (event_id);

CREATE TABLE texts (
    event_id  TEXT COLLATE "C" NOT NULL,
    field     TEXT COLLATE "C" NOT NULL,
    salt      BYTEA,
    body      TEXT,
    erased_at TIMESTAMPTZ,
    CONSTRAINT texts_pkey PRIMARY KEY (event_id, field),
    CONSTRAINT texts_event FOREIGN KEY (event_id) REFERENCES events (id),
    CONSTRAINT texts_salt CHECK (octet_length(salt) = 16),
    CONSTRAINT texts_are_there_or_erased CHECK (
        (body IS NULL) = (salt IS NULL) AND (body IS NULL) = (erased_at IS NOT NULL))
);
COMMENT ON COLUMN texts.body IS 'Canonical JSON of the words that the event holds as a salted hash; NULL once erased';

CREATE TABLE log_pending (
    serial   BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY,
    event_id TEXT COLLATE "C" NOT NULL,
    CONSTRAINT log_pending_pkey PRIMARY KEY (serial),
    CONSTRAINT log_pending_once UNIQUE (event_id),
    CONSTRAINT log_pending_event FOREIGN KEY (event_id) REFERENCES events (id)
);
COMMENT ON TABLE log_pending IS 'Committed events that wait for their position in the log';

CREATE TABLE log_positions (
    position  BIGINT NOT NULL,
    event_id  TEXT COLLATE "C" NOT NULL,
    stream_id TEXT COLLATE "C" NOT NULL,
    CONSTRAINT log_positions_pkey PRIMARY KEY (position),
    CONSTRAINT log_positions_once UNIQUE (event_id),
    CONSTRAINT log_positions_event FOREIGN KEY (event_id) REFERENCES events (id),
    CONSTRAINT log_positions_start_at_one CHECK (position >= 1)
);
CREATE INDEX log_positions_by_stream ON log_positions (stream_id, position);

CREATE TABLE idempotency_keys (
    account_id   TEXT COLLATE "C" NOT NULL,
    key          TEXT COLLATE "C" NOT NULL,
    input_sha256 BYTEA NOT NULL,
    result       JSONB NOT NULL,
    contract_id  TEXT COLLATE "C",
    created_at   TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (account_id, key),
    CONSTRAINT idempotency_keys_account FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT idempotency_keys_contract FOREIGN KEY (contract_id) REFERENCES contracts (id),
    CONSTRAINT idempotency_keys_input_is_a_digest CHECK (octet_length(input_sha256) = 32),
    CONSTRAINT idempotency_keys_result CHECK (jsonb_typeof(result) = 'object')
);
COMMENT ON COLUMN idempotency_keys.contract_id IS 'NULL: a command without a contract, kept for 30 days';
CREATE INDEX idempotency_keys_passing ON idempotency_keys (created_at) WHERE contract_id IS NULL;
"""

GUARDS = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% never change: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER events_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transfers_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER log_positions_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON log_positions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER texts_are_never_deleted BEFORE DELETE OR TRUNCATE ON texts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER deployment_is_never_deleted BEFORE DELETE OR TRUNCATE ON deployment
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION allow_only_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.event_id, NEW.field) IS DISTINCT FROM (OLD.event_id, OLD.field)
            OR NEW.body IS NOT NULL OR OLD.erased_at IS NOT NULL THEN
        RAISE EXCEPTION 'texts can be erased, not changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER texts_can_only_be_erased BEFORE UPDATE ON texts
    FOR EACH ROW EXECUTE FUNCTION allow_only_erasure();

CREATE FUNCTION keep_the_clock_going() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.clock_offset < OLD.clock_offset THEN
        RAISE EXCEPTION 'the test clock never goes back' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER deployment_clock_only_grows BEFORE UPDATE ON deployment
    FOR EACH ROW EXECUTE FUNCTION keep_the_clock_going();
"""


class Migration(migrations.Migration):
    initial = True
    operations: list[Operation] = [RunSQL(part) for part in (ACCOUNTS, AGREEMENT, MONEY, LOG, GUARDS)]
