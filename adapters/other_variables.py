"""Variables that something other than a settings class reads, and what it makes of them.

What belongs here: their names, for the documentation and against misspellings.
What does not: variables of the platform (settings classes), those of the tests (EMP_TEST_*).
"""

from __future__ import annotations

OTHERS = {
    "DAGSTER_HOME": "Dagster: folder of its records and of its dagster.yaml; without it dagster/ "
    "below the data folder",
    "DAGSTER_COMPUTE_LOGS": "docker/dagster.yaml: folder of what runs print",
    "DAGSTER_CODE_LOCATION_HOST": "docker/workspace.yaml: server of the code location, for the "
    "webserver and the daemon",
    "DAGSTER_CODE_LOCATION_PORT": "docker/workspace.yaml: its port",
    "DAGSTER_EVENT_BATCH_SIZE": "Dagster: how many events of a run it stores at once; one by one "
    "where it is not set; 1000 in docker/compose.yaml, in `emp dev` and in the commands of `emp`",
    "POSTGRES_PASSWORD": "docker/compose.yaml: password of PostgreSQL's user emp, who owns "
    "operations database and Dagster's records",
    "ALERT_WEBHOOK_URL": "config/alerts.yaml, where a route of that file names it, as the next "
    "four: address of a webhook, with its token",
    "ALERT_WEBHOOK_TOKEN": "bearer token of a webhook",
    "ALERT_SLACK_URL": "address of Slack's incoming webhook",
    "ALERT_PAGERDUTY_KEY": "routing key of PagerDuty",
    "ALERT_SMTP_PASSWORD": "password of the mail server's user",
    "EMP_IMAGE": "docker/compose.yaml, docker/build-image: name of the platform's image",
    "EMP_UI_PUBLISHED_PORT": "docker/compose.yaml: port of the Dagster UI on 127.0.0.1",
    "TIMESCALEDB_PUBLISHED_PORT": "docker/compose.yaml: port of TimescaleDB on 127.0.0.1",
    "POSTGRES_PUBLISHED_PORT": "docker/compose.yaml: port of PostgreSQL on 127.0.0.1",
    "REDIS_PUBLISHED_PORT": "docker/compose.yaml: port of Redis on 127.0.0.1",
    "KAFKA_PUBLISHED_PORT": "docker/compose.yaml: port of Kafka on 127.0.0.1",
    "EMP_SPARK_IMAGE": "docker/compose.spark.yaml: name of the platform's image with Spark",
    "SPARK_WORKER_CORES": "docker/compose.spark.yaml: processors of each worker",
    "SPARK_WORKER_MEMORY": "docker/compose.spark.yaml: memory of each worker",
    "SPARK_UI_PUBLISHED_PORT": "docker/compose.spark.yaml: port of the master's page on 127.0.0.1",
    "JAVA_HOME": "Spark: folder of the Java runtime; else the `java` on the path",
    "PYSPARK_PYTHON": "Spark: Python of the executors; this program's own unless set",
    "SPARK_CONF_DIR": "Spark: folder of spark-defaults.conf",
    "PYSPARK_SUBMIT_ARGS": "Spark: options as spark-submit takes them",
    "EMP_SERVICES_DIR": "`make services`, docker/build-image, docker/fetch-jdbc-driver: folder of "
    "downloads that are kept",
    "EMP_SERVICES_RUN_DIR": "`make services`: folder of the servers' data, logs and sockets",
}
"""By name: who reads it, and for what."""
