"""What a request leaves behind: nothing that only a collection of garbage finds."""

from __future__ import annotations

import gc
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import deployment
from testing.inprocess import CHAT
from testing.inprocess import asks
from testing.inprocess import posted
from testing.upstream import CUT
from testing.upstream import Upstream
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import error_body
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import refused_url
from testing.upstream import sse

import llmgate

OURS = str(Path(llmgate.__file__).parent)
AppFor = Callable[..., FlaskClient]
REFUSED = json_answer(error_body("no"), 400)
BROKEN = json_answer(error_body("oh"), 500)
GOOD = json_answer(chat_completion())
CASES: list[Any] = [
    ([REFUSED], False, 400),
    ([REFUSED], True, 400),
    ([raw(CUT)], False, 502),
    ([raw(b"nonsense\r\n")], False, 502),
    ([json_answer({"no": "completion"})], False, 502),
    ([sse([chat_chunks()[0], CUT])], True, 200),
    ([BROKEN, GOOD], False, 200),
    ([BROKEN, BROKEN], False, 500),
]


@pytest.fixture
def left() -> Iterator[Callable[[], list[str]]]:
    """A function that returns the frames of ours that are garbage since the test began."""
    gc.collect()
    gc.disable()

    def found() -> list[str]:
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        gc.set_debug(0)
        frames = [each for each in gc.garbage if isinstance(each, FrameType)]
        codes = [each.f_code for each in frames]
        return [code.co_qualname for code in codes if code.co_filename.startswith(OURS)]

    yield found
    gc.garbage.clear()
    gc.enable()


@pytest.mark.parametrize(("answers", "stream", "status"), CASES)
def test_a_failure_keeps_no_frames(
    answers: Any,
    stream: bool,
    status: int,
    app_for: AppFor,
    upstream: Upstream,
    left: Callable[[], list[str]],
) -> None:
    entry = deployment("gpt-4o", upstream.url)
    client = app_for({"model_list": [entry], "router_settings": {"num_retries": len(answers) - 1}})
    upstream.plays(*answers)

    reply = posted(client, asks(stream=stream))

    assert reply.status_code == status
    assert left() == []


def test_an_upstream_that_is_not_there_leaves_no_frames(
    app_for: AppFor, left: Callable[[], list[str]]
) -> None:
    client = app_for({"model_list": [deployment("gpt-4o", refused_url(), num_retries=0)]})

    assert posted(client, asks()).status_code == 503
    assert left() == []


def test_a_stream_that_is_not_read_to_its_end_leaves_no_frames(
    app_for: AppFor, upstream: Upstream, left: Callable[[], list[str]]
) -> None:
    client = app_for({"model_list": [deployment("gpt-4o", upstream.url)]})
    upstream.plays(sse(chat_chunks("Hel", "lo")))

    reply = client.post(CHAT, json=asks(stream=True), buffered=False)
    next(reply.iter_encoded())
    reply.close()

    assert left() == []


def test_a_group_that_rests_leaves_no_frames(
    app_for: AppFor, upstream: Upstream, left: Callable[[], list[str]]
) -> None:
    entry = deployment("gpt-4o", upstream.url, rpm=1)
    client = app_for({"model_list": [entry], "router_settings": {"num_retries": 0}})
    upstream.plays(GOOD)
    assert posted(client, asks()).status_code == 200

    assert posted(client, asks()).status_code == 429
    assert left() == []


def test_several_models_that_all_fail_leave_no_frames(
    app_for: AppFor, upstream: Upstream, left: Callable[[], list[str]]
) -> None:
    entries = [deployment(name, upstream.url) for name in ("a", "b")]
    client = app_for({"model_list": entries, "router_settings": {"num_retries": 0}})
    upstream.plays(REFUSED, REFUSED)

    assert posted(client, asks(model="a,b")).status_code == 400
    assert left() == []
