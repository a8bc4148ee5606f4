"""gunicorn as the `llmgate` command runs it; the command imports this module last.

gunicorn reads WEB_CONCURRENCY when it is imported, and fails with a traceback if it is invalid.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from types import ModuleType
from typing import Any
from wsgiref.types import WSGIApplication

from gunicorn.app.base import BaseApplication


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with our settings module, options of the command line over it, and our app."""

    def __init__(
        self,
        create_app: Callable[[], WSGIApplication],
        conf: ModuleType,
        options: Mapping[str, Any],
    ) -> None:
        self._create_app = create_app
        self._conf = conf
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """Apply the settings of the module, then the options."""
        for name in self.cfg.settings:
            value = getattr(self._conf, name, None)
            if value is not None:
                self.cfg.set(name, value)
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        """Return the application, created after gevent has patched the standard library."""
        return self._create_app()
