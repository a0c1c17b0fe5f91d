"""How moments, numbers and states are written on a page."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import get_script_prefix, reverse
from django.utils.html import conditional_escape, escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timezone import get_current_timezone_name

from dashboard.graphs.text import about
from dashboard.pages import statement, wording

register = template.Library()

STATUS_ICONS = {
    "running": "player-play",
    "compensating": "rotate",
    "completed": "circle-check",
    "compensated": "arrow-back-up",
    "failed": "circle-x",
    "abandoned": "circle-minus",
    "stuck": "hourglass",
}
_CODE = re.compile("`([^`]+)`")

for function in (
    about,
    wording.duration,
    wording.number,
    wording.amount,
    wording.rate,
    wording.size,
    wording.clock,
    wording.precise,
    wording.lag,
):
    register.filter(function.__name__, function)


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    """Decoration: the words beside it say the same."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>',
        static("vendor/tabler-icons/sprite.svg"),
        name,
    )


@register.simple_tag
@cache
def status(word: str) -> SafeString:
    """Colour, sign and word."""
    return format_html('<span class="state state-{}">{}{}</span>', word, status_icon(word), word.capitalize())


@register.simple_tag
@cache
def standing(state: str, severity: str, settling: bool = False) -> SafeString:
    """Of an alert: of a hundred on a page there are a few."""
    return render_to_string("alerts/state.html", {"state": state, "severity": severity, "settling": settling})


@register.simple_tag
def status_icon(word: str) -> SafeString:
    return icon(STATUS_ICONS.get(word, "circle-dashed"))


@register.simple_tag
def moment(at: datetime, precise: bool = False) -> SafeString:
    """The time of day, its date on hovering."""
    # There are hundreds on a page, and nothing in a time is to be escaped.
    full = wording.full(at)
    return SafeString(f'<time datetime="{at.isoformat()}" title="{full}">{full[11 : 23 if precise else 19]}</time>')


@register.simple_tag
def ago(at: datetime, now: datetime, suffix: str = " ago") -> SafeString:
    """How long ago, kept counting by static/js/clock.js."""
    return _counting("since", at, wording.whole((now - at).total_seconds())) + conditional_escape(suffix)


@register.simple_tag
def until(at: datetime, now: datetime) -> SafeString:
    """How long it is until then, kept counting."""
    return _counting("until", at, wording.whole((at - now).total_seconds()))


@register.simple_tag
def took(start: datetime, end: datetime | None, now: datetime) -> SafeString | str:
    """How long it took; while it lasts, kept counting."""
    if end is None:
        return _counting("since", start, wording.whole((now - start).total_seconds()))
    return wording.between(start, end)


@register.simple_tag
def say(text: statement.Text, now: datetime) -> SafeString:
    return format_html_join("", "{}", ((_part(part, now),) for part in text))


def _part(part: statement.Part, now: datetime) -> str:
    if isinstance(part, str):
        return part
    return _counting("since" if isinstance(part, statement.Since) else "until", part.at, part.words(now))


def _counting(direction: str, at: datetime, words: str) -> SafeString:
    when = f'datetime="{at.isoformat()}" data-{direction}="{round(at.timestamp() * 1000)}" title="{wording.full(at)}"'
    return SafeString(f"<time {when}>{escape(words)}</time>")


@register.simple_tag
def copy(text: str, what: str) -> SafeString:
    """A button that copies the text."""
    return format_html(
        '<button type="button" class="copy" data-copy="{}" title="Copy {}" aria-label="Copy {}">{}</button>',
        text,
        what,
        what,
        icon("copy"),
    )


@register.filter
def coded(sentence: str) -> SafeString:
    """A sentence, with what stands between backticks in it as code."""
    return SafeString(_CODE.sub(r"<code>\1</code>", escape(sentence)))


@register.filter
def length_of(length: timedelta) -> str:
    return wording.span(length)


@register.filter
def milliseconds(at: datetime) -> int:
    """Since 1970: how addresses name a moment."""
    return round(at.timestamp() * 1000)


@register.filter
def percent(share: float) -> str:
    return f"{share * 100:.1f}%"


@register.filter
def transaction_url(transaction_id: str) -> str:
    return _address("transaction", transaction_id, get_script_prefix())


@register.filter
def service_url(service: str) -> str:
    return _address("service", service, get_script_prefix())


@register.filter
def alert_url(number: int) -> str:
    return _address("alert", number, get_script_prefix())


@lru_cache(5_000)
def _address(page: str, which: str | int, _prefix: str) -> str:
    """Lists have hundreds, and to work one out takes six times as long as to find it here."""
    return reverse(page, args=[which])


@register.filter(is_safe=True)
def shortened(text: object, most: int) -> str:
    """As Django's `truncatechars`, which takes its time even where there is nothing to cut."""
    said = str(text)
    return said if len(said) <= most else Truncator(said).chars(most)


@register.filter
def in_short(note: str) -> str:
    """ "no id: its coordinates stand for it" is "no id" where there is little room."""
    return note.split(": ", 1)[0]


@register.filter
def per(count: int, seconds: float) -> float:
    """A rate: so many in so many seconds."""
    return count / seconds if seconds else 0.0


@register.simple_tag
def changed(chosen: Any, **changes: str) -> str:
    """The address of the same view with these differences."""
    address: str = chosen.address(**changes)
    return address


@register.filter
def view_of(period: Any, chosen: Any) -> str:
    """The address of the same view of another range of time."""
    address: str = chosen.at(period)
    return address


@register.simple_tag
def timezone_name() -> str:
    return get_current_timezone_name()


@register.simple_tag
def steps(listed: Any) -> SafeString:
    """A strip of signs; in words for those who cannot see it, and on hovering."""
    words = {"done": "", "undone": " (failure path)", "awaited": " (awaited)", "overdue": " (overdue)"}
    said = ", ".join(mark.label + words[mark.kind] for mark in listed.marks)
    signs = SafeString("".join(_sign(mark.kind, mark.label) for mark in listed.marks))
    more = format_html('<small class="text-secondary">+{}</small>', listed.more) if listed.more else ""
    return format_html('<span class="strip" role="img" aria-label="{}">{}{}</span>', said or "no step", signs, more)


@lru_cache(5_000)
def _sign(kind: str, label: str) -> SafeString:
    """A page has hundreds, of few event types."""
    return format_html('<i class="pip pip-{}" title="{}"></i>', kind, label)
