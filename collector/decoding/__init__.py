"""Record → Event or Undecodable. Pure: no Django, no Kafka client, no clock."""

from collector.decoding.decoder import decode
from collector.decoding.event import Bundle, Event, Found, Undecodable, opened

__all__ = ["Bundle", "Event", "Found", "Undecodable", "decode", "opened"]
