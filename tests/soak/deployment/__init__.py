"""Everything at once, killed all the time: two web and two worker processes on one PostgreSQL and one Redis, with people who
command and ask, streams, mirrors, webhooks and a payment provider that loses answers.

`make soak` plays it and ends by itself. What it shows stands in `judging`; what is done to the deployment, in `blows`.
"""
