"""Plays Stripe, at its worst: what `escrow/payments/stripe` asks is answered from books of its own, over HTTP.

`books` holds what there is and what has happened; `payments`, `payouts`, `reversals` and `payees` are what can be asked, by the
nouns of Stripe's API; `hostility` says what goes wrong, by a seed; `notifications` signs and sends; `server` is the door, which
checks every request and every answer against Stripe's own description of its API (`description`).
"""
