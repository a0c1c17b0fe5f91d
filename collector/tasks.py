"""Celery's way in: hints that there may be work, each a call of a plain function."""

from __future__ import annotations

import contextlib

from celery import shared_task

from collector import publish
from collector.bus import announce_now
from collector.kafka import KafkaFailure
from collector.learning.learner import learn_now
from collector.learning.watching import watch_now
from collector.miner import mine_now
from collector.upkeep import judge_anew, keep_up, sweep_now


@shared_task(ignore_result=True)
def sweep() -> None:
    swept = sweep_now()
    if swept.changed:
        publish.send(swept.changed, swept.alerts)


@shared_task(ignore_result=True)
def announce() -> None:
    announce_now()


@shared_task(ignore_result=True)
def mine() -> None:
    mine_now()


@shared_task(ignore_result=True)
def learn() -> None:
    for chunk in judge_anew() if learn_now() else ():
        publish.send(chunk.changed, chunk.alerts)


@shared_task(ignore_result=True)
def watch_groups() -> None:
    with contextlib.suppress(KafkaFailure):  # said by the collector
        watch_now()


@shared_task(ignore_result=True)
def upkeep() -> None:
    keep_up()
    for chunk in judge_anew():
        publish.send(chunk.changed, chunk.alerts)
