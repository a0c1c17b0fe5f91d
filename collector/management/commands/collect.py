"""`manage.py collect`: the collector. Any number of them share the partitions as one consumer group."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.utils import timezone

from collector import actions, config, registry
from collector.config.rules import registered
from collector.decoding.content import Schemas
from collector.health import logs, metrics
from collector.intake import faults, progress
from collector.intake.alive import Alive
from collector.intake.watermarks import Watermarks
from collector.kafka import IN_MEMORY, Cluster, KafkaFailure, Source, explain
from collector.models import Topic
from collector.pipeline import Pipeline
from collector.publish import Publisher
from collector.storage import partitions, sessions, slots

logger = logging.getLogger(__name__)

GROUP = "choreoscope"
QUICK_REBALANCES = {"session.timeout.ms": "2500", "heartbeat.interval.ms": "300"}
"""The embedded broker lets a rebalance take as long as a session may: a new topic would be read only after that. It
never ends one where that is two seconds or less."""


class Command(BaseCommand):
    help = "Reads all topics and stores what happens, transaction by transaction."
    requires_system_checks = ()  # they would load all pages, and twenty megabytes with them

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--group", default=GROUP, help="consumer group (default: %(default)s)")
        parser.add_argument("--name", default=f"{socket.gethostname()}-{os.getpid()}", help="name shown on the pages")

    def handle(self, *, group: str, name: str, **_: Any) -> None:
        logs.bind(collector=name)
        stopping = self._stop_on_signals()
        sessions.prepare()
        try:
            settled = config.load(settings.CHOREOSCOPE_CONFIG)
            connection.ensure_connection()
            partitions.ensure_ahead(timezone.now().date())
            cluster = Cluster(dict(settings.KAFKA))
            cluster_id = progress.first_contact(cluster, settled.topics.wanted, settled.topics.start)
            self._forgotten(cluster_id, settled)
            if not cluster.describe(settled.topics.wanted)[1]:
                logger.warning(
                    "there is no topic to be read yet: none that is included exists, or the right Describe on them is"
                    " missing (docs/kafka.md)"
                )
        except config.ConfigError as error:
            raise CommandError(str(error)) from error
        except KafkaFailure as failure:
            raise CommandError(explain(failure)) from failure
        except DatabaseError as error:
            sentence = faults.explain(error) or f"The database does not answer (DATABASE_URL): {str(error).strip()}"
            raise CommandError(sentence) from error
        self._collect(cluster, cluster_id, group, name, settled, stopping)

    def _collect(
        self,
        cluster: Cluster,
        cluster_id: str,
        group: str,
        name: str,
        settled: config.Config,
        stopping: list[int],
    ) -> None:
        properties = dict(settings.KAFKA)
        if cluster_id.startswith(IN_MEMORY):
            properties = QUICK_REBALANCES | properties
        source = Source(properties, group, [p.pattern for p in settled.topics.include], settled.topics.wanted)
        publisher = Publisher()
        watermarks = Watermarks(cluster, cluster_id, settled.topics.wanted)
        watermarks.start()
        watch = sessions.Watch()
        watch.start()

        def current() -> config.Config:
            return config.current(settings.CHOREOSCOPE_CONFIG)

        pipeline = Pipeline(source, cluster, cluster_id, slots.take(), current, publisher, self._schemas())
        alive = Alive(name, cluster_id, source, pipeline.counts, current, publisher)
        alive.start()
        # What has been imported stays for good, and records come and go by the thousand without cycles: looking through
        # all of it for garbage again and again would cost an eighth of the time. What is read ahead and remembered is
        # no reason to look either.
        gc.freeze()
        gc.set_threshold(400_000, 50, 50)
        # who stores comes first (collector.storage.turn), and gets its turn soon
        sys.setswitchinterval(0.001)
        logger.info("reading cluster %s as %s in group %s", cluster_id, name, group)
        try:
            with metrics.serving(settings.COLLECTOR_METRICS_PORT, name, pipeline.counts):
                pipeline.run(lambda: bool(stopping or alive.fault))
            if alive.fault:
                raise CommandError(alive.fault)
        except metrics.PortTaken as error:
            raise CommandError(str(error)) from error
        except KafkaFailure as failure:
            raise CommandError(f"{explain(failure)} (consumer group {group})") from failure
        except faults.Incurable as fault:
            raise CommandError(str(fault)) from fault
        finally:
            sessions.hasten()
            pipeline.close()
            source.close()
            alive.close()
            watermarks.close()
            watch.close()
            publisher.close()

    def _schemas(self) -> Schemas | None:
        try:
            return registry.connect(dict(settings.SCHEMA_REGISTRY))
        except registry.RegistryError as error:
            raise CommandError(f"The schema registry cannot be used with SCHEMA_REGISTRY_…: {error}") from error

    def _stop_on_signals(self) -> list[int]:
        received: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda signum, _: received.append(signum))
        return received

    def _forgotten(self, cluster_id: str, settled: config.Config) -> None:
        """An embedded broker starts empty: what was open when the last one stopped can never be answered, so it is
        closed, and its topics are waited for no more."""
        if not progress.retire_clusters(cluster_id, IN_MEMORY):
            return
        gone = list(Topic.objects.filter(cluster__startswith=IN_MEMORY).exclude(cluster=cluster_id))
        rulebook = registered(settled.rulebook)
        while left := actions.open_transactions_of([topic.id for topic in gone]):
            actions.abandon(left, "choreoscope", "The embedded broker stopped and forgot its records.", rulebook)
            logger.info("closed %d transactions whose records the embedded broker forgot", len(left))
