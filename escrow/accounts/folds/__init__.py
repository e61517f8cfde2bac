"""How events are folded into an account, a file for each noun; `escrow.accounts.evolve` is the door."""
