"""Moves money with Stripe: separate charges and transfers, on an account that is a Connect platform.

A deposit is a PaymentIntent of the platform, in the `transfer_group` of its contract; a refund is one of its charge; what a
freelancer earned goes to their own Stripe account by a Transfer, and from there to their bank by a Payout of that account.
`adapter` is the port's `Provider`, `client` the calls, `objects` what Stripe's objects say in the port's words, `amounts` its
currencies, `bookkeeping` its balance transactions, `signed` its notices. Only who chose Stripe imports any of it.
"""
