"""The configuration file: read, checked with the place of every error, and read anew when it changes."""

from collector.config.alerting import Alerting
from collector.config.bus import Bus
from collector.config.loader import Config, Topics, check, current, load, parse, text_of
from collector.config.services import Service
from collector.config.yaml_reader import ConfigError

__all__ = [
    "Alerting",
    "Bus",
    "Config",
    "ConfigError",
    "Service",
    "Topics",
    "check",
    "current",
    "load",
    "parse",
    "text_of",
]
