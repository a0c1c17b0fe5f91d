"""Apache Kafka itself, one broker in KRaft mode: jars from Maven Central (kafka/pom.xml), run by this machine's Java.

For the tests, and for `make kafka`: `python -m tests.stack.kafka` runs it in the foreground until it is told to stop.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from dashboard.parts.process import Launcher, PartFailed, locked, stop
from tests.stack.place import ROOT

POM = ROOT / "kafka" / "pom.xml"
JARS = ROOT / "var" / "kafka"
REMEDY = "Install Java 17 or newer and Maven (Debian: apt-get install openjdk-17-jre-headless maven)."

# The heap is small and the compiler the quick one: this Kafka starts in seconds and carries little.
JAVA = ["java", "-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners={listeners}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
num.partitions=4
auto.create.topics.enable=true
group.initial.rebalance.delay.ms=0
group.consumer.heartbeat.interval.ms=1000
group.consumer.min.heartbeat.interval.ms=1000
group.min.session.timeout.ms=1000
offsets.topic.num.partitions=3
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.cleaner.dedupe.buffer.size=8388608
log.segment.delete.delay.ms=1000
log.cleaner.backoff.ms=200
"""


# Whoever comes through the plain listener may do everything; those who give a name, what ACLs allow them.
USERS = {"reader": "not-telling", "stranger": "not-telling-either"}
SECURITY = """
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config={jaas}
listener.name.sasl_ssl.plain.sasl.jaas.config={jaas}
listener.name.sasl_ssl.ssl.keystore.type=PKCS12
listener.name.sasl_ssl.ssl.keystore.location={keystore}
listener.name.sasl_ssl.ssl.keystore.password=changeit
"""
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


class KafkaMissing(Exception):
    """Kafka can't be run here: a sentence that says what to install."""


@contextmanager
def running(folder: Path, *, fleeting: bool = True) -> Iterator[str]:
    """Kafka with its data in this folder while the block runs; yields its address, `host:port`.

    `fleeting`: end it at once, not in good order, because nobody wants its data any more. Raises KafkaMissing.
    """
    server = Server(folder)
    try:
        server.start()
        yield server.bootstrap
    finally:
        server.stop(signal.SIGKILL if fleeting else signal.SIGTERM)


class Server:
    """Kafka with its data in a folder. A `secure` one listens in three ways, and asks ACLs what users may do."""

    def __init__(self, folder: Path, *, secure: bool = False) -> None:
        self._java = [*JAVA, "-cp", f"{jars()}/*"]
        self._launcher = Launcher(folder)
        self._process: subprocess.Popen[str] | None = None
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        ways = ["CONTROLLER", "PLAINTEXT", *(["SASL_PLAINTEXT", "SASL_SSL"] if secure else [])]
        addresses = {way: f"127.0.0.1:{port}" for way, port in zip(ways, _free_ports(len(ways)), strict=True)}
        self.bootstrap = addresses["PLAINTEXT"]
        self.sasl, self.tls = addresses.get("SASL_PLAINTEXT", ""), addresses.get("SASL_SSL", "")
        properties = PROPERTIES.format(
            listeners=",".join(f"{way}://{address}" for way, address in addresses.items()),
            controller=addresses["CONTROLLER"],
            data=folder / "data",
        )
        if secure:
            users = " ".join(f'user_{name}="{secret}"' for name, secret in USERS.items())
            properties += SECURITY.format(jaas=f"{PLAIN} {users};", keystore=certificate() / "server.p12")
        self._properties = folder / "server.properties"
        self._properties.write_text(properties)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._storage = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}"]
        _format(self._launcher, [*self._java, *self._storage, "-c", str(self._properties)])

    @property
    def authority(self) -> Path:
        """The certificate that the TLS listener's is to be checked against."""
        return certificate() / "authority.pem"

    def start(self) -> None:
        """Starts it, with what it kept, and waits until it answers."""
        self._process = self._launcher.start("kafka", [*self._java, "kafka.Kafka", self._properties])
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        self._launcher.wait_until(lambda: _answers(client), "kafka", self._process, seconds=60)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            stop(self._process, number, patience=30)

    @contextmanager
    def joined(self) -> Iterator[subprocess.Popen[str]]:
        """A second broker of the cluster, number 2, while the block runs; for one that is not `secure`."""
        folder = self.folder / "second"
        folder.mkdir()
        here = {
            "process.roles": "broker",
            "node.id": "2",
            "listeners": f"PLAINTEXT://127.0.0.1:{_free_ports(1)[0]}",
            "log.dirs": str(folder / "data"),
        }
        given = dict(line.split("=", 1) for line in self._properties.read_text().splitlines() if line)
        properties = folder / "server.properties"
        properties.write_text("\n".join(f"{name}={value}" for name, value in (given | here).items()))
        _format(self._launcher, [*self._java, *self._storage, "-c", str(properties)])
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        process = self._launcher.start("kafka-2", [*self._java, "kafka.Kafka", properties])
        try:
            ready = lambda: len(client.list_topics(timeout=5).brokers) == 2  # noqa: E731
            self._launcher.wait_until(ready, "kafka-2", process, seconds=60)
            yield process
        finally:
            stop(process, signal.SIGKILL)

    @contextmanager
    def away(self) -> Iterator[None]:
        """While the block runs, Kafka is not there; whatever happens in it, Kafka comes back for those that follow."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """While the block runs, Kafka takes connections, by the kernel, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


def jars() -> Path:
    """The folder with Kafka's jars, fetched once for each version of the pom. Raises KafkaMissing."""
    if not shutil.which("java"):
        raise KafkaMissing(f"No Java was found. {REMEDY}")
    folder = JARS / hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    with ExitStack() as stack:
        while not folder.is_dir():
            if not shutil.which("mvn"):
                raise KafkaMissing(f"Kafka's jars are not in {JARS}, and no Maven was found to get them. {REMEDY}")
            stack.enter_context(locked(JARS / "lock", wait=True))
            if not folder.is_dir():
                _fetch(folder)
    return folder


def certificate() -> Path:
    """The folder with a key store for 127.0.0.1, server.p12, and its certificate, authority.pem; made once."""
    folder = JARS / "certificate"
    with locked(JARS / "lock", wait=True):
        if not folder.is_dir():
            draft = folder.with_suffix(".new")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            store = ["-alias", "kafka", "-keystore", str(draft / "server.p12"), "-storepass", "changeit"]
            names = ["-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1", "-validity", "3650"]
            kind = ["-storetype", "PKCS12", "-keyalg", "EC", "-groupname", "secp256r1"]
            for command in (["-genkeypair", *kind, *names], ["-exportcert", "-rfc", "-file", draft / "authority.pem"]):
                subprocess.run(["keytool", *command, *store], check=True, capture_output=True)
            draft.rename(folder)
    return folder


def _fetch(folder: Path) -> None:
    draft = folder.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={draft}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KafkaMissing(f"Maven could not fetch Kafka: {done.stdout.strip()[:500]}")
    draft.rename(folder)


def _format(launcher: Launcher, command: list[str]) -> None:
    process = launcher.start("format", command)
    try:
        launcher.finish("format", process, seconds=60)
    finally:
        stop(process)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


def _answers(client: AdminClient) -> bool:
    try:
        return bool(client.list_topics(timeout=1).brokers)
    except KafkaException:
        return False


def main() -> None:
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        folder = JARS / "data"
        shutil.rmtree(folder, ignore_errors=True)
        with locked(JARS / "running"), running(folder, fleeting=False) as bootstrap:
            print(f"Apache Kafka is ready: KAFKA_BOOTSTRAP_SERVERS={bootstrap} (Ctrl-C ends it)", flush=True)
            signal.sigwait(signals)
    except (KafkaMissing, PartFailed) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
