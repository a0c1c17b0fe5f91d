"""Schemas out of a registry: documents from what was written with Avro, Protobuf or JSON Schema.

`connect` is the way in. The registry's client is imported only where there is a registry: it is large.
"""

from __future__ import annotations

from collections.abc import Mapping

from collector.decoding.content import Schemas


class RegistryError(Exception):
    """A registry cannot be asked with these properties."""


def connect(properties: Mapping[str, object]) -> Schemas | None:
    """The registry that these properties of its client name (`url` and others); None where they name none. Nothing is
    asked yet. Raises `RegistryError`."""
    if not properties.get("url"):
        return None
    from collector.registry.client import Registry  # noqa: PLC0415 - see above

    try:
        return Registry(properties)
    except (ValueError, TypeError, OSError) as error:
        raise RegistryError(str(error)) from error
