"""The dashboard as a part of an app: its pages, its logins, where a browser is led to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from flask import Flask
from flask import Response
from flask import request

from llmgate import config
from llmgate.dashboard import frame
from llmgate.dashboard import logins
from llmgate.dashboard.views import keys
from llmgate.dashboard.views import login
from llmgate.dashboard.views import models
from llmgate.dashboard.views import overview
from llmgate.dashboard.views import own
from llmgate.dashboard.views import playground
from llmgate.dashboard.views import requests as requests_page
from llmgate.dashboard.views import settings as settings_page
from llmgate.dashboard.views import teams
from llmgate.dashboard.views import usage
from llmgate.endpoints import auth
from llmgate.storage import places
from llmgate.storage.sessions import Sessions

_PAGES = (keys, login, models, overview, own, playground)
_MORE_PAGES = (requests_page, settings_page, teams, usage)
"""The modules whose views are on the blueprint."""


def register(app: Flask, settings: config.Settings, warnings: Sequence[str]) -> None:
    """Add the dashboard to *app*; it shows the *warnings* of the configuration.

    No template is read before the first page is opened.
    """
    app.extensions["llmgate.warnings"] = tuple(warnings)
    secret = settings.master_key
    app.extensions["llmgate.logins"] = logins.Logins(
        Sessions(places.database(settings.access.place, "sessions")),
        app.extensions["llmgate.access"],
        hashlib.sha256(secret.encode()).digest() if secret else None,
    )
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.register_blueprint(frame.blueprint)
    described = app.view_functions["health.root"]

    @auth.public
    def root() -> Response:
        """Lead a browser to the dashboard; describe the service to other clients."""
        if settings.dashboard and "text/html" in request.headers.get("Accept", ""):
            return frame.go("/ui")
        return app.ensure_sync(described)()  # type: ignore[no-any-return]

    app.view_functions["health.root"] = root
