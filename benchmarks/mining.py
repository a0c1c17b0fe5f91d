"""What mining costs, beside PM4Py on the same log.

    python -m benchmarks.mining [--events 250000] [--pm4py var/pm4py/bin/python]

On a PostgreSQL of its own: a log is stored as collectors store it and mined; map and variants are asked for; 1,000 more
events arrive and are mined, ten times in a row, against counting everything anew. The log is then exported as CSV, and
PM4Py, in a process of its own, finds the directly-follows graph and the variants of it; both have to come to the same.
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
    parser.add_argument("--events", type=int, default=250_000)
    parser.add_argument("--pm4py", default="var/pm4py/bin/python", help="a Python that has PM4Py")
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
            measure = [sys.executable, "-m", "benchmarks.mining_within", str(options.events), folder]
            subprocess.run(measure, cwd=ROOT, env=environment, check=True)
        if not Path(ROOT / options.pm4py).exists():
            print(f"PM4Py is not at {options.pm4py}: `make bench` puts it there.")
            return
        beside = [str(ROOT / options.pm4py), str(ROOT / "benchmarks" / "pm4py_beside.py"), folder]
        subprocess.run(beside, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
