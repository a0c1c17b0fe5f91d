"""Record → Event or Undecodable. Pure: no Django, no Kafka client, no clock."""

from collector.decoding.decoder import decode
from collector.decoding.event import Event, Undecodable

__all__ = ["Event", "Undecodable", "decode"]
