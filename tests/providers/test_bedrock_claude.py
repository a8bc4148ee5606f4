from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from testing import anthropic_samples
from testing import eventstreams

from llmgate import errors
from llmgate import providers
from llmgate.contract import Deployment
from llmgate.contract import Operation
from llmgate.providers import bedrock
from llmgate.providers.bedrock_claude import BEDROCK_CLAUDE

CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
BASE = "https://bedrock-runtime.eu-west-1.amazonaws.com"
DEPLOYMENT = Deployment("g", "bedrock", CLAUDE, BASE, settings={"aws_region_name": "eu-west-1"})
MESSAGES: Operation = BEDROCK_CLAUDE.operations["messages"]
ARN = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"


def chunk(event: dict[str, Any]) -> bytes:
    packed = base64.b64encode(json.dumps(event).encode()).decode()
    return eventstreams.event("chunk", {"bytes": packed, "p": "abc"})


def relayed(pieces: Iterator[bytes]) -> bytes:
    assert MESSAGES.stream_filter
    return b"".join(MESSAGES.stream_filter(pieces, False, lambda usage: None))


@pytest.mark.parametrize(
    ("model", "info", "wanted"),
    [
        (CLAUDE, {}, True),
        (f"converse/{CLAUDE}", {}, True),
        (f"us-east-1/{CLAUDE}", {}, True),
        ("amazon.nova-pro-v1:0", {}, False),
        (ARN, {}, False),
        (ARN, {"base_model": "anthropic.claude-haiku-4-5"}, True),
    ],
)
def test_claude_is_asked_in_its_own_words(model: str, info: Any, wanted: bool) -> None:
    found = providers.serving(DEPLOYMENT._replace(model=model, info=info))

    assert ("messages" in found.operations) == wanted
    assert found.operations.keys() >= bedrock.BEDROCK.operations.keys()


@pytest.mark.parametrize("stream", [None, False, True])
def test_a_body_is_invoked_with(stream: bool | None) -> None:
    body = {"model": "g", "max_tokens": 9, "messages": [], "stream": stream}

    call = MESSAGES.build(body, DEPLOYMENT)

    action = "invoke-with-response-stream" if stream else "invoke"
    assert call.url == f"{BASE}/model/{CLAUDE.replace(':', '%3A')}/{action}"
    assert isinstance(call.data, bytes)
    assert json.loads(call.data) == {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [],
    }


@pytest.mark.parametrize("name", anthropic_samples.STREAMS)
def test_events_are_unpacked(name: str) -> None:
    events = anthropic_samples.events(name)
    data = b"".join(map(chunk, events))

    for size in (1, 100, len(data)):
        got = relayed(iter(eventstreams.cut(data, size)))

        blocks = [block.split(b"\n") for block in got.removesuffix(b"\n\n").split(b"\n\n")]
        assert [json.loads(lines[1].removeprefix(b"data: ")) for lines in blocks] == events
        assert [lines[0].decode() for lines in blocks] == [f"event: {e['type']}" for e in events]


def test_events_that_are_not_known_are_left_out() -> None:
    events = anthropic_samples.events("text")
    strange = eventstreams.event("other", {"a": 1})

    got = relayed(iter([strange, *map(chunk, events)]))

    assert got.count(b"event: ") == len(events)


def test_an_exception_is_raised() -> None:
    first = chunk(anthropic_samples.events("text")[0])

    with pytest.raises(errors.UpstreamError, match=r"Slow\.") as caught:
        relayed(iter([first, eventstreams.exception("throttlingException", "Slow.")]))

    assert caught.value.status == 429


def test_a_stream_that_ends_too_soon_is_cut_short() -> None:
    with pytest.raises(errors.CutShort):
        relayed(iter(map(chunk, anthropic_samples.events("text")[:-1])))


BARE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
COUNT: Operation = BEDROCK_CLAUDE.operations["count_tokens"]
EAST = "https://bedrock-runtime.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("model", "over", "base"),
    [
        (CLAUDE, {}, BASE),
        (BARE, {}, BASE),
        (f"converse/{CLAUDE}", {}, BASE),
        (f"us-east-1/{CLAUDE}", {}, EAST),
        (ARN, {"info": {"base_model": BARE}}, BASE),
        (BARE, {"settings": {"aws_region_name": "eu-west-1", "model_id": ARN}}, BASE),
    ],
)
def test_tokens_are_counted_for_the_model_behind_a_profile(
    model: str, over: Any, base: str
) -> None:
    call = COUNT.build({"model": "g", "messages": []}, DEPLOYMENT._replace(model=model, **over))

    assert call.url == f"{base}/model/{BARE.replace(':', '%3A')}/count-tokens"
    packed = json.loads(bytes(call.data))["input"]["invokeModel"]["body"]
    assert json.loads(base64.b64decode(packed)) == {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 1,
        "messages": [],
    }


def test_the_count_is_anthropics() -> None:
    assert COUNT.parse({"inputTokens": 14}, DEPLOYMENT) == {"input_tokens": 14}
