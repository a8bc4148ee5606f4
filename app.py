"""The WSGI entry: `gunicorn -c python:llmgate.gunicorn_conf app:app`."""

import os
import sys

from flask import Flask

from llmgate import config
from llmgate import create_app
from llmgate.errors import ConfigError


def made() -> Flask:
    """Return the app that the environment describes, now and after each SIGHUP."""
    found = create_app(config.load(os.environ.get("LLMGATE_CONFIG"), os.environ))
    found.extensions["llmgate.reload"] = made
    return found


try:
    app = made()
except ConfigError as error:
    for line in str(error).splitlines():
        print(f"llmgate: {line}", file=sys.stderr)
    sys.exit(2)
