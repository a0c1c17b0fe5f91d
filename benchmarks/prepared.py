"""What a worker finds ahead of whoever looks, beside `benchmarks.pages`: all of it at first, as it is when a worker has
been there for a while, which it says; then once a minute, as beat asks for it."""

from __future__ import annotations

import time

import django

django.setup()

from django.conf import settings  # noqa: E402

from dashboard import ahead  # noqa: E402

EVERY = float(str(settings.CELERY_BEAT_SCHEDULE["look-ahead"]["schedule"]))

ROUNDS = 5
"""In which the transactions of all alerts are compared, as they would be after so many minutes."""


def main() -> None:
    while took():
        pass
    for _ in range(ROUNDS):
        ahead.compare_alerts()
    print("prepared", flush=True)
    while True:
        time.sleep(EVERY)
        took()


def took() -> int:
    """Of how many choreographies the rules were looked at; how long that took is said."""
    began, used = time.monotonic(), time.process_time()
    looked = ahead.prepare()
    passed, cpu = time.monotonic() - began, time.process_time() - used
    print(f"looked ahead at {looked} choreographies in {passed:.1f} s, {cpu:.1f} s of them here", flush=True)
    return looked


if __name__ == "__main__":
    main()
