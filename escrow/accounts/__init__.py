"""Accounts: who the parties are, their members and API keys, and what the operator decides about them.

The same shape as `escrow.agreement`: commands are values, `decide` makes events of them or refuses, `evolve` folds
events into the state, and the tables are what the fold gives. `running` puts the database around it; `authentication`
tells whose key a token is; `queries` show what an actor may see; `escrow.audit.accounts` folds the log and compares.
"""
