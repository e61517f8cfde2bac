"""What comes of each command on an account, a file for each noun; `escrow.accounts.decide` is the door."""
