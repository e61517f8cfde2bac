"""Creates holds, refund requests, disputes with evidence, change requests, endings and reversals.

What milestones hold already came from the one deposit that funded them. Silences that last already are counted from the
contract's last event. The defaults let processes of the release before go on while this one is rolled out, but for what it
doesn't know of: the database refuses their funding a milestone, whose lots they would leave out.
"""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

CONTRACTS = """
ALTER TABLE contracts
    ADD COLUMN ending_by              TEXT,
    ADD COLUMN ending_requested_at    TIMESTAMPTZ,
    ADD COLUMN ending_money_went_back BOOLEAN,
    ADD COLUMN all_deposited          BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN was_disputed           BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN updates_posted         INT NOT NULL DEFAULT 0,
    ADD COLUMN is_dormant             BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN payouts_are_automatic  BOOLEAN NOT NULL DEFAULT false,
    ADD CONSTRAINT contracts_ending CHECK (
        ending_by IN ('CLIENT', 'FREELANCER') AND ending_requested_at IS NOT NULL AND ending_money_went_back IS NOT NULL
        OR ending_by IS NULL AND ending_requested_at IS NULL AND ending_money_went_back IS NULL),
    ADD CONSTRAINT contracts_end_is_of_an_agreement CHECK (ending_by IS NULL OR state IN ('ACTIVE', 'ENDED')),
    ADD CONSTRAINT contracts_updates CHECK (updates_posted BETWEEN 0 AND 1000);
CREATE INDEX contracts_disputed ON contracts (id) WHERE was_disputed;
"""

MILESTONES = """
CREATE FUNCTION lots_total(lots JSONB) RETURNS BIGINT LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT coalesce(sum((lot ->> 'amount_minor')::bigint + (lot ->> 'fee_minor')::bigint), 0)::bigint
    FROM jsonb_array_elements(lots) AS lot
$$;
COMMENT ON FUNCTION lots_total IS 'What a list of lots holds together, fees included';

ALTER TABLE milestones
    ADD COLUMN hold                    TEXT NOT NULL DEFAULT 'NONE',
    ADD COLUMN hold_id                 TEXT COLLATE "C",
    ADD COLUMN review_frozen_at        TIMESTAMPTZ,
    ADD COLUMN review_resumed_at       TIMESTAMPTZ,
    ADD COLUMN client_barred_until     TIMESTAMPTZ,
    ADD COLUMN freelancer_barred_until TIMESTAMPTZ,
    ADD COLUMN frozen_at               TIMESTAMPTZ,
    ADD COLUMN lots                    JSONB NOT NULL DEFAULT '[]',
    ADD COLUMN bonus_deposit_id        TEXT COLLATE "C",
    ADD COLUMN bonus_minor             BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN rolled_minor            BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN lost_minor              BIGINT NOT NULL DEFAULT 0,
    DROP CONSTRAINT milestones_reminded;
UPDATE milestones SET lots = jsonb_build_array(
    jsonb_build_object('deposit_id', deposit_id, 'amount_minor', held_minor, 'fee_minor', held_fee_minor))
WHERE held_minor > 0;
ALTER TABLE milestones
    ADD CONSTRAINT milestones_hold CHECK (hold IN ('NONE', 'REFUND_REQUEST', 'DISPUTE')),
    ADD CONSTRAINT milestones_hold_is_named CHECK ((hold = 'NONE') = (hold_id IS NULL)),
    ADD CONSTRAINT milestones_only_money_is_on_hold CHECK (
        hold = 'NONE' OR state IN ('FUNDED', 'ACTIVE', 'SUBMITTED', 'CHANGES_REQUESTED')),
    ADD CONSTRAINT milestones_only_money_is_frozen CHECK (
        frozen_at IS NULL OR state IN ('FUNDED', 'ACTIVE', 'SUBMITTED', 'CHANGES_REQUESTED')),
    ADD CONSTRAINT milestones_only_a_review_stands_still CHECK (review_frozen_at IS NULL OR state = 'SUBMITTED'),
    ADD CONSTRAINT milestones_lots_are_what_is_held CHECK (lots_total(lots) = held_minor + held_fee_minor),
    ADD CONSTRAINT milestones_what_left_is_not_negative CHECK (least(rolled_minor, lost_minor) >= 0),
    ADD CONSTRAINT milestones_bonus CHECK (bonus_minor >= 0 AND (bonus_minor = 0 OR bonus_deposit_id IS NOT NULL)),
    ADD CONSTRAINT milestones_bonus_deposit FOREIGN KEY (bonus_deposit_id) REFERENCES deposits (id),
    ADD CONSTRAINT milestones_reminded CHECK (
        reminded_hours IS NULL OR (reminded_hours > 0 AND (state IN ('FUNDING', 'SUBMITTED') OR hold <> 'NONE')));
COMMENT ON COLUMN milestones.hold_id IS 'The refund request or the dispute that holds it';
COMMENT ON COLUMN milestones.review_frozen_at IS 'Since when the review clock stands still; review_due_at is its former end';
COMMENT ON COLUMN milestones.frozen_at IS 'Since when a reversed deposit stops its clocks and its money';
COMMENT ON COLUMN milestones.lots IS 'Which deposits'' money it holds, the oldest first';
"""

DEPOSITS = """
ALTER TABLE deposits
    ADD COLUMN is_bonus          BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN reversal          TEXT,
    ADD COLUMN reversed_at       TIMESTAMPTZ,
    ADD COLUMN is_for_everything BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN forfeited_minor   BIGINT NOT NULL DEFAULT 0,
    ADD CONSTRAINT deposits_reversal CHECK (reversal IN ('OPEN', 'FORFEITED', 'WON', 'LOST')),
    ADD CONSTRAINT deposits_only_what_came_is_reversed CHECK (
        (reversal IS NULL) = (reversed_at IS NULL) AND (reversal IS NULL OR state = 'CONFIRMED')),
    ADD CONSTRAINT deposits_forfeited CHECK (
        forfeited_minor BETWEEN 0 AND charge_minor AND (forfeited_minor = 0 OR reversal IS NOT NULL));
CREATE INDEX deposits_reversed ON deposits (contract_id) WHERE reversal IN ('OPEN', 'FORFEITED');
"""

DISAGREEMENT = """
CREATE TABLE refund_requests (
    id               TEXT COLLATE "C" NOT NULL,
    contract_id      TEXT COLLATE "C" NOT NULL,
    milestone_id     TEXT COLLATE "C" NOT NULL,
    state            TEXT NOT NULL,
    amount_minor     BIGINT NOT NULL,
    by_ending        BOOLEAN NOT NULL,
    requested_at     TIMESTAMPTZ NOT NULL,
    due_at           TIMESTAMPTZ NOT NULL,
    clock_started_at TIMESTAMPTZ NOT NULL,
    message          TEXT NOT NULL,
    answer           TEXT NOT NULL,
    CONSTRAINT refund_requests_pkey PRIMARY KEY (id),
    CONSTRAINT refund_requests_contract FOREIGN KEY (contract_id) REFERENCES contracts (id),
    CONSTRAINT refund_requests_milestone FOREIGN KEY (milestone_id) REFERENCES milestones (id),
    CONSTRAINT refund_requests_state CHECK (
        state IN ('OPEN', 'ACCEPTED', 'DECLINED', 'WITHDRAWN', 'UNANSWERED', 'OVERTAKEN')),
    CONSTRAINT refund_requests_amount CHECK (amount_minor > 0)
);
CREATE UNIQUE INDEX refund_requests_one_holds_a_milestone ON refund_requests (milestone_id) WHERE state = 'OPEN';
CREATE INDEX refund_requests_by_milestone ON refund_requests (milestone_id, id);
CREATE INDEX refund_requests_by_contract ON refund_requests (contract_id, id);
CREATE INDEX refund_requests_open ON refund_requests (contract_id) WHERE state = 'OPEN';

CREATE TABLE disputes (
    id                     TEXT COLLATE "C" NOT NULL,
    contract_id            TEXT COLLATE "C" NOT NULL,
    milestone_id           TEXT COLLATE "C" NOT NULL,
    state                  TEXT NOT NULL,
    opened_by              TEXT NOT NULL,
    claim_minor            BIGINT NOT NULL,
    opened_at              TIMESTAMPTZ NOT NULL,
    due_at                 TIMESTAMPTZ NOT NULL,
    clock_started_at       TIMESTAMPTZ NOT NULL,
    silence_pays           BOOLEAN NOT NULL,
    answers_refund_id      TEXT COLLATE "C",
    overdue                INT NOT NULL,
    client_evidence        INT NOT NULL,
    freelancer_evidence    INT NOT NULL,
    client_offer_minor     BIGINT,
    freelancer_offer_minor BIGINT,
    client_withdraws       BOOLEAN NOT NULL,
    freelancer_withdraws   BOOLEAN NOT NULL,
    to_freelancer_minor    BIGINT,
    reason                 TEXT NOT NULL,
    explanation            TEXT NOT NULL,
    CONSTRAINT disputes_pkey PRIMARY KEY (id),
    CONSTRAINT disputes_contract FOREIGN KEY (contract_id) REFERENCES contracts (id),
    CONSTRAINT disputes_milestone FOREIGN KEY (milestone_id) REFERENCES milestones (id),
    CONSTRAINT disputes_answered_request FOREIGN KEY (answers_refund_id) REFERENCES refund_requests (id),
    CONSTRAINT disputes_state CHECK (state IN ('OPEN', 'MEDIATION', 'RESOLVED', 'WITHDRAWN')),
    CONSTRAINT disputes_opened_by CHECK (opened_by IN ('CLIENT', 'FREELANCER')),
    CONSTRAINT disputes_nothing_is_negative CHECK (
        least(claim_minor, client_offer_minor, freelancer_offer_minor, to_freelancer_minor, overdue) >= 0),
    CONSTRAINT disputes_evidence CHECK (client_evidence BETWEEN 0 AND 250 AND freelancer_evidence BETWEEN 0 AND 250),
    CONSTRAINT disputes_outcome_is_told_once_resolved CHECK ((state = 'RESOLVED') = (to_freelancer_minor IS NOT NULL))
);
CREATE UNIQUE INDEX disputes_one_holds_a_milestone ON disputes (milestone_id) WHERE state IN ('OPEN', 'MEDIATION');
CREATE INDEX disputes_by_milestone ON disputes (milestone_id, id);
CREATE INDEX disputes_by_contract ON disputes (contract_id, id);
CREATE INDEX disputes_undecided ON disputes (contract_id) WHERE state IN ('OPEN', 'MEDIATION');
CREATE INDEX disputes_in_mediation ON disputes (id) WHERE state = 'MEDIATION';
COMMENT ON COLUMN disputes.due_at IS 'OPEN: when silence has its effect; MEDIATION: when the operator is told next';

CREATE TABLE evidence (
    contract_id TEXT COLLATE "C" NOT NULL,
    dispute_id  TEXT COLLATE "C" NOT NULL,
    side        TEXT NOT NULL,
    number      INT NOT NULL,
    text        TEXT NOT NULL,
    links       TEXT[] NOT NULL,
    attachments JSONB NOT NULL,
    added_at    TIMESTAMPTZ NOT NULL,
    CONSTRAINT evidence_pkey PRIMARY KEY (dispute_id, side, number),
    CONSTRAINT evidence_contract FOREIGN KEY (contract_id) REFERENCES contracts (id),
    CONSTRAINT evidence_dispute FOREIGN KEY (dispute_id) REFERENCES disputes (id),
    CONSTRAINT evidence_side CHECK (side IN ('CLIENT', 'FREELANCER')),
    CONSTRAINT evidence_number CHECK (number BETWEEN 1 AND 250),
    CONSTRAINT evidence_attachments CHECK (jsonb_typeof(attachments) = 'array')
);
CREATE INDEX evidence_by_contract ON evidence (contract_id);
CREATE INDEX evidence_in_order ON evidence (dispute_id, added_at, side, number);

CREATE TABLE change_requests (
    id           TEXT COLLATE "C" NOT NULL,
    contract_id  TEXT COLLATE "C" NOT NULL,
    filed_by     TEXT NOT NULL,
    state        TEXT NOT NULL,
    changes      JSONB NOT NULL,
    words        JSONB NOT NULL,
    message      TEXT NOT NULL,
    filed_at     TIMESTAMPTZ NOT NULL,
    plan_version INT NOT NULL,
    CONSTRAINT change_requests_pkey PRIMARY KEY (id),
    CONSTRAINT change_requests_contract FOREIGN KEY (contract_id) REFERENCES contracts (id),
    CONSTRAINT change_requests_filed_by CHECK (filed_by IN ('CLIENT', 'FREELANCER')),
    CONSTRAINT change_requests_state CHECK (state IN ('OPEN', 'ACCEPTED', 'DECLINED', 'WITHDRAWN', 'STALE')),
    CONSTRAINT change_requests_changes CHECK (
        jsonb_typeof(changes) = 'array' AND jsonb_array_length(changes) BETWEEN 1 AND 50),
    CONSTRAINT change_requests_words CHECK (
        jsonb_typeof(words) = 'array' AND jsonb_array_length(words) IN (0, jsonb_array_length(changes))),
    CONSTRAINT change_requests_plan_version CHECK (plan_version >= 1)
);
CREATE INDEX change_requests_by_contract ON change_requests (contract_id, id);
CREATE INDEX change_requests_open ON change_requests (contract_id) WHERE state = 'OPEN';
COMMENT ON COLUMN change_requests.words IS 'The words of each change in their order; empty once they were erased';

CREATE TABLE updates (
    contract_id  TEXT COLLATE "C" NOT NULL,
    number       INT NOT NULL,
    side         TEXT NOT NULL,
    milestone_id TEXT COLLATE "C",
    message      TEXT NOT NULL,
    links        TEXT[] NOT NULL,
    attachments  JSONB NOT NULL,
    posted_at    TIMESTAMPTZ NOT NULL,
    CONSTRAINT updates_pkey PRIMARY KEY (contract_id, number),
    CONSTRAINT updates_contract FOREIGN KEY (contract_id) REFERENCES contracts (id),
    CONSTRAINT updates_milestone FOREIGN KEY (milestone_id) REFERENCES milestones (id),
    CONSTRAINT updates_side CHECK (side IN ('CLIENT', 'FREELANCER')),
    CONSTRAINT updates_number CHECK (number BETWEEN 1 AND 1000),
    CONSTRAINT updates_attachments CHECK (jsonb_typeof(attachments) = 'array')
);
CREATE INDEX updates_by_milestone ON updates (milestone_id, number);
"""

CLOCKS = """
ALTER TABLE deadlines
    DROP CONSTRAINT deadlines_kind,
    ADD CONSTRAINT deadlines_kind CHECK (
        kind IN ('OFFER', 'DEPOSIT', 'REVIEW', 'REFUND', 'DISPUTE', 'MEDIATION', 'REMINDER', 'DORMANCY'));

INSERT INTO deadlines (contract_id, kind, subject_id, due_at)
SELECT contract.id, 'DORMANCY', contract.id, contract.updated_at + interval '180 days'
FROM contracts AS contract
WHERE contract.state IN ('PROPOSED', 'ACTIVE')
    AND EXISTS (
        SELECT FROM milestones AS held WHERE held.contract_id = contract.id AND held.revision = contract.revision
        AND held.state IN ('FUNDED', 'ACTIVE', 'SUBMITTED', 'CHANGES_REQUESTED'))
    AND NOT EXISTS (SELECT FROM deadlines AS clock WHERE clock.contract_id = contract.id);
"""


PARTS = (CONTRACTS, DEPOSITS, MILESTONES, DISAGREEMENT, CLOCKS)


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0005_references")]
    operations: list[Operation] = [RunSQL(part) for part in PARTS]
