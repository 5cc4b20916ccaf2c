"""Apache Kafka as one KRaft node, from the artifacts that Maven downloads.

What belongs here: the jars, the broker's configuration, its handshake.
What does not: topics and what is sent to them.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import socket
import struct
import tempfile
import uuid
from pathlib import Path

from services import packages
from services.folders import home, locked, make_folder, remove, say
from services.server import Command, Server

_POM = Path(__file__).parent / "kafka-pom.xml"
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
# One node keeps one copy of everything.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# A group of consumers starts at once; nobody else is about to join.
group.initial.rebalance.delay.ms=0
"""


class KafkaBroker(Server):
    """A Kafka broker that is its own controller, without encryption or passwords."""

    name = "kafka"
    ports = ("port", "controller")
    # After a kill it reads its logs again, and waits for its own registration to run out.
    patience = 120

    @classmethod
    def missing_packages(cls) -> list[str]:
        """A Java runtime, and Maven as long as the jars are not here."""
        missing = [] if shutil.which("java") else ["default-jre-headless"]
        if not cls.fetched() and shutil.which("mvn") is None:
            missing.append("maven")
        return missing

    @classmethod
    def fetched(cls) -> bool:
        """Whether the jars are here."""
        return cls.jars().is_dir()

    @classmethod
    def fetch(cls) -> None:
        """Lets Maven get the jars, whole or not at all."""
        with locked("kafka") as lock:
            if cls.fetched():
                return
            say("downloading Kafka with Maven")
            with tempfile.TemporaryDirectory(prefix="kafka-pom-") as folder:
                # Maven writes beside the file that it reads.
                shutil.copy(_POM, Path(folder) / "pom.xml")
                unfinished = home() / "kafka.unfinished"
                remove(unfinished)
                goal = "dependency:copy-dependencies"
                packages.run(
                    ["mvn", "-q", "-B", goal, f"-DoutputDirectory={unfinished}"],
                    "Maven's download of Kafka",
                    cwd=folder,
                    holding=[lock],
                )
            unfinished.rename(cls.jars())

    @classmethod
    def jars(cls) -> Path:
        """The folder of the jars, one per list of them."""
        return home() / f"kafka-{hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]}"

    def prepare(self) -> None:
        """Formats the storage for a new cluster of one."""
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes)[:22].decode()
        # The tool takes an argument that begins with a hyphen for an option.
        cluster = cluster.replace("-", "A")
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", self._configuration()]
        packages.run([*self._java(128), *tool], "formatting Kafka's storage", cwd=self.folder)

    def command(self) -> Command:
        """Starts broker and controller in one Java machine of at most 512 MB."""
        return Command([*self._java(512), "kafka.Kafka", self._configuration()])

    def answers(self) -> bool:
        """Whether it answers the first request of every client: which versions it speaks."""
        # Key 18, version 0, correlation 1, no client name.
        request = struct.pack(">hhih", 18, 0, 1, -1)
        try:
            with socket.create_connection(("127.0.0.1", self.port()), timeout=2) as link:
                link.sendall(struct.pack(">i", len(request)) + request)
                head = link.recv(10, socket.MSG_WAITALL)
        except OSError:
            return False
        if len(head) < 10:
            return False
        _, correlation, error = struct.unpack(">iih", head)
        return bool(correlation == 1 and error == 0)

    @property
    def url(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port()}"

    def environment(self) -> dict[str, str]:
        """KAFKA_BOOTSTRAP_SERVERS."""
        return {"KAFKA_BOOTSTRAP_SERVERS": self.url}

    def _java(self, megabytes: int) -> list[str | Path]:
        java = shutil.which("java") or "java"
        return [java, f"-Xmx{megabytes}m", "-XX:+UseSerialGC", "-cp", f"{self.jars()}/*"]

    def _configuration(self) -> Path:
        make_folder(self.folder)
        file = self.folder / "server.properties"
        file.write_text(
            _PROPERTIES.format(port=self.port(), controller=self.port("controller"), data=self.data)
        )
        return file
