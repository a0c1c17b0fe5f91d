"""What somebody asks who is woken at 3 a.m.: each from the overview, with at most three clicks."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Page, expect

from collector import queries
from collector.correlation.verdicts import Verdict
from collector.models import EventType, Flow, Heartbeat, Outcome
from dashboard.alerts.models import Alert
from tests.browser.conftest import Site, opened
from tests.builders import cloud_event
from tests.feeding import Feed

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ALERT = "3 transactions wait for StockReserved from inventory"


@pytest.fixture
def start(page: Page, site: Site, company: Feed) -> Page:
    assert company
    opened(page, site, "/")
    return page


def first_stuck(page: Page) -> None:
    """Two clicks."""
    page.locator(".alert-row a").first.click()
    page.locator("tr[data-row] a").first.click()
    expect(page.locator(".title .state")).to_have_text("Stuck")


def test_where_does_it_stop_and_for_how_many(start: Page) -> None:
    expect(start.locator(".alert-row b")).to_have_text(ALERT)
    expect(start.locator(".tile-bad b")).to_have_text("3")


def test_did_the_service_that_owes_the_answer_read_the_event(start: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "inventory (group inventory-service) has read it and published nothing."
    monkeypatch.setattr(queries, "consumers", lambda found: [Verdict("read", said) for _ in found.state.pending])
    first_stuck(start)
    expect(start.locator("#why")).to_contain_text(said)


def test_whom_do_i_wake(start: Page) -> None:
    start.get_by_role("navigation", name="Pages").get_by_role("link", name="Services").click()
    row = start.locator("tr[data-row]").first
    expect(row).to_contain_text("inventory")
    expect(row).to_contain_text("team-warehouse · #warehouse")
    row.get_by_role("link").first.click()
    expect(start.get_by_role("link", name="Runbook")).to_be_visible()


def test_who_is_red_on_the_map_and_what_waits_for_it(start: Page) -> None:
    expect(start.locator("#map")).to_have_attribute("data-drawn", re.compile(".+"))
    start.locator("#map .textpoint", has_text="3 overdue").click(force=True)  # what it hits lies above all of the graph
    expect(start).to_have_url(re.compile("/services/inventory$"))
    expect(start.locator(".statement")).to_contain_text(", 3 of them overdue")
    expect(start.get_by_role("link", name="Runbook")).to_be_visible()


def select(page: Page, service: str) -> None:
    """As a click on its box does."""
    page.locator("#map").evaluate(
        """(map, service) => map.dispatchEvent(new CustomEvent("graph:select", {bubbles: true, detail: {
            kind: "service", service}}))""",
        service,
    )


@pytest.mark.parametrize(
    ("shown", "service", "leads"),
    [
        ("?since=15m", "inventory", "/services/inventory"),
        ("?since=2h&until=1h", "inventory", "/transactions?service=inventory&since=2h&until=1h"),
        ("", "a/b ?", "/services/a%2Fb%20%3F"),
        ("", "", "/transactions?service="),
    ],
)
def test_where_the_box_of_a_service_leads(
    page: Page, site: Site, company: Feed, shown: str, service: str, leads: str
) -> None:
    """The service's page is of now: a range of the past leads to its transactions."""
    assert company
    opened(page, site, f"/{shown}")
    with page.expect_request(lambda request: request.is_navigation_request()) as asked:
        select(page, service)
    assert asked.value.url == site.url + leads


def test_what_do_the_affected_have_in_common(page: Page, site: Site, feed: Feed) -> None:
    for number in range(4):
        feed.order(f"healthy-{number}", ago=60 + number)
        for name, service, later in (("OrderPlaced", "order", 0), ("PaymentAuthorized", "payment", 1)):
            causes = [f"north-{number}/OrderPlaced"] if later else []
            at, key = feed.ago(60 + number - later), f"north-{number}"
            headers = cloud_event(name, key, f"{key}/{name}", f"/services/{service}", at, causes)
            feed.raw(*headers, ("warehouse", b"north"), value=b"{}", at=at)
    feed.read()
    opened(page, site, "/")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Alerts").click()
    page.get_by_role("link", name="4 transactions wait for StockReserved from inventory").click()
    common = page.locator("#common")
    expect(common).to_contain_text("All of 4 stuck ones have header warehouse north; of healthy ones 0%.")


def test_what_is_at_stake(page: Page, site: Site, feed: Feed) -> None:
    for number, total in enumerate((100, 250.5)):
        at, key = feed.ago(60 + number), f"dear-{number}"
        headers = cloud_event("OrderPlaced", key, f"{key}/OrderPlaced", "/services/order", at)
        feed.raw(*headers, value=b'{"order": {"total": %g}}' % total, at=at)
    feed.read()
    opened(page, site, "/")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Alerts").click()
    page.get_by_role("link", name="2 transactions wait for StockReserved from inventory").click()
    expect(page.locator(".alert-facts")).to_contain_text("350.5")


def test_what_changed_just_before(page: Page, site: Site, company: Feed) -> None:
    EventType.objects.exclude(service="inventory").update(first_seen_at=company.ago(600))
    opened(page, site, "/")
    changed = page.locator(".changes li").filter(has_text="new service inventory")
    changed.get_by_role("link").click()
    expect(page.locator("h1")).to_have_text("inventory")


def test_is_it_on_a_dead_letter_topic_with_which_exception(page: Page, site: Site, company: Feed) -> None:
    marks = [
        ("kafka_dlt-exception-fqcn", b"java.lang.IllegalStateException"),
        ("kafka_dlt-exception-message", b"no such warehouse"),
        ("kafka_dlt-original-topic", b"orders"),
    ]
    event = cloud_event("OrderPlaced", "stuck-1", "stuck-1/OrderPlaced", "/services/order", company.now)
    company.raw(*event, *marks, value=b"{}")
    company.read()
    opened(page, site, "/")
    page.locator("tr[data-row]").filter(has_text="1 not delivered").get_by_role("link").click()
    failed = page.locator("section", has_text="Failed deliveries").last
    expect(failed).to_contain_text("IllegalStateException")
    expect(failed).to_contain_text("no such warehouse")


def test_how_did_everything_look_at_a_moment_of_the_night(page: Page, site: Site, company: Feed) -> None:
    company.order("later", ago=1)
    then = company.now - timedelta(hours=3)
    for table in (Flow, Outcome):
        for row in table.objects.all():
            row.bucket -= timedelta(hours=3)
            row.save()
    alert = Alert.objects.get()
    alert.opened_at, alert.resolved_at, alert.state = then, then + timedelta(hours=1), Alert.State.RESOLVED
    alert.course = [[int(then.timestamp()), 3]]
    alert.save()
    company.read()
    opened(page, site, "/")
    page.get_by_text("Another time").click()
    page.get_by_label("From", exact=True).fill(f"{then - timedelta(minutes=10):%Y-%m-%dT%H:%M}")
    page.get_by_label("To", exact=True).fill(f"{then + timedelta(minutes=10):%Y-%m-%dT%H:%M}")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".tile-bad")).to_contain_text("3 stuck at its end")
    expect(page.locator(".alert-row b")).to_have_text(ALERT)
    expect(page.locator("#map")).to_have_attribute("data-drawn", re.compile(".+"))
    expect(page.locator("#map .textpoint", has_text="3 overdue")).to_be_visible()
    assert re.search(r"since=\d{4}-.*Z&until=\d{4}-.*Z$", unquote(page.url))
    page.reload()
    expect(page.locator(".tile-bad")).to_contain_text("3 stuck at its end")
    page.get_by_role("link", name="Now", exact=True).click()
    expect(page.get_by_role("heading", name="Choreography now")).to_be_visible()


def test_how_did_one_look_then(start: Page) -> None:
    start.get_by_role("link", name="done-1").click()
    start.locator("#replay-at").focus()
    start.keyboard.press("Home")
    expect(start.locator("#then time").first).to_be_visible()
    expect(start).to_have_url(re.compile("at="))


def test_is_choreoscope_itself_well(start: Page) -> None:
    expect(start.locator("#ages")).to_contain_text(re.compile(r"collector alive .* ago"))
    Heartbeat.objects.filter(name="collector:test").update(detail={"stopped": True})
    start.reload()
    expect(start.locator("#troubles")).to_contain_text("The collector was stopped at")


def test_is_money_taken_and_not_given_back(page: Page, site: Site, company: Feed) -> None:
    company.event("owed", "OrderPlaced", "order", 60)
    company.event("owed", "StockReserved", "inventory", 59, ["OrderPlaced"])
    company.event("owed", "PaymentDeclined", "payment", 58, ["OrderPlaced"])
    company.read()
    opened(page, site, "/")
    page.locator(".alert-row").filter(has_text="while compensating").get_by_role("link").click()
    page.get_by_role("link", name="owed").click()
    expect(page.locator("#statement")).to_contain_text("to undo StockReserved")


def test_how_do_i_close_one_that_will_never_progress(start: Page) -> None:
    operator = Client()
    operator.force_login(User.objects.create_superuser("ada"))
    start.context.add_cookies([{"name": "sessionid", "value": operator.cookies["sessionid"].value, "url": start.url}])
    start.get_by_role("link", name="stuck-1").click()
    start.get_by_text("It will never progress").click()
    start.get_by_label("Why it will never progress").fill("The order was a test.")
    start.get_by_role("button", name="Close it").click()
    expect(start.locator(".title .state")).to_have_text("Abandoned")
    expect(start.locator("#statement")).to_contain_text("Closed by ada")
    expect(start.locator(".statement")).to_contain_text("Reason: The order was a test.")
