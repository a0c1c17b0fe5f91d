"""What is written to be adopted can be adopted, whatever things are called and whatever was seen of them."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import config
from collector.mining.adoption import adopted
from collector.mining.lessons import Settings, taught
from collector.mining.responses import Seen

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200)
awkward = st.sampled_from(["null", "yes", "4711", "1e3", "<<", "*all", "a: b", "# no", "- x", "'", '"', "{", "\u2028"])
names |= awkward
SECOND = 1_000_000


@st.composite
def transactions(draw: st.DrawFn) -> list[Seen]:
    """Some ways, each gone by several; what led to what is known, or not."""
    types = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    found: list[Seen] = []
    for _ in range(draw(st.integers(1, 3))):
        way = draw(st.lists(st.sampled_from(types), min_size=1, max_size=6))
        parents = [
            draw(st.sets(st.integers(0, place - 1), max_size=2)) if place else set() for place in range(len(way))
        ]
        gaps = draw(st.lists(st.integers(0, 5 * SECOND), min_size=len(way), max_size=len(way)))
        one = Seen(
            types=tuple(way),
            services=tuple(draw(st.sampled_from(["", "desk", "no: 1"])) for _ in way),
            times=tuple(sum(gaps[: place + 1]) for place in range(len(way))),
            parents=tuple(tuple(sorted(some)) for some in parents),
            hour=0,
            named=draw(st.booleans()),
        )
        found += [one] * draw(st.integers(1, 30))
    return found


@settings(max_examples=200)
@given(names, transactions(), st.sampled_from([0.9, 0.99, 1.0]))
def test_what_is_adopted_is_right(name: str, found: list[Seen], confidence: float) -> None:
    how = Settings(confidence=confidence, support=5, floor=timedelta(seconds=1))
    written = adopted(name, taught([found], msgspec.structs.replace(how)), found)
    read, mistakes = config.check("adopted.yaml", written)
    assert not mistakes, f"{mistakes}\n{written}"
    assert read is not None
    (choreography,) = read.rulebook.choreographies
    assert choreography.name == name
    assert choreography.starts == {one.types[0] for one in found}
