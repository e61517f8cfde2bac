"""How events are folded into a contract, by subject; ``escrow.agreement.evolve`` is the door."""
