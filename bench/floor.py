"""The floor: the least that the card's stack can do. One Flask view, one pooled session, raw bytes.

    gunicorn -c python:llmgate.gunicorn_conf --chdir bench floor:app

It checks nothing and reads nothing of what it passes on; llmgate's CPU is measured against it.
"""

import json
import os

import requests
from flask import Flask
from flask import Response
from flask import request
from requests.adapters import HTTPAdapter

UPSTREAM = os.environ.get("FLOOR_UPSTREAM", "http://127.0.0.1:18001/v1")
HEADERS = {"Authorization": "Bearer sk-up", "Content-Type": "application/json"}

app = Flask(__name__, static_folder=None)
session = requests.Session()
session.trust_env = False
session.mount("http://", HTTPAdapter(pool_connections=8, pool_maxsize=64))


@app.post("/v1/chat/completions")
def chat() -> Response:
    """Forward a chat."""
    data = request.get_data()
    stream = json.loads(data).get("stream")
    answer = session.post(
        f"{UPSTREAM}/chat/completions", data=data, headers=HEADERS, stream=True, timeout=(5, 600)
    )
    kind = answer.headers.get("content-type")
    if not stream:
        return Response(answer.raw.read(), answer.status_code, content_type=kind)

    def pieces():
        while piece := answer.raw.read1(65536):
            yield piece

    response = Response(pieces(), content_type=kind, direct_passthrough=True)
    response.call_on_close(answer.close)
    return response


@app.get("/health")
def health() -> str:
    """Return 200."""
    return "ok"
