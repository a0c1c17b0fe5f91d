"""The output of many processes on one terminal: a line at a time, each with the name of who said it, in its colour."""

from __future__ import annotations

import os
import sys
import threading
from typing import TextIO

COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)
BOLD, RED, PLAIN = "\033[1m", "\033[31m", "\033[0m"


class Output:
    def __init__(self, stream: TextIO = sys.stdout, width: int = 12) -> None:
        self._stream = stream
        self._width = width
        self._lock = threading.Lock()
        self._colours: dict[str, int] = {}
        self._coloured = "NO_COLOR" not in os.environ and (stream.isatty() or "FORCE_COLOR" in os.environ)

    def line(self, name: str, text: str) -> None:
        """A line of a process."""
        with self._lock:
            colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
            style = f"\033[{colour}m"
            self._write(self._paint(f"{name:<{self._width}} |", style) + f" {text}")

    def say(self, text: str, *, bad: bool = False) -> None:
        """A sentence of our own."""
        with self._lock:
            self._write(self._paint(text, BOLD + RED if bad else BOLD))

    def _paint(self, text: str, style: str) -> str:
        return f"{style}{text}{PLAIN}" if self._coloured else text

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except OSError:
            # Whoever read us is gone (Ctrl-C reaches `tee`, too): that is no reason to end in disorder.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
