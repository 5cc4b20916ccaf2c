"""Interactive Brokers, through a running TWS or IB Gateway and the package ib_async.

What belongs here: the grammar of contracts (contracts.py), questions within IB's limits
(questions.py), what IB's codes mean (codes.py), one connection (conversation.py, listening.py,
inquiry.py) on a thread of its own (gateway.py), pacing and retries (client.py), from a message's
fields to frames (answers.py), and the vendor port (vendor.py).
What does not: counting requests (adapters/requests), de-adjusting prices
(market_data/corporate_actions), orders, accounts and live prices, of which nothing is ever asked.

ib_async opens the door: handshake, protocol versions, framing, at most 45 messages a second. Its
`IB` class stays outside: connecting, it asks for the positions and orders of the account; a
time-out comes back as an empty list, and so does half of a message that cannot be decoded; code 321
counts as a warning, after which nothing comes. So the fields of the messages are read here.

A payload of the archive proves what came, and is not read again for a replay: a message of bars
names neither its contract nor the unit of its prices; whether prices are pounds or pence IB says
in another message, which only a new question brings.
"""
