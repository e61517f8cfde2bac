-- What PostGraphile needs beside the tables: a page of the log for one account, what an event touched, and commands that write
-- the same rows into the same tables as Earnest does. They look at the milestone's state and at nothing else: no rights, no
-- amounts, no deadlines that passed meanwhile, no repetition.

CREATE FUNCTION peer_changes(account TEXT, after_position BIGINT, how_many INT) RETURNS SETOF log_positions
LANGUAGE sql STABLE AS $$
    SELECT * FROM log_positions WHERE client_id = account AND position > after_position ORDER BY position LIMIT how_many
$$;

CREATE FUNCTION log_positions_touched(placed log_positions) RETURNS SETOF milestones LANGUAGE sql STABLE AS $$
    SELECT milestones.* FROM events JOIN milestones ON milestones.id = events.body::json -> 'data' ->> 'milestoneId'
    WHERE events.id = placed.event_id
$$;

CREATE FUNCTION peer_id(kind TEXT) RETURNS TEXT LANGUAGE sql VOLATILE AS $$
    SELECT kind || '_' || replace(uuidv7()::text, '-', '')
$$;
COMMENT ON FUNCTION peer_id IS E'@behavior -*';

CREATE FUNCTION peer_lock(of_contract TEXT) RETURNS contracts LANGUAGE plpgsql AS $$
DECLARE
    found contracts;
BEGIN
    SELECT * INTO found FROM contracts WHERE id = of_contract FOR NO KEY UPDATE;
    SELECT greatest(clock_timestamp() + clock_offset, found.last_event_at) INTO found.updated_at FROM deployment;
    RETURN found;
END $$;
COMMENT ON FUNCTION peer_lock IS E'@behavior -*';

-- Appends an event with its words and its hash; answers its identifier. The contract is moved on, with its next clock.
CREATE FUNCTION peer_append(contract contracts, event_type TEXT, data JSONB, words JSONB, next_clock TIMESTAMPTZ) RETURNS TEXT
LANGUAGE plpgsql AS $$
DECLARE
    new_id TEXT := peer_id('evt');
    salts BYTEA[];
    hashes JSONB;
    new_body TEXT;
    new_hash TEXT;
BEGIN
    SELECT array_agg(word.salt ORDER BY word.key),
            jsonb_object_agg(word.key, encode(sha256(word.salt || convert_to(word.value::text, 'UTF8')), 'hex'))
        INTO salts, hashes
        FROM (SELECT key, value, uuid_send(gen_random_uuid()) AS salt FROM jsonb_each(words)) AS word;
    new_body := jsonb_build_object(
        'actor', jsonb_build_object('kind', 'ACCOUNT', 'account', contract.client_id),
        'data', data || jsonb_build_object('texts', hashes), 'id', new_id, 'occurredAt', contract.updated_at,
        'previousHash', contract.last_hash, 'sequence', contract.version + 1, 'stream', contract.id,
        'type', event_type, 'version', 1)::text;
    new_hash := encode(sha256(convert_to(new_body, 'UTF8')), 'hex');
    INSERT INTO events (id, stream_id, sequence, type, schema_version, occurred_at, body, hash, previous_hash)
        VALUES (new_id, contract.id, contract.version + 1, event_type, 1, contract.updated_at, new_body, new_hash,
            contract.last_hash);
    INSERT INTO texts (stream_id, event_id, field, salt, body)
        SELECT contract.id, new_id, word.key, salts[word.number], word.value::text
        FROM jsonb_each(words) WITH ORDINALITY AS word (key, value, number);
    INSERT INTO log_pending (stream_id, event_id) VALUES (contract.id, new_id);
    UPDATE contracts SET version = contract.version + 1, last_hash = new_hash, last_event_at = contract.updated_at,
        updated_at = contract.updated_at, plan_version = contract.plan_version, deadline_at = next_clock WHERE id = contract.id;
    RETURN new_id;
END $$;
COMMENT ON FUNCTION peer_append IS E'@behavior -*';

CREATE FUNCTION peer_submit(milestone TEXT, words TEXT, addresses TEXT[]) RETURNS milestones LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    contract contracts;
    work milestones;
    submission TEXT := peer_id('sub');
BEGIN
    contract := peer_lock((SELECT contract_id FROM milestones WHERE id = milestone));
    SELECT * INTO work FROM milestones WHERE id = milestone;
    IF work.state <> 'ACTIVE' THEN
        RAISE EXCEPTION 'the milestone is %', work.state;
    END IF;
    UPDATE milestones SET state = 'SUBMITTED', submissions = submissions + 1, updated_at = contract.updated_at,
        review_due_at = contract.updated_at + contract.review_hours * interval '1 hour',
        deadline_at = contract.updated_at + contract.review_hours * interval '1 hour'
        WHERE id = milestone RETURNING * INTO work;
    INSERT INTO submissions (id, contract_id, milestone_id, number, message, links, attachments, submitted_at)
        VALUES (submission, contract.id, milestone, work.submissions, words, addresses, '[]', contract.updated_at);
    DELETE FROM deadlines WHERE contract_id = contract.id AND kind = 'DORMANCY';
    INSERT INTO deadlines (contract_id, kind, subject_id, due_at) VALUES
        (contract.id, 'REVIEW', milestone, work.review_due_at),
        (contract.id, 'REMINDER', milestone, work.review_due_at - interval '168 hours');
    PERFORM peer_append(contract, 'milestone.submitted',
        jsonb_build_object(
            'milestoneId', milestone, 'number', work.submissions, 'reviewDueAt', work.review_due_at, 'submissionId', submission),
        jsonb_build_object('attachments', '[]'::jsonb, 'links', to_jsonb(addresses), 'message', words), work.review_due_at);
    RETURN work;
END $$;

CREATE FUNCTION peer_approve(milestone TEXT, message TEXT) RETURNS milestones LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    contract contracts;
    work milestones;
    held BIGINT;
    event TEXT;
    payable TEXT;
BEGIN
    contract := peer_lock((SELECT contract_id FROM milestones WHERE id = milestone));
    SELECT * INTO work FROM milestones WHERE id = milestone;
    IF work.state <> 'SUBMITTED' THEN
        RAISE EXCEPTION 'the milestone is %', work.state;
    END IF;
    held := work.held_minor;
    payable := 'payable:' || contract.id || ':freelancer';
    UPDATE milestones SET state = 'RELEASED', held_minor = 0, released_minor = held, lots = '[]', review_due_at = NULL,
        deadline_at = NULL, updated_at = contract.updated_at WHERE id = milestone RETURNING * INTO work;
    DELETE FROM deadlines WHERE contract_id = contract.id AND subject_id = milestone;
    event := peer_append(contract, 'milestone.released',
        jsonb_build_object(
            'amount', jsonb_build_object('amount', held / 100.0, 'currency', contract.currency),
            'clientFee', jsonb_build_object('amount', 0.00, 'currency', contract.currency),
            'freelancerFee', jsonb_build_object('amount', 0.00, 'currency', contract.currency),
            'milestoneId', milestone, 'reason', 'APPROVED'),
        jsonb_build_object('message', message), NULL);
    INSERT INTO transfers (id, contract_id, event_id, debit, credit, amount_minor, currency, occurred_at)
        VALUES (peer_id('trf'), contract.id, event, 'escrow:' || milestone, payable, held, contract.currency, contract.updated_at);
    INSERT INTO balances (account, currency, contract_id, balance_minor) VALUES
        ('escrow:' || milestone, contract.currency, contract.id, 0), (payable, contract.currency, contract.id, held)
        ON CONFLICT (contract_id, account, currency) DO UPDATE SET balance_minor = CASE
            WHEN EXCLUDED.account = payable THEN balances.balance_minor + EXCLUDED.balance_minor ELSE 0 END;
    RETURN work;
END $$;

CREATE FUNCTION peer_fund(milestone TEXT, token TEXT) RETURNS milestones LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    contract contracts;
    work milestones;
    deposit TEXT := peer_id('dep');
    payment TEXT := peer_id('pay');
    due TIMESTAMPTZ;
BEGIN
    contract := peer_lock((SELECT contract_id FROM milestones WHERE id = milestone));
    SELECT * INTO work FROM milestones WHERE id = milestone;
    IF work.state <> 'PLANNED' OR EXISTS (
            SELECT FROM milestones WHERE contract_id = contract.id AND state = 'PLANNED' AND position < work.position) THEN
        RAISE EXCEPTION 'the milestone is %', work.state;
    END IF;
    due := contract.updated_at + contract.deposit_hours * interval '1 hour';
    WITH ordered AS (
        INSERT INTO payment_orders (id, contract_id, kind, state, amount_minor, currency, payment_token, deposit_id)
        VALUES (payment, contract.id, 'DEPOSIT', 'STARTED', work.amount_minor, contract.currency, 'plain:' || token, deposit)
    )
    INSERT INTO deposits (id, contract_id, order_id, revision, state, parts, charge_minor, currency, started_at, due_at)
        VALUES (deposit, contract.id, payment, contract.revision, 'STARTED', jsonb_build_array(jsonb_build_object(
            'milestone_id', milestone, 'amount_minor', work.amount_minor, 'fee_minor', 0)), work.amount_minor,
            contract.currency, contract.updated_at, due);
    UPDATE milestones SET state = 'FUNDING', deposit_id = deposit, deadline_at = due, updated_at = contract.updated_at
        WHERE id = milestone RETURNING * INTO work;
    INSERT INTO deadlines (contract_id, kind, subject_id, due_at) VALUES
        (contract.id, 'DEPOSIT', deposit, due), (contract.id, 'REMINDER', milestone, due - interval '48 hours');
    PERFORM peer_append(contract, 'deposit.started',
        jsonb_build_object(
            'charge', jsonb_build_object('amount', work.amount_minor / 100.0, 'currency', contract.currency),
            'depositId', deposit, 'dueAt', due, 'milestoneIds', jsonb_build_array(milestone), 'orderId', payment, 'revision', 1),
        jsonb_build_object('paymentToken', token), due);
    RETURN work;
END $$;

CREATE FUNCTION peer_add(contract TEXT, title TEXT, purpose TEXT, deliverables TEXT[], due_on DATE, amount_minor BIGINT)
RETURNS milestones LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    agreed contracts;
    added milestones;
BEGIN
    agreed := peer_lock(contract);
    IF agreed.state <> 'ACTIVE' THEN
        RAISE EXCEPTION 'the contract is %', agreed.state;
    END IF;
    INSERT INTO milestones (
        id, contract_id, revision, position, state, title, purpose, deliverables, due_on, amount_minor, held_minor,
        held_fee_minor, base_minor, base_fee_minor, released_minor, refunded_minor, freelancer_fee_minor, client_fee_minor,
        submissions, updated_at, client_id, freelancer_id)
    SELECT peer_id('mil'), contract, agreed.revision, max(plan.position) + 1, 'PLANNED', peer_add.title, peer_add.purpose,
        peer_add.deliverables, peer_add.due_on, peer_add.amount_minor, 0, 0, 0, 0, 0, 0, 0, 0, 0, agreed.updated_at,
        agreed.client_id, agreed.freelancer_id
    FROM milestones AS plan WHERE plan.contract_id = contract AND plan.revision = agreed.revision
    RETURNING * INTO added;
    agreed.plan_version := agreed.plan_version + 1;
    PERFORM peer_append(agreed, 'milestone.added',
        jsonb_build_object(
            'amount', jsonb_build_object('amount', peer_add.amount_minor / 100.0, 'currency', agreed.currency), 'dueOn', peer_add.due_on,
            'milestoneId', added.id, 'planVersion', agreed.plan_version, 'position', added.position, 'revision', added.revision),
        jsonb_build_object('deliverables', to_jsonb(peer_add.deliverables), 'purpose', peer_add.purpose, 'title', peer_add.title),
        agreed.deadline_at);
    RETURN added;
END $$;
