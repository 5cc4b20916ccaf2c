"""Real servers on loopback without Docker, for development and tests. Standard library only.

What belongs here: Redis, PostgreSQL, TimescaleDB and Apache Kafka as processes of this machine,
shared ones by `python3 docker/services up`, private ones for a test by the classes below.
What does not: how servers run in production (docker/compose.yaml).
"""

from services.errors import ServiceError
from services.kafka_broker import KafkaBroker
from services.postgres_server import PostgresServer
from services.redis_server import RedisServer
from services.server import Server
from services.timescale_server import TimescaleServer

SERVERS: tuple[type[Server], ...] = (TimescaleServer, PostgresServer, RedisServer, KafkaBroker)

__all__ = [
    "SERVERS",
    "KafkaBroker",
    "PostgresServer",
    "RedisServer",
    "Server",
    "ServiceError",
    "TimescaleServer",
]
