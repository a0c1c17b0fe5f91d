"""Ids within addresses. Ids come from strangers and may hold anything but NUL, line breaks and slashes too."""

from __future__ import annotations

from django.urls import register_converter
from django.urls.converters import StringConverter


class AnyId(StringConverter):
    """Everything to the end of the address."""

    regex = r"[\s\S]+"


register_converter(AnyId, "id")
