"""The tables hold by themselves what docs/law.md, section 6, asks for: each constraint is there, and refuses."""

from __future__ import annotations

from types import ModuleType
from typing import Final

import asyncpg
import pytest
from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField, TSVectorField
from tortoise.models import Model

from escrow import database, models
from escrow.models.facts import columns_of, key_of, table_of
from escrow.placement import PLACES
from tests.escrow.test_audit import busy
from tests.webhooks import tables as delivery_tables
from webhooks import models as delivery_models

HELD: Final = "state IN ('FUNDED', 'ACTIVE', 'SUBMITTED', 'CHANGES_REQUESTED')"

SESSION: Final = (
    "SELECT {id}, account_id, member_id, sha256('{secret}'), {code}, hint, fingerprint, scopes, NULL, origins, now(), now() "
    "FROM sessions"
)
"""A session like the one that there is, but for what is named."""

FORBIDDEN: Final = {
    "deployment_pkey": "INSERT INTO deployment DEFAULT VALUES",
    "deployment_is_one_row": "INSERT INTO deployment (id) VALUES (2)",
    "deployment_clock_is_not_behind": "INSERT INTO deployment (clock_offset) VALUES ('-1 s')",
    "deployment_client_fee": "UPDATE deployment SET client_fee_bps = 10001",
    "deployment_freelancer_fee": "UPDATE deployment SET freelancer_fee_bps = -1",
    "archives_pkey": "INSERT INTO archives SELECT 'log', 1, 'x', 1, '1', '1', 'x' FROM generate_series(1, 2)",
    "archives_kind": "INSERT INTO archives VALUES ('words', 1, 'x', 1, '1', '1', 'x')",
    "archives_number": "INSERT INTO archives VALUES ('log', 0, 'x', 1, '1', '1', 'x')",
    "event_types_pkey": "INSERT INTO event_types TABLE event_types",
    "accounts_pkey": "INSERT INTO accounts SELECT * FROM accounts WHERE NOT is_operator",
    "accounts_type": "UPDATE accounts SET type = 'ROBOT'",
    "accounts_operator_is_no_mediator": "UPDATE accounts SET is_mediator = true",
    "accounts_rate": "UPDATE accounts SET points_per_second = 0",
    "accounts_version": "UPDATE accounts SET version = 0",
    "accounts_one_operator": "UPDATE accounts SET is_operator = true WHERE NOT is_mediator",
    "members_pkey": "INSERT INTO members SELECT id, account_id, person || 'x', name, role, added_at FROM members",
    "members_account": "UPDATE members SET account_id = 'acc_0'",
    "members_role": "UPDATE members SET role = 'KING'",
    "members_once_in_an_account": "INSERT INTO members SELECT 'mem_0', account_id, person, name, role, added_at FROM members",
    "api_keys_pkey": "INSERT INTO api_keys SELECT id, account_id, member_id, sha256('x'), hint, name, scopes, NULL, now() "
    "FROM api_keys",
    "api_keys_account": "UPDATE api_keys SET account_id = 'acc_0'",
    "api_keys_member": "UPDATE api_keys SET member_id = 'mem_0'",
    "api_keys_secret_is_unique": "INSERT INTO api_keys SELECT 'key_0', account_id, member_id, secret_sha256, hint, name, "
    "scopes, NULL, now() FROM api_keys",
    "api_keys_secret_is_a_digest": "UPDATE api_keys SET secret_sha256 = 'x'",
    "api_keys_scopes": "UPDATE api_keys SET scopes = ARRAY['everything']",
    "sessions_pkey": "INSERT INTO sessions " + SESSION.format(id="id", secret="y", code="NULL"),
    "sessions_account": "UPDATE sessions SET account_id = 'acc_0'",
    "sessions_member": "UPDATE sessions SET member_id = 'mem_0'",
    "sessions_secret_is_unique": "INSERT INTO sessions " + SESSION.format(id="'ses_0'", secret="x", code="NULL"),
    "sessions_by_code": "INSERT INTO sessions " + SESSION.format(id="'ses_0'", secret="y", code="sha256('x')"),
    "sessions_secret_is_a_digest": "UPDATE sessions SET secret_sha256 = 'x'",
    "sessions_code_is_a_digest": "UPDATE sessions SET code_sha256 = 'x'",
    "sessions_scopes": "UPDATE sessions SET scopes = ARRAY['everything']",
    "sessions_wait_by_a_code": "UPDATE sessions SET code_sha256 = NULL, opens_for_seconds = 60",
    "payees_pkey": "INSERT INTO payees TABLE payees",
    "payees_account": "UPDATE payees SET account_id = 'acc_0'",
    "payees_are_known_to_be_paid": "UPDATE payees SET payee_id = NULL, can_be_paid = true",
    "endpoints_pkey": "INSERT INTO endpoints TABLE endpoints",
    "endpoints_account": "UPDATE endpoints SET account_id = 'acc_0'",
    "endpoints_event_types": "UPDATE endpoints SET event_types = '{}'",
    "endpoints_contracts": "UPDATE endpoints SET contract_ids = '{}'",
    "endpoints_version": "UPDATE endpoints SET version = 0",
    "endpoints_reason": "UPDATE endpoints SET disabled_at = now()",
    "endpoint_secrets_pkey": "INSERT INTO endpoint_secrets TABLE endpoint_secrets",
    "endpoint_secrets_endpoint": "UPDATE endpoint_secrets SET endpoint_id = 'whe_0'",
    "endpoint_secrets_fingerprint": "UPDATE endpoint_secrets SET fingerprint = 'x'",
    "endpoint_secrets_algorithm": "UPDATE endpoint_secrets SET algorithm = 'ROT13'",
    "endpoint_secrets_public_key": "UPDATE endpoint_secrets SET public_key = 'x'",
    "contracts_pkey": "INSERT INTO contracts TABLE contracts",
    "contracts_client": "UPDATE contracts SET client_id = 'acc_0'",
    "contracts_freelancer": "UPDATE contracts SET freelancer_id = 'acc_0'",
    "contracts_parties_differ": "UPDATE contracts SET client_id = freelancer_id",
    "contracts_state": "UPDATE contracts SET state = 'FORGOTTEN'",
    "contracts_currency": "UPDATE contracts SET currency = 'usd'",
    "contracts_budget": "UPDATE contracts SET budget_minor = 0",
    "contracts_deposit_term": "UPDATE contracts SET deposit_term = 'SOME'",
    "contracts_written_by": "UPDATE contracts SET written_by = 'OPERATOR'",
    "contracts_windows": "UPDATE contracts SET review_hours = 47",
    "contracts_client_fee": "UPDATE contracts SET client_fee_bps = -1",
    "contracts_freelancer_fee": "UPDATE contracts SET freelancer_fee_bps = 10001",
    "contracts_counters": "UPDATE contracts SET revision = 0",
    "milestones_pkey": "INSERT INTO milestones TABLE milestones",
    "milestones_contract": "UPDATE milestones SET contract_id = 'ctr_0' WHERE state = 'PLANNED' "
    "AND NOT EXISTS (SELECT FROM updates WHERE milestone_id = milestones.id)",
    "milestones_deposit": "UPDATE milestones SET deposit_id = 'dep_0'",
    "milestones_one_in_each_place": "UPDATE milestones SET position = 1",
    "milestones_position": "UPDATE milestones SET position = 0",
    "milestones_state": "UPDATE milestones SET state = 'LOST' WHERE held_minor = 0",
    "milestones_amount": "UPDATE milestones SET amount_minor = 0 WHERE held_minor = 0",
    "milestones_nothing_is_negative": "UPDATE milestones SET released_minor = -1",
    "milestones_held_is_the_amount": f"UPDATE milestones SET held_minor = amount_minor - 1 WHERE {HELD}",
    "milestones_else_hold_nothing": "UPDATE milestones SET held_minor = 1 WHERE state = 'RELEASED'",
    "milestones_review_clock_runs_when_submitted": "UPDATE milestones SET review_due_at = now() WHERE state = 'PLANNED'",
    "milestones_reminded": "UPDATE milestones SET reminded_hours = 12 WHERE state = 'PLANNED'",
    "deposits_pkey": "INSERT INTO deposits SELECT id, contract_id, id, revision, state, parts, charge_minor, currency, "
    "returned, started_at, due_at, is_bonus, reversal, reversed_at, is_for_everything, forfeited_minor FROM deposits",
    "deposits_contract": "INSERT INTO deposits SELECT 'dep_0', 'ctr_0', 'pay_0', revision, state, parts, charge_minor, currency, "
    "returned, started_at, due_at FROM deposits WHERE reversal IS NULL LIMIT 1",
    "deposits_order": "UPDATE deposits SET order_id = id",
    "deposits_order_in_contract": "UPDATE deposits SET order_id = 'pay_0'",
    "deposits_state": "UPDATE deposits SET state = 'LOST' WHERE reversal IS NULL",
    "deposits_charge": "UPDATE deposits SET charge_minor = 0",
    "deposits_currency": "UPDATE deposits SET currency = ''",
    "deposits_parts": "UPDATE deposits SET parts = '[]'",
    "deposits_returned": "UPDATE deposits SET returned = '{}'",
    "submissions_pkey": "INSERT INTO submissions SELECT id, contract_id, milestone_id, 99, '', '{}', '[]', now() "
    "FROM submissions",
    "submissions_contract": "UPDATE submissions SET contract_id = 'ctr_0'",
    "submissions_milestone": "UPDATE submissions SET milestone_id = id",
    "submissions_numbers_in_contract": "INSERT INTO submissions SELECT 'sub_0', contract_id, milestone_id, number, '', '{}', "
    "'[]', now() FROM submissions",
    "submissions_number": "UPDATE submissions SET number = 0",
    "submissions_attachments": "UPDATE submissions SET attachments = '{}'",
    "contracts_ending": "UPDATE contracts SET ending_money_went_back = NULL WHERE ending_by IS NOT NULL",
    "contracts_end_is_of_an_agreement": "UPDATE contracts SET ending_by = 'CLIENT', ending_requested_at = now(), "
    "ending_money_went_back = false, state = 'COMPLETED'",
    "contracts_updates": "UPDATE contracts SET updates_posted = 1001",
    "milestones_hold": "UPDATE milestones SET hold = 'HANDS', hold_id = 'x' WHERE held_minor > 0",
    "milestones_hold_is_named": "UPDATE milestones SET hold_id = 'dsp_0' WHERE hold = 'NONE'",
    "milestones_only_money_is_on_hold": "UPDATE milestones SET hold = 'DISPUTE', hold_id = 'dsp_0' WHERE state = 'PLANNED'",
    "milestones_only_money_is_frozen": "UPDATE milestones SET frozen_at = now() WHERE state = 'PLANNED'",
    "milestones_only_money_is_held_until": "UPDATE milestones SET hold_until = now() WHERE held_minor = 0",
    "milestones_only_a_limit_is_told": "UPDATE milestones SET hold_told_hours = 24",
    "milestones_only_a_review_stands_still": "UPDATE milestones SET review_frozen_at = now() WHERE state = 'ACTIVE'",
    "milestones_lots_are_what_is_held": "UPDATE milestones SET lots = '[]' WHERE held_minor > 0",
    "milestones_what_left_is_not_negative": "UPDATE milestones SET lost_minor = -1",
    "milestones_bonus": "UPDATE milestones SET bonus_minor = 1, bonus_deposit_id = NULL",
    "milestones_bonus_deposit": "UPDATE milestones SET bonus_deposit_id = 'dep_0'",
    "deposits_reversal": "UPDATE deposits SET reversal = 'PERHAPS', reversed_at = now() WHERE state = 'CONFIRMED'",
    "deposits_only_what_came_is_reversed": "UPDATE deposits SET reversal = 'OPEN', reversed_at = now(), returned = '[]' "
    "WHERE state = 'FAILED'",
    "deposits_restored": "UPDATE deposits SET restored_minor = forfeited_minor + 1",
    "deposits_evidence_is_for_a_reversal": "UPDATE deposits SET evidence_due_at = now() WHERE reversal IS NULL",
    "provider_movements_pkey": "INSERT INTO provider_movements TABLE provider_movements",
    "provider_movements_add_up": "UPDATE provider_movements SET net_minor = net_minor + 1",
    "provider_movements_changed": "UPDATE provider_movements SET changed_minor = 1, changed_currency = NULL",
    "reconciliation_differences_pkey": "INSERT INTO reconciliation_differences TABLE reconciliation_differences",
    "reconciliation_differences_kind": "UPDATE reconciliation_differences SET kind = 'GUESS'",
    "reconciliation_differences_differ": "UPDATE reconciliation_differences SET provider_minor = ledger_minor",
    "costs_pkey": "INSERT INTO costs TABLE costs",
    "costs_contract": "UPDATE costs SET contract_id = 'ctr_0'",
    "costs_are_positive": "UPDATE costs SET fee_minor = 0",
    "costs_have_currencies": "UPDATE costs SET fee_minor = NULL",
    "costs_exchanges_have_two_sides": "UPDATE costs SET got_currency = given_currency",
    "costs_say_something": "UPDATE costs SET fee_minor = NULL, fee_currency = NULL, given_minor = NULL, given_currency = NULL, "
    "got_minor = NULL, got_currency = NULL",
    "refund_requests_pkey": "INSERT INTO refund_requests SELECT id, contract_id, milestone_id, 'WITHDRAWN', 1, false, now(), "
    "now(), now(), '', '' FROM refund_requests",
    "refund_requests_contract": "INSERT INTO refund_requests SELECT 'ref_0', 'ctr_0', milestone_id, 'WITHDRAWN', 1, false, "
    "now(), now(), now(), '', '' FROM refund_requests LIMIT 1",
    "refund_requests_milestone": "UPDATE refund_requests SET milestone_id = id",
    "refund_requests_state": "UPDATE refund_requests SET state = 'LOST'",
    "refund_requests_amount": "UPDATE refund_requests SET amount_minor = 0",
    "refund_requests_one_holds_in_contract": "INSERT INTO refund_requests SELECT 'ref_0', contract_id, milestone_id, 'OPEN', "
    "1, false, now(), now(), now(), '', '' FROM refund_requests WHERE state = 'OPEN' LIMIT 1",
    "disputes_pkey": "INSERT INTO disputes SELECT id, contract_id, milestone_id, 'WITHDRAWN', 'CLIENT', 0, now(), now(), now(), "
    "false, NULL, 0, 0, 0, NULL, NULL, false, false, NULL, '', '' FROM disputes",
    "disputes_contract": "INSERT INTO disputes SELECT 'dsp_0', 'ctr_0', milestone_id, 'WITHDRAWN', 'CLIENT', 0, now(), now(), "
    "now(), false, NULL, 0, 0, 0, NULL, NULL, false, false, NULL, '', '' FROM disputes LIMIT 1",
    "disputes_milestone": "UPDATE disputes SET milestone_id = id",
    "disputes_answered_request": "UPDATE disputes SET answers_refund_id = 'ref_0'",
    "disputes_state": "UPDATE disputes SET state = 'LOST' WHERE state = 'WITHDRAWN'",
    "disputes_opened_by": "UPDATE disputes SET opened_by = 'OPERATOR'",
    "disputes_nothing_is_negative": "UPDATE disputes SET client_offer_minor = -1",
    "disputes_evidence": "UPDATE disputes SET client_evidence = 251",
    "disputes_outcome_is_told_once_resolved": "UPDATE disputes SET to_freelancer_minor = 0 WHERE state = 'MEDIATION'",
    "disputes_one_holds_in_contract": "INSERT INTO disputes SELECT 'dsp_0', contract_id, milestone_id, 'OPEN', 'CLIENT', 0, "
    "now(), now(), now(), false, NULL, 0, 0, 0, NULL, NULL, false, false, NULL, '', '' FROM disputes "
    "WHERE state = 'MEDIATION' LIMIT 1",
    "evidence_pkey": "INSERT INTO evidence TABLE evidence",
    "evidence_contract": "UPDATE evidence SET contract_id = 'ctr_0'",
    "evidence_dispute": "UPDATE evidence SET dispute_id = 'dsp_0'",
    "evidence_side": "UPDATE evidence SET side = 'OPERATOR'",
    "evidence_number": "UPDATE evidence SET number = 251",
    "evidence_attachments": "UPDATE evidence SET attachments = '{}'",
    "change_requests_pkey": "INSERT INTO change_requests TABLE change_requests",
    "change_requests_contract": "UPDATE change_requests SET contract_id = 'ctr_0'",
    "change_requests_filed_by": "UPDATE change_requests SET filed_by = 'OPERATOR'",
    "change_requests_state": "UPDATE change_requests SET state = 'LOST'",
    "change_requests_changes": "UPDATE change_requests SET changes = '[]', words = '[]'",
    "change_requests_words": "UPDATE change_requests SET words = words || '[{}]'",
    "change_requests_plan_version": "UPDATE change_requests SET plan_version = 0",
    "updates_pkey": "INSERT INTO updates TABLE updates",
    "updates_contract": "UPDATE updates SET contract_id = 'ctr_0'",
    "updates_milestone": "UPDATE updates SET milestone_id = 'mil_0'",
    "updates_side": "UPDATE updates SET side = 'OPERATOR'",
    "updates_number": "UPDATE updates SET number = 0",
    "updates_attachments": "UPDATE updates SET attachments = '{}'",
    "deadlines_pkey": "INSERT INTO deadlines TABLE deadlines",
    "deadlines_contract": "UPDATE deadlines SET contract_id = 'ctr_0'",
    "deadlines_kind": "UPDATE deadlines SET kind = 'LUNCH'",
    "deadline_sweeps_pkey": "INSERT INTO deadline_sweeps TABLE deadline_sweeps",
    "deadline_sweeps_attempts": "UPDATE deadline_sweeps SET attempts = 0",
    "deadline_counts_pkey": "INSERT INTO deadline_counts TABLE deadline_counts",
    "deadline_counts_only_grow": "UPDATE deadline_counts SET total = 0",
    "payment_orders_pkey": "INSERT INTO payment_orders TABLE payment_orders",
    "payment_orders_contract": "INSERT INTO payment_orders (id, contract_id, kind, state, amount_minor, currency) "
    "VALUES ('pay_0', 'ctr_0', 'PAYOUT', 'STARTED', 1, 'USD')",
    "payment_orders_deposit": "UPDATE payment_orders SET deposit_id = 'dep_0'",
    "payment_orders_kind": "UPDATE payment_orders SET kind = 'GIFT'",
    "payment_orders_state": "UPDATE payment_orders SET state = 'LOST'",
    "payment_orders_amount": "UPDATE payment_orders SET amount_minor = 0",
    "payment_orders_currency": "UPDATE payment_orders SET currency = 'US'",
    "payment_orders_deposit_is_named": "UPDATE payment_orders SET deposit_id = NULL",
    "payment_orders_token": "INSERT INTO payment_orders (id, contract_id, kind, state, amount_minor, currency, payment_token) "
    "SELECT 'pay_0', contract_id, 'PAYOUT', 'STARTED', 1, 'USD', 'tok_ok' FROM payment_orders LIMIT 1",
    "payment_orders_known_as": "UPDATE payment_orders SET known_as = 'pay_0'",
    "payment_orders_attempts": "UPDATE payment_orders SET attempts = -1",
    "balances_pkey": "INSERT INTO balances TABLE balances",
    "balances_contract": "UPDATE balances SET contract_id = 'ctr_0'",
    "balances_are_of_one_contract": "UPDATE balances SET account = 'clearing:USD'",
    "balances_currency": "UPDATE balances SET currency = '$'",
    "balances_are_not_negative": "UPDATE balances SET balance_minor = -1",
    "sandbox_charges_pkey": "INSERT INTO sandbox_charges TABLE sandbox_charges",
    "sandbox_charges_kind": "UPDATE sandbox_charges SET kind = 'GIFT'",
    "sandbox_charges_amount": "UPDATE sandbox_charges SET amount_minor = 0",
    "sandbox_charges_by_key": "INSERT INTO sandbox_charges (id, key, order_id, group_id, kind, amount_minor, currency, outcome, "
    "notices, received) SELECT id || 'x', key, order_id, '', kind, 1, 'USD', 'x', '{}', false FROM sandbox_charges",
    "sandbox_charges_calls": "UPDATE sandbox_charges SET calls = -1",
    "provider_calls_pkey": "INSERT INTO provider_calls TABLE provider_calls",
    "provider_calls_order": "INSERT INTO provider_calls (contract_id, order_id, step, attempt) "
    "VALUES ('ctr_0', 'pay_0', 'REFUND', 1)",
    "provider_calls_step": "UPDATE provider_calls SET step = 'PRAY'",
    "provider_calls_attempt": "UPDATE provider_calls SET attempt = 0",
    "deposits_action": "UPDATE deposits SET action = 'DANCE'",
    "events_pkey": "INSERT INTO events TABLE events",
    "events_sequence_is_taken_once": "INSERT INTO events SELECT 'evt_0', stream_id, sequence, type, 1, now(), '', hash, "
    "previous_hash FROM events LIMIT 1",
    "events_sequence": "INSERT INTO events VALUES ('evt_0', 'ctr_0', 0, 'x', 1, now(), '', repeat('0', 64), repeat('0', 64))",
    "events_only_the_first_follows_none": "INSERT INTO events VALUES ('evt_0', 'ctr_0', 2, 'x', 1, now(), '', repeat('0', 64))",
    "events_hashes": "INSERT INTO events VALUES ('evt_0', 'ctr_0', 1, 'x', 1, now(), '', 'X')",
    "events_size": "INSERT INTO events VALUES ('evt_0', 'ctr_0', 1, 'x', 1, now(), repeat('x', 16385), repeat('0', 64))",
    "transfers_pkey": "INSERT INTO transfers TABLE transfers",
    "transfers_contract": "INSERT INTO transfers SELECT 'trf_0', 'ctr_0', event_id, debit, credit, 1, 'USD', now() "
    "FROM transfers LIMIT 1",
    "transfers_event": "INSERT INTO transfers SELECT 'trf_0', contract_id, 'evt_0', debit, credit, 1, 'USD', now() "
    "FROM transfers LIMIT 1",
    "transfers_have_two_sides": "INSERT INTO transfers SELECT 'trf_0', contract_id, event_id, debit, debit, 1, 'USD', now() "
    "FROM transfers LIMIT 1",
    "transfers_amount": "INSERT INTO transfers SELECT 'trf_0', contract_id, event_id, debit, credit, 0, 'USD', now() "
    "FROM transfers LIMIT 1",
    "transfers_currency": "INSERT INTO transfers SELECT 'trf_0', contract_id, event_id, debit, credit, 1, 'Usd', now() "
    "FROM transfers LIMIT 1",
    "texts_pkey": "INSERT INTO texts TABLE texts",
    "texts_event": "INSERT INTO texts VALUES ('evt_0', 'title', repeat('x', 16)::bytea, '', NULL, 'ctr_0')",
    "texts_salt": "INSERT INTO texts SELECT id, 'x', 'short', '', NULL, stream_id FROM events",
    "texts_are_there_or_erased": "INSERT INTO texts SELECT id, 'x', repeat('x', 16)::bytea, NULL, NULL, stream_id FROM events",
    "log_pending_pkey": "INSERT INTO log_pending OVERRIDING SYSTEM VALUE "
    "SELECT serial, 'x' || event_id, stream_id FROM log_pending",
    "log_pending_event": "INSERT INTO log_pending (stream_id, event_id) VALUES ('ctr_0', 'evt_0')",
    "log_pending_once_in_contract": "INSERT INTO log_pending (stream_id, event_id) SELECT stream_id, event_id FROM log_pending",
    "log_cuts_pkey": "INSERT INTO log_cuts TABLE log_cuts",
    "log_cuts_leave_nothing_out": "UPDATE log_cuts SET kept_position = first_position",
    "log_positions_pkey": "INSERT INTO log_positions SELECT position, 'x' || event_id, stream_id FROM log_positions",
    "log_positions_event": "INSERT INTO log_positions VALUES (99999, 'evt_0', 'ctr_0')",
    "log_positions_once": "INSERT INTO log_positions SELECT position + 99999, event_id, stream_id FROM log_positions",
    "log_positions_start_at_one": "INSERT INTO log_positions SELECT -position, 'x' || event_id, stream_id FROM log_positions",
    "idempotency_keys_pkey": "INSERT INTO idempotency_keys TABLE idempotency_keys",
    "idempotency_keys_account": "UPDATE idempotency_keys SET account_id = 'acc_0'",
    "idempotency_keys_contract": "UPDATE idempotency_keys SET contract_id = 'ctr_0'",
    "idempotency_keys_input_is_a_digest": "UPDATE idempotency_keys SET input_sha256 = ''",
    "idempotency_keys_result": "UPDATE idempotency_keys SET result = '[]'",
    "external_references_pkey": "INSERT INTO external_references SELECT account_id, subject_id, system, 'other', url, "
    "contract_id, milestone_id FROM external_references",
    "external_references_name_one_thing": "INSERT INTO external_references SELECT account_id, milestones.id, system, "
    "external_id, url, contract_id, milestones.id FROM external_references JOIN milestones USING (contract_id) LIMIT 1",
    "external_references_account": "UPDATE external_references SET account_id = 'acc_0'",
    "external_references_contract": "UPDATE external_references SET contract_id = 'ctr_0', subject_id = 'ctr_0'",
    "external_references_milestone": "UPDATE external_references SET milestone_id = 'mil_0', subject_id = 'mil_0'",
    "external_references_subject": "UPDATE external_references SET subject_id = account_id",
    "external_references_system": "UPDATE external_references SET system = 'My Tool'",
    "calendar_tokens_pkey": "INSERT INTO calendar_tokens SELECT owner_id, account_id, member_id, sha256('y') "
    "FROM calendar_tokens",
    "calendar_tokens_token_is_unique": "INSERT INTO calendar_tokens SELECT id, account_id, id, token_sha256 "
    "FROM calendar_tokens JOIN members USING (account_id)",
    "calendar_tokens_account": "UPDATE calendar_tokens SET account_id = 'acc_0', owner_id = 'acc_0'",
    "calendar_tokens_member": "UPDATE calendar_tokens SET member_id = 'mem_0', owner_id = 'mem_0'",
    "calendar_tokens_owner": "UPDATE calendar_tokens SET owner_id = 'x'",
    "documents_pkey": "INSERT INTO documents TABLE documents",
    "documents_digest": "UPDATE documents SET text = 'x'",
    "calendar_tokens_token_is_a_digest": "UPDATE calendar_tokens SET token_sha256 = 'x'",
    "titles_pkey": "INSERT INTO titles TABLE titles",
    "couplings_pkey": "INSERT INTO couplings TABLE couplings",
    "couplings_name": "UPDATE couplings SET name = 'A name' WHERE name = 'two'",
    "couplings_state": "UPDATE couplings SET state = 'ODD'",
    "couplings_poll": "UPDATE couplings SET poll_seconds = 0",
    "couplings_lease": "UPDATE couplings SET lease_token = 'x'",
    "coupled_pairs_pkey": "INSERT INTO coupled_pairs TABLE coupled_pairs",
    "coupled_pairs_coupling": "UPDATE coupled_pairs SET coupling = 'three'",
    "coupled_writings_pkey": "INSERT INTO coupled_writings TABLE coupled_writings",
    "coupled_writings_coupling": "UPDATE coupled_writings SET coupling = 'three'",
    "operator_acts_pkey": "INSERT INTO operator_acts OVERRIDING SYSTEM VALUE TABLE operator_acts",
    "operator_acts_size": "INSERT INTO operator_acts (act, trace_id) VALUES (repeat('x', 101), 'x')",
    "operator_act_ends_pkey": "INSERT INTO operator_act_ends TABLE operator_act_ends",
    "operator_act_ends_act": "INSERT INTO operator_act_ends (act_id) VALUES (0)",
    "operator_act_ends_size": "INSERT INTO operator_act_ends (act_id, code) VALUES (-1, repeat('x', 101))",
    "refused_credentials_pkey": "INSERT INTO refused_credentials OVERRIDING SYSTEM VALUE TABLE refused_credentials",
    "refused_credentials_times": "INSERT INTO refused_credentials (since, reason, times) VALUES (now(), 'x', 0)",
    "refused_credentials_size": "INSERT INTO refused_credentials (since, reason, times) VALUES (now(), repeat('x', 101), 1)",
    **delivery_tables.FORBIDDEN,
}  # fmt: skip
"""By the name of the constraint or unique index: a statement that nothing else refuses."""

CHANGES: Final = {
    "events_are_immutable": ["UPDATE events SET type = type", "DELETE FROM events", "TRUNCATE events CASCADE"],
    "transfers_are_immutable": ["UPDATE transfers SET amount_minor = 1", "DELETE FROM transfers", "TRUNCATE transfers"],
    "log_positions_are_immutable": [
        "UPDATE log_positions SET position = position + 1",
        "DELETE FROM log_positions WHERE position = 1",
        "TRUNCATE log_positions",
    ],
    "texts_are_never_deleted": ["DELETE FROM texts", "TRUNCATE texts"],
    "texts_can_only_be_erased": [
        "UPDATE texts SET body = '\"x\"'",
        "UPDATE texts SET field = field || 'x'",
        "UPDATE texts SET salt = repeat('x', 16)::bytea",
    ],
    "operator_acts_are_immutable": [
        "UPDATE operator_acts SET act = 'x'",
        "DELETE FROM operator_acts",
        "TRUNCATE operator_acts CASCADE",
    ],
    "operator_act_ends_are_immutable": [
        "UPDATE operator_act_ends SET code = 'x'",
        "DELETE FROM operator_act_ends",
        "TRUNCATE operator_act_ends",
    ],
    "refused_credentials_are_immutable": [
        "UPDATE refused_credentials SET times = 1",
        "DELETE FROM refused_credentials",
        "TRUNCATE refused_credentials",
    ],
    "deployment_is_never_deleted": ["DELETE FROM deployment", "TRUNCATE deployment"],
    "deployment_clock_only_grows": ["UPDATE deployment SET clock_offset = clock_offset - interval '1 second'"],
}
"""By the name of the trigger: what it refuses."""

KEEPERS: Final = {
    "contracts_title_is_kept", "contracts_title_is_kept_up", "milestones_title_is_kept", "milestones_title_is_kept_up",
    "texts_withheld_are_never_kept", "payment_orders_forget_their_token",
    "payment_orders_are_looked_at_when_they_turn",
}  # fmt: skip
"""Triggers that refuse nothing: they keep the words by which titles are found, let go of payment tokens, and wake workers."""

FILLED: Final = (
    """
INSERT INTO external_references SELECT client_id, id, 'jira', 'EA-1', NULL, id FROM contracts LIMIT 1;
INSERT INTO calendar_tokens SELECT account_id, account_id, NULL, sha256('x') FROM members LIMIT 1;
INSERT INTO documents VALUES (encode(sha256('{ viewer { role } }'), 'hex'), 'x', '{ viewer { role } }', now());
INSERT INTO sandbox_charges (id, key, order_id, group_id, kind, amount_minor, currency, outcome, notices, received)
    SELECT id, id, id, contract_id, kind, amount_minor, currency, 'x', '{}', false FROM payment_orders;
INSERT INTO provider_calls (contract_id, order_id, step, attempt) SELECT contract_id, id, 'REFUND', 1 FROM payment_orders;
INSERT INTO idempotency_keys (account_id, key, input_sha256, result, contract_id)
    SELECT client_id, id, sha256('x'), '{}', id FROM contracts;
INSERT INTO payees (account_id, provider, can_be_paid, missing, since)
    SELECT id, 'sandbox', false, '{}', now() FROM accounts WHERE is_operator;
INSERT INTO endpoints (id, account_id, url, description, event_types, api_version, version, created_at)
    SELECT 'whe_1', id, 'https://example.com', '', '{*}', 'x', 1, now() FROM accounts WHERE is_operator;
INSERT INTO endpoint_secrets (endpoint_id, fingerprint, algorithm, ciphertext, created_at)
    VALUES ('whe_1', repeat('0', 64), 'HMAC_SHA256', 'x', now());
INSERT INTO sessions (id, account_id, secret_sha256, code_sha256, hint, fingerprint, scopes, origins, created_at, expires_at)
    SELECT 'ses_1', id, sha256('x'), sha256('x'), 'x', 'x', '{}', '{}', now(), now() FROM accounts WHERE is_operator;
INSERT INTO deadline_sweeps SELECT id, now(), 'x', 1 FROM contracts;
INSERT INTO deadline_counts VALUES ('failed', 1);
INSERT INTO couplings (name, tool, contract_id, earnest_url, place, treaty, secrets, poll_seconds, state, created_at, due_at)
    SELECT name, 'jira', 'ctr_1', 'http://x', '{}', '{}', 'x', 1, 'ACTIVE', now(), now() FROM unnest('{one,two}'::text[]) AS name;
INSERT INTO coupled_pairs VALUES ('one', 'mil_1', '1', '{}');
INSERT INTO coupled_writings VALUES ('one', 'mil_1', '1', '{}', false);
INSERT INTO operator_acts (act, trace_id) VALUES ('x', 'x');
INSERT INTO operator_act_ends (act_id) SELECT id FROM operator_acts ORDER BY id DESC LIMIT 1;
INSERT INTO refused_credentials (since, reason, times) VALUES (now(), 'x', 1);
UPDATE deployment SET clock_offset = '1 day';
"""
    + delivery_tables.FILLED
)
"""A row in the tables that a busy contract leaves empty."""


@pytest.mark.usefixtures("database")
async def test_the_database_refuses_what_each_constraint_forbids() -> None:
    await busy(quarrelling=True)
    await database.execute(FILLED)
    refused_by: dict[str, object] = {}
    for name, sql in FORBIDDEN.items():
        try:
            refused_by[name] = await database.execute(sql)
        except asyncpg.IntegrityConstraintViolationError as error:
            refused_by[name] = error.constraint_name
    assert {name: by for name, by in refused_by.items() if name != by} == {}


@pytest.mark.usefixtures("database")
async def test_what_must_never_change_cannot() -> None:
    await busy(quarrelling=True)
    await database.execute(FILLED)
    before = [
        await database.fetch(f"SELECT * FROM {table}") for table in ("events", "transfers", "texts", "deployment")
    ]
    for statements in CHANGES.values():
        for sql in statements:
            with pytest.raises(asyncpg.RestrictViolationError):
                await database.execute(sql)
    after = [await database.fetch(f"SELECT * FROM {table}") for table in ("events", "transfers", "texts", "deployment")]
    assert before == after


@pytest.mark.usefixtures("database")
async def test_an_erased_text_stays_erased() -> None:
    await busy()
    await database.execute("UPDATE texts SET body = NULL, salt = NULL, erased_at = now() WHERE erased_at IS NULL")
    for again in ("body = NULL, erased_at = now()", "body = '1', salt = repeat('x', 16)::bytea, erased_at = NULL"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await database.execute(f"UPDATE texts SET {again}")


@pytest.mark.usefixtures("database")
async def test_every_constraint_and_trigger_is_named_and_tried() -> None:
    constraints = await database.fetch(
        "SELECT conname AS name FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n' "
        "UNION SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
        "WHERE indisunique AND relnamespace = 'public'::regnamespace"
    )
    names = {row["name"] for row in constraints if "tortoise_mi" not in row["name"]}
    wider = {twin for place in PLACES.values() for twin in place.narrow.values()}
    assert names - wider == set(FORBIDDEN)  # `test_partitioned` tries the wider ones, where the narrow ones are gone
    triggers = await database.fetch("SELECT tgname AS name FROM pg_trigger WHERE NOT tgisinternal")
    assert {row["name"] for row in triggers} == set(CHANGES) | KEEPERS
    validated = await database.fetch("SELECT conname FROM pg_constraint WHERE NOT convalidated OR NOT conenforced")
    assert validated == []


INDEXES: Final = {
    "accounts_mediators", "api_keys_by_account", "api_keys_by_maker", "sessions_living",
    "sessions_by_maker", "payment_orders_with_token",
    "balances_in_contract", "contracts_by_client",
    "contracts_by_freelancer", "deadlines_due", "deposits_in_contract", "deposits_started",
    "contracts_by_client_deadline", "contracts_by_client_state", "contracts_by_client_update", "contracts_by_deadline",
    "contracts_by_freelancer_deadline", "contracts_by_freelancer_state", "contracts_by_freelancer_update",
    "contracts_by_parties", "log_positions_by_client", "log_positions_by_freelancer", "milestones_by_client_deadline",
    "milestones_by_client_due", "milestones_by_client_state", "milestones_by_client_update", "milestones_by_deadline",
    "milestones_by_freelancer_deadline", "milestones_by_freelancer_due", "milestones_by_freelancer_state",
    "milestones_by_freelancer_update", "titles_by_word", "titles_by_edition",
    "endpoint_secrets_public",
    "endpoints_by_account",
    "idempotency_keys_passing", "log_positions_by_stream", "members_by_account", "members_by_person",
    "provider_calls_by_provider_id", "payment_orders_stuck", "sandbox_charges_by_order",
    "payment_orders_in_contract", "payment_orders_due", "payment_orders_started", "submissions_in_contract",
    "transfers_in_contract", "transfers_by_event", "contracts_disputed", "deposits_reversed", "refund_requests_in_contract",
    "refund_requests_by_milestone", "refund_requests_open", "disputes_in_contract", "disputes_by_milestone",
    "disputes_undecided", "disputes_in_mediation", "evidence_in_contract", "evidence_in_order",
    "change_requests_in_contract", "change_requests_open", "updates_by_milestone", "couplings_due",
    *delivery_tables.INDEXES,
}  # fmt: skip


@pytest.mark.usefixtures("database")
async def test_every_index_that_a_hot_statement_needs_is_there() -> None:
    rows = await database.fetch("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")
    assert {row["indexname"] for row in rows} >= INDEXES


@pytest.mark.usefixtures("database")
async def test_identifiers_are_compared_by_bytes() -> None:
    rows = await database.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
        "AND data_type = 'text' AND (column_name = 'id' OR column_name LIKE '%\\_id') AND collation_name IS DISTINCT FROM 'C'"
    )
    assert rows == []


TYPES: Final[dict[type, str]] = {
    fields.CharField: "text",
    fields.TextField: "text",
    fields.IntField: "integer",
    fields.SmallIntField: "smallint",
    fields.BigIntField: "bigint",
    fields.BooleanField: "boolean",
    fields.DatetimeField: "timestamp with time zone",
    fields.DateField: "date",
    fields.TimeDeltaField: "interval",
    fields.BinaryField: "bytea",
    fields.JSONField: "jsonb",
    fields.FloatField: "real",
    fields.UUIDField: "uuid",
    ArrayField: "ARRAY",
    TSVectorField: "tsvector",
}


@pytest.mark.usefixtures("database")
async def test_models_are_the_tables() -> None:
    rows = await database.fetch(
        "SELECT table_name, column_name, data_type, is_nullable = 'YES' AS nullable FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name <> 'tortoise_migrations'"
    )
    tables = {(row["table_name"], row["column_name"]): (row["data_type"], row["nullable"]) for row in rows}
    described: dict[tuple[str, str], tuple[str, bool]] = {}
    for model in (*_models_of(models), *_models_of(delivery_models)):
        for name, column in columns_of(model).items():
            described[table_of(model), name] = (TYPES[type(column)], column.null)
    assert described == tables


@pytest.mark.usefixtures("database")
async def test_the_keys_of_models_are_those_of_the_tables() -> None:
    rows = await database.fetch(
        "SELECT relname, ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = indrelid AND attnum = ANY (indkey)) "
        "AS key FROM pg_index JOIN pg_class ON pg_class.oid = indrelid "
        "WHERE indisprimary AND relnamespace = 'public'::regnamespace AND relname <> 'tortoise_migrations'"
    )
    described = {table_of(model): set(key_of(model)) for model in _models_of(models)}
    assert described == {row["relname"]: set(row["key"]) for row in rows if row["relname"] in described}


def _models_of(module: ModuleType) -> list[type[Model]]:
    found = (one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Model))
    return [one for one in found if one is not Model]
