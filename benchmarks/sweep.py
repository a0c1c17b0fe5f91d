"""What the sweep costs: it follows what is due, not what is open.

    python -m benchmarks.sweep [--open 1000000] [--due 10000]

On a PostgreSQL of its own, with one stored transaction multiplied: so many are open, each with a deadline. Deadlines
are written and settled for as many transactions as an hour of 250 a second brings, so that the table and its index are
as worn as they would be. Then watermarks pass the deadlines of some, and the sweep is timed. Before and after, sweeps
with nothing due are timed, with a hundredth of the transactions and with all of them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from dashboard.parts import postgres

ROOT = Path(__file__).parent.parent


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--open", type=int, default=1_000_000)
    parser.add_argument("--due", type=int, default=10_000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="choreoscope-bench-") as folder:
        Path(folder).chmod(0o755)
        with postgres.running(Path(folder) / "postgres") as database:
            environment = {
                **os.environ,
                "DATABASE_URL": database,
                "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
                "REDIS_URL": "redis://127.0.0.1:1",
                "CHOREOSCOPE_CONFIG": str(ROOT / "benchmarks" / "choreoscope.yaml"),
                "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            }
            migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
            subprocess.run(migrate, cwd=ROOT, env=environment, check=True)
            measure = [sys.executable, "-m", "benchmarks.sweeping", str(options.open), str(options.due)]
            subprocess.run(measure, cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    main()
