"""PostgreSQL as the embedded one: where it does not run, a sentence says what to do, at the first query."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dashboard.database import base
from dashboard.parts.addresses import POSTGRES_SOCKET, PartMissing


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if not (Path(self.settings_dict["HOST"]) / POSTGRES_SOCKET).exists():
            raise PartMissing("database", "DATABASE_URL")
        return super().get_new_connection(conn_params)
