"""The part of `benchmarks.mining` that runs within Django, on the database that it was given."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import django
import psutil

django.setup()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from collector import miner, queries  # noqa: E402
from collector.correlation.choreography import RuleBook  # noqa: E402
from collector.decoding import decode  # noqa: E402
from collector.kafka import Span  # noqa: E402
from collector.miner import rows as counts  # noqa: E402
from collector.models import MinedCount, Progress, Topic, Transaction  # noqa: E402
from collector.records import Record, TopicRef, pack_headers  # noqa: E402
from collector.storage import partitions, store, unmined  # noqa: E402
from collector.storage.memory import Memory  # noqa: E402
from dashboard.api.formats import as_csv  # noqa: E402

BATCH = 2_000
MORE, TIMES = 1_000, 10
"""How many more events are mined at a time, and how often: as a worker does, one time after the other."""
TYPES = [f"Step{number}" for number in range(20)]
TABLES = ("unmined", "mined", "variant", "minedsum", "mineddifference")
RULES = RuleBook(())
Happening = tuple[str, int, str, datetime]


def log(events: int, now: datetime) -> list[Happening]:
    """Cases of about ten events within the last 30 days, most of which go one of a few ways; in the order of time."""
    rng, case = random.Random(1), 0
    made: list[Happening] = []
    while len(made) < events:
        at = now - rng.random() * timedelta(days=30)
        steps = ["Started", *TYPES[:8], "Ended"]
        for _ in range(int(rng.paretovariate(1.5)) - 1 if rng.random() < 0.6 else 0):
            steps.insert(rng.randint(1, len(steps)), rng.choice(TYPES))
        for place, name in enumerate(steps[:40]):
            made.append((f"case-{case}", place, name, at))
            at += timedelta(seconds=rng.lognormvariate(2, 1.5))
        case += 1
    return sorted(made[:events], key=lambda event: event[3])


class Site:
    def __init__(self) -> None:
        row = Topic.objects.create(cluster="bench", uid="log", name="log")
        Progress.objects.create(topic=row, partition=0, next_offset=0, first_offset=0, from_start=True)
        self.topic = TopicRef(row.pk, row.cluster, row.uid, row.name)
        self.offset, self.memory = 0, Memory()

    def write(self, events: list[Happening]) -> float:
        """Seconds that storing took."""
        records = [self._record(event, place) for place, event in enumerate(events, self.offset)]
        decoded = [(found, decode(found)) for found in records]
        span = Span(self.topic, 0, self.offset, self.offset + len(records), records)
        self.offset += len(records)
        begun = time.perf_counter()
        store.write([span], decoded, RULES, "bench", self.memory)
        return time.perf_counter() - begun

    def _record(self, event: Happening, offset: int) -> Record:
        case, place, name, at = event
        named = {"specversion": "1.0", "id": f"{case}-{place}", "source": "/log", "type": name, "correlationid": case}
        headers = pack_headers(
            [(f"ce_{key}", text.encode()) for key, text in (named | {"time": at.isoformat()}).items()]
        )
        return Record(self.topic, 0, offset, at, None, b"{}", headers)


def main() -> None:
    count, folder, now = int(sys.argv[1]), Path(sys.argv[2]), timezone.now()
    partitions.ensure_ahead(now.date())
    events, site = log(count + 2 * TIMES * MORE, now), Site()
    first, newest = events[: -TIMES * MORE], events[-TIMES * MORE :]
    scattered = set(random.Random(2).sample(range(len(first)), TIMES * MORE))
    first, late = split(first, scattered)
    noting = Timed(unmined, "note")
    storing = sum(site.write(batch) for batch in batches(first))
    print(f"{count:,} events stored in {storing:.1f} s, {noting.seconds / storing:.2%} of it to note what changed")
    before = psutil.Process().memory_info().rss
    took = mined()
    grown = psutil.Process().memory_info().rss - before
    print(f"mined at first: {took:.2f} s, {count / took:,.0f} events/s, {Transaction.objects.count():,} transactions")
    ask("map and variants, all times", None, now)
    ask("map and variants, 7 days", now - timedelta(days=7), now)
    settle()
    ask("map and variants, all times, when that is settled", None, now)
    updates = {what: updated(site, more) for what, more in (("the newest", newest), ("all over the log", late))}
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE collector_mined, collector_minedsum, collector_mineddifference, collector_variant")
        unmined.note(cursor, Transaction.objects.values_list("id", flat=True))
    anew = mined()
    for what, each in updates.items():
        update = statistics.median(each)
        print(
            f"{MORE:,} more events, {what}: {update * 1000:.1f} ms (the first time {each[0] * 1000:.1f} ms, at most"
            f" {max(each) * 1000:.1f} ms); all at first: {took / update:.0f} times as long, all anew ({anew:.2f} s):"
            f" {anew / update:.0f} times"
        )
    print(f"memory: mining took {grown / 2**20:.0f} MB more than the process had with the log in it")
    settle()
    sizes()
    keep(folder, now)


def split(events: list[Happening], places: set[int]) -> tuple[list[Happening], list[Happening]]:
    """Without those at these places, and those alone."""
    rest = [event for place, event in enumerate(events) if place not in places]
    return rest, [events[place] for place in sorted(places)]


class Timed:
    """How long a function takes altogether."""

    def __init__(self, module: object, name: str) -> None:
        self.seconds, inner = 0.0, getattr(module, name)

        def timed(*arguments: object) -> object:
            begun = time.perf_counter()
            try:
                return inner(*arguments)
            finally:
                self.seconds += time.perf_counter() - begun

        setattr(module, name, timed)


def batches(events: list[Happening]) -> Iterator[list[Happening]]:
    return (events[start : start + BATCH] for start in range(0, len(events), BATCH))


def mined() -> float:
    begun = time.perf_counter()
    miner.mine(RULES, most=10**9)
    return time.perf_counter() - begun


def updated(site: Site, events: list[Happening]) -> list[float]:
    """Seconds that mining took, each time that some of these had arrived."""
    took = []
    for start in range(0, len(events), MORE):
        site.write(events[start : start + MORE])
        took.append(mined())
    return took


def settle() -> None:
    """What `mine_now` does afterwards."""
    begun, settled = time.perf_counter(), 0
    while rows := counts.settle():
        settled += rows
    print(f"{settled:,} appended rows settled in {time.perf_counter() - begun:.2f} s")


def ask(what: str, since: datetime | None, now: datetime) -> None:
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        queries.mined_map("_all", since, None, "", now)
        queries.variants("_all", since, None, "", now)
        took.append((time.perf_counter() - begun) * 1000)
    print(f"{what}: {statistics.median(took):.0f} ms, the first time {took[0]:.0f} ms")


def sizes() -> None:
    with connection.cursor() as cursor:
        for name in TABLES:
            cursor.execute("SELECT pg_total_relation_size(%s)", [f"collector_{name}"])
            print(f"table {name}: {cursor.fetchone()[0] / 2**20:.1f} MB")
    print(f"rows of counts: {MinedCount.objects.count():,}")


def keep(folder: Path, now: datetime) -> None:
    """What was found, and the log, for PM4Py."""
    found = queries.mined_map("_all", None, None, "", now)
    answer = {
        "edges": [[edge.source, edge.target, edge.count, edge.took.mean] for edge in found.edges],
        "starts": {node.type: node.starts for node in found.nodes if node.starts},
        "ends": {node.type: node.ends for node in found.nodes if node.ends},
        "variants": MinedCount.objects.filter(kind="variant", hours=0, count__gt=0).values("source").distinct().count(),
    }
    (folder / "found.json").write_text(json.dumps(answer))
    wanted, pages, after = queries.Wanted("_all", None, None, "", now), [], None
    while page := queries.exported(wanted, after):
        pages.append(page)
        after = page[-1].place

    async def again() -> AsyncIterator[list[queries.Exported]]:
        for page in pages:
            yield page

    async def write() -> None:
        with (folder / "log.csv").open("w") as file:
            file.writelines([piece async for piece in as_csv(again)])

    asyncio.run(write())


if __name__ == "__main__":
    main()
