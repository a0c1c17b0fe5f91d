"""What was discovered becomes configuration: right, explained, and kept by what it was learned from."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from collector import config, queries
from collector.models import Transaction
from tests.integration.learning.company import Company, learn

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("day_tables")]


def test_what_is_adopted_is_right_and_what_it_was_learned_from_conforms(
    company: Company, rules: Path, client: Client
) -> None:
    for place in range(250):
        company.order(900 - 2 * place, declined=place % 10 == 3)
    company.feed.read()
    assert client.get("/api/choreographies/OrderPlaced/adopt").status_code == 404
    learn()
    answer = client.get("/api/choreographies/OrderPlaced/adopt")
    assert answer["Content-Type"].startswith("application/yaml")
    written = answer.content.decode()
    found, mistakes = config.check("adopted.yaml", written)
    assert (mistakes, found and found.doubts) == ([], ())
    assert "# 100.0% of" in written
    rules.write_text(written)
    for place in range(10):
        company.order(100 - place)
    company.feed.read()
    adopted = Transaction.objects.filter(transaction_id__in=[f"order-{251 + place}" for place in range(10)])
    assert [(row.phase, row.ended_by, row.state) for row in adopted] == [("completed", "event", {})] * 10


def adopt(name: str) -> tuple[str, str]:
    """What the command writes, and what it says besides."""
    out, err = io.StringIO(), io.StringIO()
    call_command("adopt", name, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_writes_what_the_page_offers(company: Company, rules: Path, client: Client) -> None:
    company.healthy(600, 100)
    company.feed.read()
    learn()
    written, said = adopt("OrderPlaced")
    assert written == client.get("/api/choreographies/OrderPlaced/adopt").content.decode()
    assert (config.check("adopted.yaml", written)[1], said) == ([], "")
    rules.write_text(written)
    assert "OrderPlaced is declared in choreoscope.yaml already" in adopt("OrderPlaced")[1]


def test_the_command_says_why_there_is_nothing_to_adopt(company: Company, rules: Path) -> None:
    with pytest.raises(CommandError, match="Nothing has been counted at all: is the collector running"):
        adopt("OrderPlaced")
    company.healthy(600, 580)
    company.feed.read()
    learn()
    with pytest.raises(CommandError, match=r"Did you mean 'OrderPlaced'\? There are: OrderPlaced\."):
        adopt("OrderPlace")
    too_little = "it takes 20 settled transactions, and 0 of 'OrderPlaced' have been looked at"
    with pytest.raises(CommandError, match=f"{too_little}. Come back in some minutes"):
        adopt("OrderPlaced")
    rules.write_text("learning: off")
    with pytest.raises(CommandError, match=f"{too_little}. Learning is off: write `learning: on`"):
        adopt("OrderPlaced")
    rules.write_text("learning: {except: OrderPlaced}")
    with pytest.raises(CommandError, match="take it out there"):
        adopt("OrderPlaced")
    rules.write_text("learning: perhaps")
    with pytest.raises(CommandError, match=r"choreoscope.yaml, line 1"):
        adopt("OrderPlaced")


@pytest.mark.usefixtures("rules")
def test_the_command_says_what_the_database_lacks() -> None:
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("SET LOCAL search_path TO nowhere")
        with pytest.raises(CommandError, match=r"run `manage\.py migrate`"):
            adopt("OrderPlaced")
        transaction.set_rollback(True)


def test_adopting_asks_no_more_of_many(company: Company, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    """Two queries, whatever was learned; and two to say why there is nothing."""
    how = config.current(settings.CHOREOSCOPE_CONFIG).learning
    with django_assert_num_queries(1):
        assert queries.adoption("OrderPlaced", how) is None
    with django_assert_num_queries(2):
        assert "Nothing has been counted" in queries.unlearned("OrderPlaced", how)
    for since, until in ((1_500, 1_000), (900, 100)):
        company.healthy(since, until)
        company.feed.read()
        learn()
        with django_assert_num_queries(2):
            assert queries.adoption("OrderPlaced", how)
