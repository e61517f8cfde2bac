"""The pure core of a contract: state, commands, events, and the functions between them. No database, no clock, no I/O.

`permit` tells whether a command may be tried at all, `decide` turns a command into events, `evolve` folds an event
into the state, `postings` names the money that an event moves and `deadlines` the clocks that run.
"""
