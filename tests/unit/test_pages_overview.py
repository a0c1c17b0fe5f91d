"""The overview of any range of time, narrowed and folded; and times of day where the viewer is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from collector.models import Flow, Outcome
from collector.queries.overview import Slot
from dashboard.alerts.models import Alert
from dashboard.graphs import Flow as Drawn
from dashboard.graphs import Waiting
from dashboard.pages import past, period
from dashboard.pages.bars import bars
from dashboard.pages.chosen import chosen
from dashboard.pages.flowing import only
from dashboard.pages.folding import first_part, folded
from dashboard.pages.shared import shared
from tests.feeding import Feed, calm
from tests.pages import text

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def asked(**parameters: str) -> period.Period:
    return period.asked(RequestFactory().get("/", parameters), NOW)


class TestPeriod:
    def test_now_back_from_now_and_in_the_past(self) -> None:
        assert (asked().words, asked().live, asked().query) == ("now", True, "")
        back = asked(since="1h")
        assert (back.words, back.live, back.query, back.since) == ("last 1 h", True, "since=1h", NOW - HOUR)
        then = asked(since="2026-11-20T02:30Z", until="2026-11-20T02:45:00Z")
        assert (then.words, then.live) == ("20 Nov 02:30 to 02:45", False)
        assert then.parameters == {"since": "2026-11-20T02:30:00Z", "until": "2026-11-20T02:45:00Z"}
        assert asked(until="2026-11-20T02:45Z").length == period.AROUND
        assert asked(since="11:00", until="").complaint
        assert asked(since="2026-11-20T11:00Z", until="2026-11-21T02:45Z").live, "there is no future yet"

    def test_before_and_after(self) -> None:
        then = asked(since="2026-11-20T11:30Z", until="2026-11-20T11:45Z")
        assert then.earlier.words == "20 Nov 11:15 to 11:30"
        assert then.later is not None
        assert then.later.later is None or then.later.words == "now"
        assert asked().earlier.end == NOW - period.AROUND

    def test_moments_without_a_zone_are_where_the_viewer_is_and_become_clear_in_the_address(self) -> None:
        request = RequestFactory().get("/", {"since": "2026-11-20T03:40", "until": "", "view": "events"})
        with timezone.override("Europe/Berlin"):
            wanted = period.asked(request, NOW)
            assert wanted.since == datetime(2026, 11, 20, 2, 40, tzinfo=UTC)
            assert period.to_be_rewritten(request, wanted) == "/?view=events&since=2026-11-20T02%3A40%3A00Z"
        clear = RequestFactory().get("/", {"since": "2026-11-20T02:40:00Z"})
        assert period.to_be_rewritten(clear, period.asked(clear, NOW)) is None

    @pytest.mark.parametrize("wrong", [{"since": "soon"}, {"since": "2026-11-20T11:00Z", "until": "2h"}])
    def test_what_is_no_range_is_said(self, wrong: dict[str, str]) -> None:
        assert asked(**wrong).complaint
        assert asked(**wrong).since is None


def test_an_alert_is_counted_as_it_stood() -> None:
    begun = NOW - 2 * HOUR
    course = [[int((begun + timedelta(minutes=at)).timestamp()), count] for at, count in ((0, 3), (10, 17), (30, 0))]
    alert = Alert(kind="stuck", opened_at=begun, resolved_at=begun + timedelta(minutes=31), course=course)
    at = [past.count_at(alert, begun + timedelta(minutes=minutes)) for minutes in (-1, 1, 29, 30, 40)]
    assert at == [0, 3, 17, 0, 0]
    assert past.most_within(alert, begun + timedelta(minutes=5), begun + HOUR) == 17
    assert past.most_within(alert, begun + timedelta(minutes=31), begun + HOUR) == 0


@pytest.mark.django_db
def test_an_alert_that_settled_later_is_said_as_it_stood() -> None:
    about = {"kind": "stuck", "awaited": "StockReserved", "since": NOW, "opened_at": NOW, "changed_at": NOW}
    quiet = NOW + timedelta(minutes=30)
    Alert.objects.create(**about, peak=3, quiet_since=quiet, course=[[int(NOW.timestamp()), 3]])
    said = {past.alerts(NOW, until)[0].sentence for until in (quiet - HOUR / 6, quiet)}
    assert said == {"3 transactions wait for StockReserved"}
    assert past.alerts(NOW, quiet + HOUR)[0].sentence == "3 transactions waited for StockReserved"


@pytest.mark.django_db
class TestThePast:
    @pytest.fixture
    def then(self) -> str:
        """The address of what was so three hours ago, when two orders were stuck that went on since."""
        shared.clear()
        feed = Feed()
        for number in range(2):
            feed.order(f"stuck-{number}", steps=2, ago=60)
        feed.order("done", ago=20)
        feed.read()
        for number in range(2):
            feed.event(f"stuck-{number}", "StockReserved", "inventory", 0.1, ["OrderPlaced"])
        feed.read()
        calm()
        for table in (Flow, Outcome):
            for row in table.objects.all():
                row.bucket -= 3 * HOUR
                row.save()
        alert = Alert.objects.get()
        alert.opened_at -= 3 * HOUR
        alert.resolved_at = alert.opened_at + HOUR
        alert.course = [[int(alert.opened_at.timestamp()), 2]]
        alert.save()
        at = timezone.now() - 3 * HOUR
        since, until = (f"{at + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}" for minutes in (-10, 10))
        return f"/?since={since}&until={until}"

    def test_all_of_the_page_is_of_that_time(self, client: Client, then: str) -> None:
        page = text(client.get(then))
        assert "2 transactions wait for StockReserved from inventory" in page
        assert "2 stuck at its end" in page
        assert 'data-watch="alerts"' in page
        assert "live from:body" in page, "only what is around the content"
        assert "overview-fragment" not in page
        drawing = client.get(then.replace("/?", "/live/overview.json?")).json()
        assert [row for row in drawing["table"]["rows"] if row[6] == "2"], "it is drawn where they were stuck"
        now = text(client.get("/"))
        assert "Choreography now" in now
        assert "2 transactions wait" not in now

    def test_its_cost_is_bounded(
        self, client: Client, then: str, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        shared.clear()
        with django_assert_num_queries(13):
            client.get(then)

    def test_of_longer_up_to_now_it_stays_live(self, client: Client, then: str) -> None:
        assert then
        page = text(client.get("/?since=6h"))
        assert 'data-watch="overview alerts"' in page
        assert "/live/overview?since=6h" in page
        assert text(client.get("/live/overview?since=6h"))

    def test_what_is_no_time_is_said(self, client: Client) -> None:
        answer = client.get("/?since=soon")
        assert answer.status_code == 400
        assert "&#x27;since&#x27; is &#x27;soon&#x27;" in answer.content.decode()


FLOWS = [
    Drawn("", "", "shop-cart", "Placed", 5),
    Drawn("shop-cart", "Placed", "shop-till", "Paid", 5),
    Drawn("shop-till", "Paid", "depot-yard", "Sent", 4),
    Drawn("depot-yard", "Sent", "depot-van", "Left", 4),
    Drawn("depot-van", "Left", "mail", "Told", 4),
]


class TestFolding:
    def test_services_of_a_group_are_one_box_that_opens(self) -> None:
        waiting = [Waiting(("Paid",), "Sent", "depot-yard", 3, 1)]
        drawn, waits = folded(FLOWS, waiting, first_part, ())
        assert {flow.target_service for flow in drawn} == {"shop (2 services)", "depot (2 services)", "mail"}
        assert not any(flow.source_service == flow.target_service for flow in drawn)
        assert waits[0].service == "depot (2 services)"
        opened, _ = folded(FLOWS, waiting, first_part, ["depot"])
        assert {"depot-yard", "depot-van", "shop (2 services)"} <= {flow.target_service for flow in opened}

    def test_one_service_is_no_group(self) -> None:
        drawn, _ = folded(FLOWS[:1], [], first_part, ())
        assert drawn[0].target_service == "shop-cart"

    def test_around_a_service_or_an_event_type(self) -> None:
        waiting = [Waiting(("Paid",), "Sent or Lost", "depot-yard", 3, 1), Waiting(("Left",), "Told", "mail", 1)]
        near, owed = only(FLOWS, waiting, "depot-yard", "")
        assert [flow.target_type for flow in near] == ["Sent", "Left"]
        assert [wait.awaited for wait in owed] == ["Sent or Lost"]
        near, owed = only(FLOWS, waiting, "", "Lost")
        assert (near, len(owed)) == ([], 1)
        assert only(FLOWS, waiting, "", "")[0] == FLOWS


def test_an_address_holds_the_whole_view() -> None:
    request = RequestFactory().get(
        "/?view=events&status=stuck&service=a%26b&detail=30&fold=name&unfold=x&unfold=y&since=1h&colour=red"
    )
    found = chosen(request, ["stuck"], ["services", "events"])
    given = parse_qs(urlsplit(found.address(status="")).query)
    assert given == {
        "view": ["events"], "service": ["a&b"], "detail": ["30"], "fold": ["name"], "unfold": ["x", "y"],
        "since": ["1h"],
    }  # fmt: skip
    assert found.at(None) == "?status=stuck&view=events&service=a%26b&detail=30&fold=name&unfold=x&unfold=y"
    wrong = chosen(RequestFactory().get("/?detail=1000&fold=x&view=y&status=z&detail=²"), ["stuck"], ["services"])
    assert wrong.address() == "?"


@pytest.mark.django_db
class TestTimezone:
    def test_it_is_chosen_and_kept(self, client: Client) -> None:
        shared.clear()
        assert "UTC</button>" in text(client.get("/transactions"))
        answer = client.get("/timezone", {"zone": "Asia/Tokyo", "next": "/transactions?q=1"})
        assert answer.headers["Location"] == "/transactions?q=1"
        assert "Asia/Tokyo</button>" in text(client.get("/transactions"))
        assert client.get("/timezone", {"zone": "Europe/Nowhere"}).status_code == 400
        assert client.get("/timezone", {"zone": "UTC", "next": "https://example.com"}).headers["Location"] == "/"
        client.cookies["timezone"] = "no/such"
        assert "UTC</button>" in text(client.get("/transactions"))

    def test_times_are_in_it(self, client: Client) -> None:
        shared.clear()
        feed = Feed(now=timezone.now().replace(hour=3, minute=30))
        feed.order("order", ago=0)
        feed.read()
        at = feed.now.astimezone(UTC)
        assert f"{at:%H:%M:%S}</time>" in text(client.get("/transactions"))
        client.cookies["timezone"] = "Asia/Tokyo"
        tokyo = at + 9 * HOUR
        assert f"{tokyo:%H:%M:%S}</time>" in text(client.get("/transactions"))
        shared.clear()
        drawing = client.get("/live/drawing/order").json()
        assert drawing["table"]["rows"][0][3].endswith("JST")
        assert f"{at:%H:%M:%S}" in client.get("/api/transactions/order").content.decode(), "programs are told UTC"

    def test_ticks_are_round_where_the_viewer_is(self) -> None:
        slots = [Slot(NOW + timedelta(minutes=minute), 1) for minute in range(60)]
        with timezone.override("Asia/Kathmandu"):
            assert [tick.label for tick in bars(slots).x_ticks] == ["18:00", "18:15", "18:30"]
        days = [Slot(NOW + timedelta(hours=3 * slot)) for slot in range(56)]
        assert [tick.label for tick in bars(days, 3 * HOUR).x_ticks][:2] == ["22 Nov", "24 Nov"]
