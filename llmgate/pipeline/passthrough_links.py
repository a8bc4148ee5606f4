"""Addresses in an upstream's answers that clients request next: they must lead through the gateway.

The client has a key of the gateway's, which the upstream does not know and must not get.
Sources: https://platform.claude.com/docs/en/build-with-claude/batch-processing (`results_url`),
https://ai.google.dev/api/files (`x-goog-upload-url`)
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote

from llmgate import errors
from llmgate.contract import Answer
from llmgate.upstream import session as http_session

UPLOAD = "x-goog-upload-url"
_RESULTS = re.compile(rb'("results_url"\s*:\s*")([^"\\]*)(")')
_BATCHES = re.compile(r"/messages/batches(/[^/?]+(/cancel)?)?(\?|$)")
_LARGEST = 4 * 1024 * 1024  # of a list of batches


class Links(NamedTuple):
    """Where the upstream is, and what stands for it."""

    upstream: str  # without the path of the API
    own: str  # the gateway, as the client has it
    key: str = ""  # the client's, for requests that the client makes without headers

    def __repr__(self) -> str:
        """Return it without the key."""
        return f"Links({self.upstream!r}, {self.own!r})"

    def own_link(self, link: str) -> str:
        """Return the address of the gateway for the upstream's *link*; raises BadUpstream."""
        if not link.startswith(f"{self.upstream}/"):
            raise errors.BadUpstream(
                "The upstream's answer refers to an address of another host, which this gateway"
                " does not pass on."
            )
        return self.own + link.removeprefix(self.upstream)


def may_have(answer: Answer, url: str) -> bool:
    """Return whether *answer*, to a request for *url*, may have such an address."""
    return UPLOAD in answer.headers or (
        answer.content_type == "application/json" and bool(_BATCHES.search(url))
    )


def replaced(answer: Answer, links: Links) -> Answer:
    """Return *answer* with the gateway's addresses in place of the upstream's.

    Raises BadUpstream, and closes it, if there is an address of another host.
    """
    try:
        return _replaced(answer, links)
    except errors.BadUpstream:
        answer.close()
        raise


def _replaced(answer: Answer, links: Links) -> Answer:
    """Return *answer* with the gateway's addresses; raises BadUpstream."""
    headers = dict(answer.headers)
    if UPLOAD in headers:
        link = _without_key(links.own_link(headers[UPLOAD]))
        key = f"&key={quote(links.key, safe='')}" if links.key else ""
        return answer._replace(headers={**headers, UPLOAD: link + key})
    data = http_session.body(answer, _LARGEST)
    found = _RESULTS.sub(
        lambda match: match[1] + links.own_link(match[2].decode()).encode() + match[3], data
    )
    if "content-length" in headers:
        headers["content-length"] = str(len(found))
    return answer._replace(headers=headers, pieces=iter([found]))


def _without_key(link: str) -> str:
    """Return *link* without a key of the upstream's in its query."""
    return re.sub(r"(?<=[?&])key=[^&]*&?", "", link)
