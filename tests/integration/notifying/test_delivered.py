"""A message arrives once, in order, whatever the receiver or a worker does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from unittest import mock

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from dashboard.notifying import channels, outlets, sending
from dashboard.notifying.models import Channel, Delivery
from tests.feeding import Feed
from tests.integration.notifying.steps import hook, kinds, pay, place
from tests.stack.receiving import Web
from tests.stack.waiting import poll_until

pytestmark = pytest.mark.django_db


def test_what_is_refused_is_tried_again_with_the_same_id_and_what_follows_waits(feed: Feed, web: Web) -> None:
    channel, _ = hook(web)
    web.answers = [503, 429]
    place(feed, "a")
    sending.deliver()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.error) == ("waiting", 1, "It answered with status 503.")
    assert delivery.next_at > timezone.now() + timedelta(seconds=1)
    pay(feed, "a")
    sending.deliver()
    assert len(web.got) == 1, "what came later waits behind it"
    channel.refresh_from_db()
    assert (channel.enabled, channel.trouble) == (True, "Tried again later: It answered with status 503.")
    for _ in range(2):
        Delivery.objects.filter(state="waiting").update(next_at=timezone.now())
        sending.deliver()
    assert kinds(web) == ["raised", "raised", "raised", "recovered"]
    assert len({request.headers["Choreoscope-Delivery"] for request in web.got[:3]}) == 1
    channel.refresh_from_db()
    assert channel.trouble == ""


def test_a_refusal_for_good_disables_the_channel_and_says_why(feed: Feed, web: Web) -> None:
    channel, _ = hook(web)
    web.answers = [410]
    place(feed, "a")
    sending.deliver()
    channel.refresh_from_db()
    assert (channel.enabled, channel.trouble) == (False, "It answered with status 410.")
    pay(feed, "a")
    sending.deliver()
    assert kinds(web) == ["raised"]
    channels.enable(channel)
    sending.deliver()
    assert kinds(web) == ["raised", "recovered"], "what came meanwhile is not lost"


def test_a_worker_that_dies_after_sending_sends_again_with_the_same_id(feed: Feed, web: Web) -> None:
    hook(web)
    place(feed, "a")

    class Killed(BaseException):
        pass

    def dying(*arguments: object, **named: object) -> None:
        outlets_send(*arguments, **named)  # type: ignore[arg-type]
        raise Killed

    outlets_send = outlets.send
    with mock.patch.object(outlets, "send", dying), pytest.raises(Killed):
        sending.deliver()
    sending.deliver()
    sending.deliver()
    assert [request.headers["Choreoscope-Delivery"] for request in web.got] == [str(Delivery.objects.get().uid)] * 2


@pytest.fixture
def other_worker() -> Iterator[psycopg.Connection]:
    """A session of another worker's."""
    found = connection.get_connection_params()
    given = {name: found[name] for name in ("dbname", "host", "port", "user", "password") if found.get(name)}
    with psycopg.connect(**given) as session:
        yield session


def held_by(session: psycopg.Connection, seconds: float = 30) -> None:
    Channel.objects.update(leased_until=timezone.now() + timedelta(seconds=seconds), leased_by=session.info.backend_pid)


def test_nobody_else_sends_through_a_channel_meanwhile(feed: Feed, web: Web, other_worker: psycopg.Connection) -> None:
    hook(web)
    place(feed, "a")
    held_by(other_worker)
    assert sending.deliver() == 0
    held_by(other_worker, seconds=-1)
    assert sending.deliver() == 1


def test_a_worker_whose_session_has_ended_holds_nothing(feed: Feed, web: Web, other_worker: psycopg.Connection) -> None:
    hook(web)
    place(feed, "a")
    held_by(other_worker)
    other_worker.close()

    def delivered() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # within a database transaction, as tests are
        return sending.deliver()

    assert poll_until(delivered, 10, "the channel to be free") == 1


def test_a_worker_that_was_frozen_leaves_the_rest_to_who_took_over(
    feed: Feed, web: Web, other_worker: psycopg.Connection, configure: Callable[..., None]
) -> None:
    hook(web)
    channel = Channel.objects.get()
    now = timezone.now()
    common = {"channel": channel, "kind": "test", "content": {}, "created_at": now, "next_at": now}
    Delivery.objects.bulk_create(Delivery(title=f"{n}", text="", **common) for n in range(3))

    def taken_over(*arguments: object) -> None:
        outlets_send(*arguments)  # type: ignore[arg-type]
        held_by(other_worker)

    outlets_send = outlets.send
    with mock.patch.object(outlets, "send", taken_over):
        assert sending.deliver() == 1
    assert len(web.got) == 1
    channel.refresh_from_db()
    assert channel.leased_by == other_worker.info.backend_pid, "what the other one holds is not let go"


def test_servers_that_do_not_answer_leave_threads_to_others(feed: Feed, web: Web) -> None:
    hook(web)
    place(feed, "a")
    senders = threading.BoundedSemaphore(1)
    with mock.patch.object(sending, "_senders", senders):
        with senders:
            assert sending.deliver() == 0
        assert sending.deliver() == 1
        assert sending.deliver() == 0
        assert senders.acquire(blocking=False), "who is done makes room"
