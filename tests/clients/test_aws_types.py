"""AWS's own SDK judges our requests, signatures and samples.

boto3's client is given fake answers before anything is sent, and what it would have sent is kept.
"""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Iterator
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import eventstream as theirs
from botocore.awsrequest import AWSPreparedRequest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import EventStreamError
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from testing import eventstreams

from llmgate.codecs import aws_eventstream
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.providers import aws_sigv4
from llmgate.providers import serving
from llmgate.providers.bedrock import BEDROCK
from llmgate.providers.sagemaker import SAGEMAKER

SAMPLES = Path(__file__).parents[1] / "samples" / "bedrock"
KEYS = aws_sigv4.Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "token==")
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))


class Body(io.BytesIO):
    """A raw response as botocore reads it."""

    def stream(self, amt: int = 1024, decode_content: bool = False) -> Iterator[bytes]:
        while piece := self.read(amt):
            yield piece


class Sdk:
    """A client of AWS's SDK that gets a given answer and keeps what it would have sent."""

    def __init__(self, service: str, answer: bytes, content_type: str) -> None:
        self.sent: list[AWSPreparedRequest] = []
        self.answer = answer
        self.content_type = content_type
        self.client = boto3.client(
            service,
            region_name="us-east-1",
            aws_access_key_id=KEYS.access_key_id,
            aws_secret_access_key=KEYS.secret_access_key,
            aws_session_token=KEYS.session_token,
            config=Config(retries={"max_attempts": 0}),
        )
        self.client.meta.events.register("before-send", self.before_send)

    def before_send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.sent.append(request)
        headers = {"content-type": self.content_type, "x-amzn-requestid": "1"}
        return AWSResponse(request.url, 200, headers, Body(self.answer))


def bedrock(answer: bytes, content_type: str = "application/json") -> Sdk:
    return Sdk("bedrock-runtime", answer, content_type)


def streaming(answer: bytes) -> Sdk:
    return bedrock(answer, aws_eventstream.MEDIA_TYPE)


@pytest.fixture(scope="module", autouse=True)
def no_environment() -> Iterator[None]:
    """Nothing of what this machine knows of AWS."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="module")
def plain() -> Sdk:
    """A client of Bedrock that always gets the same text."""
    return bedrock(json.dumps(sample("reply_text")["reply"]).encode())


@pytest.mark.parametrize("name", ["reply_text", "reply_tools"])
def test_sampled_replies_are_what_the_sdk_reads(name: str) -> None:
    wanted = sample(name)["reply"]

    got = bedrock(json.dumps(wanted).encode()).client.converse(modelId=CLAUDE, messages=HELLO)

    del got["ResponseMetadata"]
    assert in_base64(got) == wanted


@pytest.mark.parametrize("name", ["stream_text", "stream_tools"])
def test_sampled_streams_are_what_the_sdk_reads(name: str) -> None:
    events = sample(name)["events"]
    sdk = streaming(eventstreams.stream(events))

    got = sdk.client.converse_stream(modelId=CLAUDE, messages=HELLO)["stream"]

    assert [in_base64(event) for event in got] == [
        {kind: {key: value for key, value in payload.items() if key != "p"}}
        for kind, payload in events
    ]


@pytest.mark.parametrize(
    "kind", ["throttlingException", "modelStreamErrorException", "serviceUnavailableException"]
)
def test_exceptions_in_a_stream_are_what_the_sdk_reads(kind: str) -> None:
    data = eventstreams.event("messageStart", {"role": "assistant"})
    sdk = streaming(data + eventstreams.exception(kind, "No."))
    got = iter(sdk.client.converse_stream(modelId=CLAUDE, messages=HELLO)["stream"])

    assert next(got) == {"messageStart": {"role": "assistant"}}
    with pytest.raises(EventStreamError, match=rf"\({kind}\).*No\."):
        next(got)


def test_the_parts_of_a_containers_stream_are_what_the_sdk_reads() -> None:
    data = eventstreams.event("PayloadPart", b"data: {}") + eventstreams.event("PayloadPart", b"\n")
    sdk = Sdk("sagemaker-runtime", data, aws_eventstream.MEDIA_TYPE)

    got = sdk.client.invoke_endpoint_with_response_stream(EndpointName="e", Body=b"{}")["Body"]

    assert [event["PayloadPart"]["Bytes"] for event in got] == [b"data: {}", b"\n"]


def in_base64(value: Any) -> Any:
    """Return *value* with its bytes as they are on the wire."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {key: in_base64(inner) for key, inner in value.items()}
    return [in_base64(inner) for inner in value] if isinstance(value, list) else value


def in_bytes(value: Any) -> Any:
    """Return *value* with what the wire has in base64 as the bytes that the SDK wants."""
    if isinstance(value, dict):
        return {
            key: base64.b64decode(inner) if key in ("bytes", "redactedContent") else in_bytes(inner)
            for key, inner in value.items()
        }
    return [in_bytes(inner) for inner in value] if isinstance(value, list) else value


PNG = base64.b64encode(b"\x89PNG\r\n").decode()
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CACHED = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
CONVERSATION = [
    {"role": "system", "content": [{"type": "text", "text": "Be brief.", **CACHED}]},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "Weather?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            {"type": "input_audio", "input_audio": {"format": "wav", "data": PNG}},
            {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{PNG}"}},
            {
                "type": "file",
                "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PNG}"},
            },
            {"type": "guarded_text", "text": "guarded", **CACHED},
        ],
    },
    {
        "role": "assistant",
        "content": "I look.",
        "thinking_blocks": [
            {"type": "thinking", "thinking": "Hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": PNG},
        ],
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"city":"Zürich","x":[1,null]}'},
            },
            {"id": "odd id", "type": "function", "function": {"name": "now", "arguments": ""}},
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "sun", **CACHED},
    {"role": "tool", "tool_call_id": "odd id", "content": ""},
]
TOOLS = [
    {
        "type": "function",
        "function": {"name": "weather", "description": "Weather", "parameters": CITY},
        **CACHED,
    },
    {"type": "function", "function": {"name": "now"}},
]
SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "n", "description": "d", "schema": CITY, "strict": True},
}
BODIES: dict[str, dict[str, Any]] = {
    "plain": {"messages": [{"role": "user", "content": "Hello 🙂"}]},
    "all": {
        "messages": CONVERSATION,
        "tools": TOOLS,
        "tool_choice": "required",
        "max_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.25,
        "stop": ["a"],
        "top_k": 5,
        "service_tier": "flex",
        "reasoning_effort": "low",
        "guardrailConfig": {"guardrailIdentifier": "g1", "guardrailVersion": "1"},
        "requestMetadata": {"team": "a"},
        "performanceConfig": {"latency": "standard"},
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
    },
    "history": {"messages": CONVERSATION},
    "named": {
        "messages": CONVERSATION,
        "tools": TOOLS,
        "tool_choice": {"type": "function", "function": {"name": "now"}},
    },
    "schema": {"messages": CONVERSATION, "response_format": SCHEMA},
    "object": {"messages": CONVERSATION, "response_format": {"type": "json_object"}},
}
MODELS = (CLAUDE, "amazon.nova-2-lite-v1:0", "mistral.mistral-large-2402-v1:0", "meta.llama3")


def deployment(model: str = CLAUDE, **settings: str) -> Deployment:
    given = {
        "aws_access_key_id": KEYS.access_key_id,
        "aws_secret_access_key": KEYS.secret_access_key,
        "aws_session_token": KEYS.session_token,
        "aws_region_name": "us-east-1",
        **settings,
    }
    return Deployment("m", "bedrock", model, BEDROCK.base_url(given), settings=given)


def document(data: Any) -> Any:
    return json.loads(data)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", BODIES)
def test_our_requests_are_what_the_sdk_takes_and_sends(plain: Sdk, name: str, model: str) -> None:
    ours = BEDROCK.operations["chat"].build(BODIES[name], deployment(model))

    plain.client.converse(modelId=model, **in_bytes(document(ours.data)))

    request = plain.sent.pop()
    assert request.method == ours.method
    assert request.url == ours.url
    assert document(request.body) == document(ours.data)


def test_tokens_are_counted_as_the_sdk_does() -> None:
    sdk = bedrock(b'{"inputTokens": 14}')
    model = CLAUDE.removeprefix("us.")
    here = deployment(CLAUDE)
    count = serving(here).operations["count_tokens"]
    ours = count.build({"model": "g", "messages": HELLO}, here)

    packed = base64.b64decode(document(ours.data)["input"]["invokeModel"]["body"])
    got = sdk.client.count_tokens(modelId=model, input={"invokeModel": {"body": packed}})

    request = sdk.sent.pop()
    assert (request.method, request.url) == (ours.method, ours.url)
    assert document(request.body) == document(ours.data)
    assert count.parse({"inputTokens": 14}, here) == {"input_tokens": got["inputTokens"]}


def test_a_stream_is_asked_for_where_the_sdk_does() -> None:
    sdk = streaming(b"")
    ours = BEDROCK.operations["chat"].build({**BODIES["plain"], "stream": True}, deployment())

    sdk.client.converse_stream(modelId=CLAUDE, **document(ours.data))

    assert sdk.sent.pop().url == ours.url


def test_an_arn_is_quoted_as_the_sdk_does(plain: Sdk) -> None:
    ours = BEDROCK.operations["chat"].build(BODIES["plain"], deployment(PROFILE))

    plain.client.converse(modelId=PROFILE, messages=HELLO)

    assert plain.sent.pop().url == ours.url


def test_models_and_endpoints_are_invoked_where_the_sdk_does() -> None:
    embedding = bedrock(b"{}")
    endpoint = Sdk("sagemaker-runtime", b"{}", "application/json")
    here = deployment("my-endpoint")
    here = here._replace(api_base=SAGEMAKER.base_url(here.settings))

    invoked = BEDROCK.operations["embeddings"].build(
        {"input": "a"}, deployment("cohere.embed-v4:0")
    )
    called = SAGEMAKER.operations["chat"].build(BODIES["plain"], here)
    streamed = SAGEMAKER.operations["chat"].build({**BODIES["plain"], "stream": True}, here)
    embedding.client.invoke_model(modelId="cohere.embed-v4:0", body=invoked.data)
    endpoint.client.invoke_endpoint(EndpointName="my-endpoint", Body=called.data)
    endpoint.client.invoke_endpoint_with_response_stream(EndpointName="my-endpoint", Body=b"")

    assert embedding.sent.pop().url == invoked.url
    assert [request.url for request in endpoint.sent] == [called.url, streamed.url]


def signed_as(request: AWSPreparedRequest, service: str) -> dict[str, str]:
    """Return our headers for what the SDK signed, at the second it did."""
    theirs = {key: as_text(value) for key, value in request.headers.items()}
    names = theirs["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    told = {key: value for key, value in theirs.items() if key.lower() in names}
    at = datetime.strptime(theirs["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    call = Call(request.method, request.url, told, request.body or b"")
    return aws_sigv4.signed(call, KEYS, "us-east-1", service, at).headers


def as_text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("model", [CLAUDE, PROFILE])
def test_our_signature_is_the_sdks(plain: Sdk, model: str) -> None:
    plain.client.converse(modelId=model, messages=[{"role": "user", "content": [{"text": "é🙂"}]}])
    request = plain.sent.pop()

    got = signed_as(request, "bedrock")

    assert got["Authorization"] == as_text(request.headers["Authorization"])


def test_our_signature_for_sagemaker_is_the_sdks() -> None:
    sdk = Sdk("sagemaker-runtime", b"{}", "application/json")
    sdk.client.invoke_endpoint(
        EndpointName="e", Body=b'{"a": 1}', ContentType="application/json", TargetVariant="v"
    )
    request = sdk.sent.pop()

    got = signed_as(request, "sagemaker")

    assert got["Authorization"] == as_text(request.headers["Authorization"])


def parsed(data: bytes) -> list[tuple[dict[str, Any], bytes]]:
    buffer = theirs.EventStreamBuffer()
    buffer.add_data(data)
    return [(message.headers, message.payload) for message in buffer]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50), max_size=4),
            st.binary(max_size=200),
        ),
        max_size=4,
    )
)
def test_any_messages_are_read_as_the_sdk_reads_them(
    messages: list[tuple[dict[str, str], bytes]],
) -> None:
    data = b"".join(eventstreams.message(*message) for message in messages)

    assert list(aws_eventstream.messages([data] if data else [])) == parsed(data) == messages
