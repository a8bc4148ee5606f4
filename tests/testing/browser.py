"""The dashboard in this process, used as a browser uses it.

browser = Browser(client).log_in()
browser.get("/ui/keys").text
browser.post("/ui/keys", key_alias="ci")        a form, with the token of its page
"""

from __future__ import annotations

import re
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

MASTER = "sk-master-0001"
ADMIN = {"Authorization": f"Bearer {MASTER}"}


class Browser:
    """A client of the app that keeps its cookie, as a browser does, and sends forms."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.page: TestResponse | None = None

    def get(self, path: str, **headers: str) -> TestResponse:
        """Return the page at *path*."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.page = self.client.get(path, headers={"Accept": "text/html", **named}, buffered=True)
        return self.page

    def token(self, path: str = "/ui/login") -> str:
        """Return the CSRF token in the forms of the page at *path*."""
        found = re.search('name="csrf" value="([0-9a-f]+)"', self.get(path).text)
        assert found, self.page
        return found[1]

    def post(self, path: str, on: str = "/ui/settings", **form: Any) -> TestResponse:
        """Return the answer to a form of the page *on*, sent to *path*."""
        return self.client.post(path, data={"csrf": self.token(on), **form})

    def log_in(self, key: str = MASTER) -> Browser:
        """Log in with *key*."""
        got = self.post("/ui/login", on="/ui/login", key=key)
        assert got.status_code == 303, got.text
        return self
