"""Reads records as the configuration says: masked before anything looks at them, and then decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from collector.decoding import Undecodable, configured, decode
from collector.decoding.content import Schemas
from collector.decoding.policy import PLAIN, Handling, Policy
from collector.records import Header, Record
from collector.storage import sealing
from collector.storage.store import Decoded


class Reader:
    """Makes of the records of a topic what is stored of them and what they say, by the policy as it is just now."""

    def __init__(self, policy: Callable[[], Policy], schemas: Schemas | None = None) -> None:
        self._policy, self._schemas = policy, schemas

    def read(self, topic: str, records: Sequence[Record], headers: Sequence[Sequence[Header]] = ()) -> list[Decoded]:
        """`headers`: those of each record, where they have been unpacked already."""
        handling = self._policy().of(topic)
        if handling is PLAIN and headers:
            schemas = self._schemas
            return [(record, decode(record, schemas, own)) for record, own in zip(records, headers, strict=True)]
        if handling is PLAIN:
            return [(record, decode(record, self._schemas)) for record in records]
        return [self._handled(record, handling) for record in records]

    def _handled(self, record: Record, handling: Handling) -> Decoded:
        kept, found = configured.read(record, handling, self._schemas)
        if handling.encrypt and isinstance(found, Undecodable):
            found = msgspec.structs.replace(found, sealed=sealing.seal(record))
        return kept, found
