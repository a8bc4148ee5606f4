"""`extra_headers` of the configuration and of the client."""

from __future__ import annotations

import re
from collections.abc import Mapping

from llmgate.contract import Body
from llmgate.contract import Call
from llmgate.contract import Deployment

_OWN_HEADERS = re.compile(
    r"(?i)authorization|cookie|host|connection|content-.*|transfer-encoding|te|trailer|upgrade"
    r"|keep-alive|proxy-.*|x-api-key|api-key|x-goog-api-key|accept-encoding"
)


def completed(call: Call, deployment: Deployment, body: Body) -> Call:
    """Return *call* with the extra headers of *deployment* and *body*, but not our own."""
    extra = {}
    for source in (deployment.settings, body):
        named = source.get("extra_headers")
        if isinstance(named, Mapping):
            extra.update({str(name): str(value) for name, value in named.items()})
    kept = {name: value for name, value in extra.items() if not _OWN_HEADERS.fullmatch(name)}
    return call._replace(headers={**kept, **call.headers}) if kept else call
