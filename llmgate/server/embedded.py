"""gunicorn as the command `llmgate` runs it; the command imports it last.

gunicorn reads WEB_CONCURRENCY when it is imported, and ends in a traceback if it is no number.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from types import ModuleType
from typing import Any
from wsgiref.types import WSGIApplication

from gunicorn.app.base import BaseApplication


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with our settings module, what the command line says over it, and our app."""

    def __init__(
        self, made: Callable[[], WSGIApplication], conf: ModuleType, options: Mapping[str, Any]
    ) -> None:
        self._made = made
        self._conf = conf
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """Take the settings of the module, then the options."""
        for name in self.cfg.settings:
            value = getattr(self._conf, name, None)
            if value is not None:
                self.cfg.set(name, value)
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        """Return the application, made after gevent has replaced what it replaces."""
        return self._made()
