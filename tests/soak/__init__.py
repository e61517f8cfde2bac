"""Many orders against the hostile stand-in for Stripe, with workers that are killed all the time.

At every quiet moment the stand-in's balance of the platform and the ledger's clearing account say the same, to the cent.
`make test` plays about a dozen orders; `make soak ARGS="orders --orders 100000"` as many as one likes, and prints the figures.
`coupling` does the like with project tools, and `deployment` with everything at once.
"""
