"""Parts that are modules of ours: each in a process of its own, on a port of its choice, told when it is ready."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dashboard.parts.process import Launcher, stop

PATIENCE_SECONDS = 20


@contextmanager
def running(name: str, module: str, folder: Path, launcher: Launcher) -> Iterator[dict[str, str]]:
    """`python -m module` while the block runs; yields what it tells of its address. Nothing else is in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    address = folder / "address.json"
    address.unlink(missing_ok=True)
    process = launcher.start(name, [sys.executable, "-m", module, "--address-file", address])
    try:
        launcher.wait_until(address.exists, name, process, seconds=PATIENCE_SECONDS)
        told: dict[str, str] = json.loads(address.read_text())
        yield told
    finally:
        stop(process)


def address_file(description: str) -> Path | None:
    """The command line of such a module: the file that is to hold its address, if any."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--address-file", type=Path, help="a file to make, with the address, when it is ready")
    path: Path | None = parser.parse_args().address_file
    return path


def tell(address: Mapping[str, str], path: Path | None) -> None:
    """Print the address as JSON, and put it into the file, which appears whole."""
    text = json.dumps(address)
    if path:
        draft = path.with_suffix(".new")
        draft.write_text(text)
        draft.rename(path)
    print(text, flush=True)
