"""The Stripe adapter, against the hostile stand-in and Stripe's own description of its API."""
