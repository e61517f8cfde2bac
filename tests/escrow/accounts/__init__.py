"""Accounts, tested: the rules as tables without a database, the writes on a real one."""
