"""Kafka: events to topics, rows to topics and back, and how the broker does.

What belongs here: everything that speaks to a broker, one concern per file, on kafka-python. The
library is loaded when a client is opened, never before.
What does not: what an event says (market_data/ports/event_results.py,
market_data/pipeline/telemetry.py), where events wait (adapters/operations/outbox.py), grades
(market_data/operations).

    settings.py   the KAFKA_* variables, topics per dimension
    faults.py     what is wrong with them taken together
    clients.py    opening clients; their errors in the platform's words
    delivery.py   messages to the broker, acknowledged
    relay.py      from the outbox to the broker
    bridge.py     from the broker to a function, offsets committed afterwards
    refresh.py    messages that ask for a refresh, and sending them
    topics.py     which topics there must be, and making them
    lag.py        how far a consumer group is behind
    arrow.py      the form in which rows travel
    replay.py     stored rows to a topic
    reader.py     the rows of a topic as frames
    factory.py    opening all of it from settings
"""
