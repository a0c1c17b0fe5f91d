"""Asks the registry for schemas, once for each, and never for long.

What waits here holds up all topics. So an answer is waited for only briefly; after a failure nobody asks for a while;
and an id that the registry does not know is not asked for again soon. A record whose schema is missing is kept as one
that can be decoded again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from collector.decoding.content import Problem, Unreadable
from collector.decoding.framing import Framed, SchemaRef
from collector.registry.schemas import PROTOBUF, Described, Reader, reader_of

logger = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds that an answer is waited for."""
RETRY = 5.0
"""Seconds after a failure in which nobody asks."""
FORGET = 30.0
"""Seconds in which an unknown id is not asked for again."""
ALLOWANCE = 2.0
"""Seconds that asking for unknown ids may take at once, and `SHARE` of the time in the long run."""
SHARE = 0.1
MOST = 2_000
"""Schemas that are remembered."""
_MOST_REFERENCES = 200
_NOT_FOUND = 404
_REFUSED = (401, 403)

AWAY = "schema registry away"
UNKNOWN = "unknown schema"


class _Known:
    """A schema's reader; or why there is none, and until when that holds."""

    def __init__(self, reader: Reader | None, problem: Problem | None = None, until: float = float("inf")) -> None:
        self.reader, self.problem, self.until = reader, problem, until


class Registry:
    """As `collector.decoding.content.Schemas`; from whichever thread."""

    def __init__(self, properties: Mapping[str, object], clock: Callable[[], float] = time.monotonic) -> None:
        settings: dict[str, Any] = {**properties, "timeout": PATIENCE, "max.retries": 0}
        # the client remembers a schema in the one form it was asked for first: text for one, descriptors for the other
        self._texts, self._descriptors = SchemaRegistryClient(settings), SchemaRegistryClient(settings)
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[SchemaRef, _Known] = {}
        self._away_until = 0.0
        self._away = ""
        self._underway: Future[_Known] | None = None
        self._allowance, self._counted_at = ALLOWANCE, clock()

    def read(self, framed: Framed) -> tuple[Any, str]:
        known = self._known.get(framed.schema)
        if known is None or known.until <= self._clock():
            with self._lock:
                known = self._look_up(framed.schema)
        if known.reader is None:
            problem = known.problem or Problem(UNKNOWN, f"{framed.schema} cannot be read.")
            raise Unreadable(problem.reason, problem.detail, passing=problem.passing)
        return known.reader(framed)

    def _look_up(self, schema: SchemaRef) -> _Known:
        now = self._clock()
        known = self._known.get(schema)
        if known is not None and known.until > now:
            return known
        if self._underway is not None and not self._underway.done():
            return self._missing(AWAY, f"{schema} is needed, and the registry has not answered yet.")
        if now < self._away_until:
            return self._missing(AWAY, f"{schema} is needed; {self._away}.")
        self._allowance = min(ALLOWANCE, self._allowance + SHARE * (now - self._counted_at))
        self._counted_at = now
        if self._allowance <= 0:
            return self._missing(UNKNOWN, f"{schema} is needed; too many that the registry doesn't know are asked for.")
        return self._ask(schema)

    def _ask(self, schema: SchemaRef) -> _Known:
        answer: Future[_Known] = Future()
        self._underway = answer
        began = self._clock()
        # a thread that nobody waits for at the end: a registry that dribbles must not hold up a process that is to stop
        threading.Thread(target=self._fetch, args=(schema, answer), name="schema", daemon=True).start()
        try:
            known = answer.result(PATIENCE)
        except TimeoutError:
            return self._gone(schema, f"it has not answered for {PATIENCE:g} s")
        except SchemaRegistryError as error:
            if error.http_status_code in _REFUSED:
                return self._gone(schema, f"it refuses to answer (HTTP {error.http_status_code})")
            if error.http_status_code != _NOT_FOUND:
                return self._gone(schema, f"it answers with HTTP {error.http_status_code}")
            self._allowance -= self._clock() - began
            problem = Problem(UNKNOWN, f"The schema registry knows no {schema}.", passing=True)
            known = _Known(None, problem, self._clock() + FORGET)
        except Unreadable as unusable:
            known = _Known(None, unusable.problem)
        except Exception as error:  # noqa: BLE001 - nobody could ask, for whatever reason
            return self._gone(schema, f"it cannot be asked ({type(error).__name__})")
        self._back()
        return self._keep(schema, known)

    def _fetch(self, schema: SchemaRef, answer: Future[_Known]) -> None:
        try:
            answer.set_result(_Known(reader_of(self._described(schema))))
        except Exception as error:  # noqa: BLE001 - who waits for the answer sees to it
            answer.set_exception(error)

    def _described(self, schema: SchemaRef) -> Described:
        found = self._by(schema, self._texts)
        if found.schema_type == PROTOBUF:
            found = self._by(schema, self._descriptors, "serialized")
        references: dict[str, str] = {}
        self._collect(found, references, frozenset())
        return Described(found.schema_type, found.schema_str or "", tuple(references.items()))

    def _by(self, schema: SchemaRef, client: SchemaRegistryClient, form: str | None = None) -> Any:
        if schema.guid:
            return client.get_schema_by_guid(schema.guid, fmt=form)
        return client.get_schema(schema.number or 0, fmt=form)

    def _collect(self, schema: Any, into: dict[str, str], within: frozenset[str]) -> None:
        """All schemas that this one refers to; what others refer to comes before them."""
        form = "serialized" if schema.schema_type == PROTOBUF else None
        client = self._descriptors if form else self._texts
        for reference in schema.references or ():
            if reference.name in into:
                continue
            if len(into) >= _MOST_REFERENCES or reference.name in within:
                raise Unreadable("unusable schema", "The schema refers to too many others, or to itself.")
            found = client.get_version(reference.subject, reference.version, True, form).schema
            self._collect(found, into, within | {reference.name})
            into[reference.name] = found.schema_str or ""

    def _keep(self, schema: SchemaRef, known: _Known) -> _Known:
        if len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        self._known[schema] = known
        return known

    def _gone(self, schema: SchemaRef, why: str) -> _Known:
        if not self._away:
            logger.warning("the schema registry is away: %s; records that need it are kept to be decoded later", why)
        self._away, self._away_until = why, self._clock() + RETRY
        return self._missing(AWAY, f"{schema} is needed; {why}.")

    def _back(self) -> None:
        if self._away:
            logger.warning("the schema registry answers again")
            self._away = ""

    @staticmethod
    def _missing(reason: str, detail: str) -> _Known:
        return _Known(None, Problem(reason, detail[:1].upper() + detail[1:], passing=True))
