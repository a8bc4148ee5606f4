"""The operator's configuration: file and environment in, settings out."""

from __future__ import annotations

from llmgate.config.network_settings import Web
from llmgate.config.settings import MEGABYTE
from llmgate.config.settings import Settings
from llmgate.config.settings import load

__all__ = ["MEGABYTE", "Settings", "Web", "load"]
