"""Plays a provider of quite another shape, which proves the port: `service` is the provider, `adapter` all that Earnest needs.

It has an escrow object of its own for each payment, which releases itself after some days; it has wallets instead of accounts;
a reference that was used is refused with 409 and nothing else; amounts are decimal texts; and it sends no notices, but can be
asked for news.
"""
