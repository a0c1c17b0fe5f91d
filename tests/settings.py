"""The settings under test: those of the dashboard, on the parts that the tests start (tests.stack) and no others."""

import os

from dashboard.parts.addresses import database_url, redis_url
from tests.stack import place

for name in [name for name in os.environ if name.startswith(("KAFKA_", "DEMO_", "CHOREOSCOPE_", "SCHEMA_REGISTRY_"))]:
    del os.environ[name]
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL") or database_url(place.POSTGRES)
os.environ["REDIS_URL"] = redis_url(place.REDIS)
os.environ["CHOREOSCOPE_VAR"] = str(place.VAR)
os.environ["SECRET_KEY"] = "a key for tests, and for tests alone"

from dashboard.settings import *  # noqa: E402, F403
from dashboard.settings import STATIC_ROOT  # noqa: E402

STATIC_ROOT.mkdir(parents=True)  # empty: the tests' static files come from where they lie

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

ACCESS = "read"
"""As in the demo; tests of who may do what set it otherwise."""
