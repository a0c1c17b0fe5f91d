"""Where this run of the tests keeps its things: a folder of its own, with a short name because sockets lie in it."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(tempfile.mkdtemp(prefix="choreoscope-test-"))
POSTGRES = FOLDER / "postgres"
REDIS = FOLDER / "redis"
VAR = FOLDER / "var"

atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
