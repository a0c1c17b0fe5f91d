"""How shares, deadlines and moments of any day are written on the pages of choreographies."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from dashboard.graphs.discovered_scene import percent
from dashboard.pages import wording
from dashboard.pages.strips import Square, Strip

register = template.Library()
register.filter("share", percent)


@register.filter
def span_of(seconds: float) -> str:
    """A length that somebody chose: "5 s", not "5.0 s"."""
    return wording.span(timedelta(seconds=seconds))


@register.simple_tag
def when(at: datetime, now: datetime) -> SafeString:
    """The time of day, with its date unless that is today."""
    at = localtime(at)
    words = f"{at:%H:%M}" if at.date() == localtime(now).date() else f"{at:%Y-%m-%d %H:%M}"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), wording.full(at), words)


@register.simple_tag
def squares(strip: Strip) -> SafeString:
    """A step for each column of it; of a hundred variants, hundreds of squares of few kinds."""
    columns = ("".join(map(_square, column)) for column in strip.columns)
    return SafeString("".join(f'<span class="step">{column}</span>' for column in columns))


@lru_cache(5_000)
def _square(square: Square) -> SafeString:
    times = f" ×{square.times}" if square.times > 1 else ""
    said = format_html("<small>{}</small>", times.strip()) if times else ""
    named = (square.emitter.colour, square.type, times, square.emitter.letters, said)
    return format_html('<i class="square tint-{}" title="{}{}">{}{}</i>', *named)
