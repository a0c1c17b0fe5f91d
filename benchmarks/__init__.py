"""Measurements. Speed belongs here, not into tests: `make bench`, or one of the modules by its name."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
django.setup()
