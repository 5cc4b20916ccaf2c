"""Failover: what is done while the warehouse's server does not answer, and afterwards.

What belongs here: the policy, the decisions that follow from looks at the server, the records of
what could not be written. Everything here is pure.
What does not: looking at a server (adapters/timescale), keeping records (adapters/operations),
making the missed slices (market_data/pipeline/missed.py).

The warehouse holds nothing that cannot be made from the lake and the operations database. So
failover is no second warehouse: fetching goes on into the lake, each slice that could not be
written is noted, readers are served from the lake, and afterwards the noted slices are made.
"""
