"""Waiting for what is to come, instead of sleeping for as long as it usually takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


def poll_until(condition: Callable[[], T], timeout: float, what: str, every: float = 0.05) -> T:
    """Call until the answer is true, and return it; fail the test with a sentence when `timeout` seconds are over.

    An AssertionError within the condition counts as "not yet", and is told if it stays.
    """
    deadline = time.monotonic() + timeout
    while True:
        last: object = None
        try:
            if last := condition():
                return last
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            pytest.fail(f"Waited {timeout:g} s in vain for {what}. Last answer: {last!r}")
        time.sleep(every)
