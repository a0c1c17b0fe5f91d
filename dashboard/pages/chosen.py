"""What the address of the overview asks for; anything else than what there is counts as not asked for."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest

from dashboard.pages import period
from dashboard.pages.folding import FOLDS
from dashboard.pages.period import Period

_LONGEST = 500
_FILTERS = ("choreography", "service", "event_type")
_MOST_UNFOLDED = 20


@dataclass(frozen=True)
class Chosen:
    """`detail`: so many per cent of what the map could show, None as much as can be read. `fold`: by what services are
    drawn as one, but for the groups in `unfolded`."""

    period: Period
    status: str
    view: str
    choreography: str
    service: str
    event_type: str
    detail: int | None
    fold: str
    unfolded: tuple[str, ...]

    @property
    def key(self) -> Hashable:
        """All but the moment that it was asked at."""
        what = (self.status, self.view, self.choreography, self.service, self.event_type, self.detail, self.fold)
        return (*what, self.unfolded, self.period.query)

    @property
    def parameters(self) -> dict[str, str | tuple[str, ...]]:
        """As the address has it, without what goes without saying."""
        found: dict[str, str | tuple[str, ...]] = {
            "status": self.status,
            "view": self.view if self.view != "services" else "",
            **{name: getattr(self, name) for name in _FILTERS},
            "detail": "" if self.detail is None else str(self.detail),
            "fold": self.fold,
            "unfold": self.unfolded,
            **self.period.parameters,
        }
        return {name: value for name, value in found.items() if value}

    def address(self, **changes: str) -> str:
        """The query of the same view with these differences; an empty one takes a parameter away."""
        kept = {name: value for name, value in {**self.parameters, **changes}.items() if value}
        return "?" + urlencode(kept, doseq=True)

    def at(self, other: Period | None) -> str:
        """The same view of another range."""
        rest = {name: value for name, value in self.parameters.items() if name not in ("since", "until")}
        return "?" + urlencode({**rest, **(other.parameters if other else {})}, doseq=True)

    @property
    def narrowed(self) -> bool:
        return any(getattr(self, name) for name in _FILTERS) or bool(self.fold) or self.detail is not None


def chosen(request: HttpRequest, statuses: Collection[str], views: Collection[str]) -> Chosen:
    asked = {name: _text(request, name) for name in ("status", "view", "fold", "detail", *_FILTERS)}
    detail = asked["detail"]
    return Chosen(
        period=period.asked(request),
        status=asked["status"] if asked["status"] in statuses else "",
        view=asked["view"] if asked["view"] in views else "services",
        choreography=asked["choreography"],
        service=asked["service"],
        event_type=asked["event_type"],
        detail=int(detail) if detail.isascii() and detail.isdigit() and 1 <= int(detail[:4]) <= 100 else None,
        fold=asked["fold"] if asked["fold"] in FOLDS else "",
        unfolded=tuple(name[:_LONGEST] for name in request.GET.getlist("unfold")[:_MOST_UNFOLDED]),
    )


def _text(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "")[:_LONGEST].replace("\x00", "")
