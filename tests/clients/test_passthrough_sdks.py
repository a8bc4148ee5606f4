"""Providers' own SDKs at their prefixes: they read what the provider said, as without a gateway."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from typing import TypeAlias

import anthropic
import boto3
import cohere
import httpx
import openai
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from google import genai
from google.genai import types
from mistralai.client import Mistral
from testing import eventstreams
from testing.gateway import Gateway
from testing.upstream import Answer
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import chat_completion
from testing.upstream import event
from testing.upstream import json_answer

SAMPLES = Path(__file__).parents[1] / "samples"
Logged: TypeAlias = Callable[[], Any]
KEY = "sk-master-0123456789"
HELLO: Any = [{"role": "user", "content": "Hi"}]
MODEL = "anthropic.claude-3-5-sonnet-20241022-v2:0"


def sample(name: str, part: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))[part]


def events(name: str, named: bool = False) -> Answer:
    """Return a recorded stream of server-sent events."""
    said = sample(name, "events")
    data = [event(each, each["type"] if named else None) for each in said]
    return answer(data, headers={"content-type": "text/event-stream"}, framing="chunked")


def binary(data: bytes) -> Answer:
    """Return a stream of AWS's, cut anywhere."""
    pieces = eventstreams.cut(data, 7)
    return answer(pieces, headers={"content-type": eventstreams.MEDIA_TYPE}, framing="chunked")


def _config(up: Upstream) -> dict[str, Any]:
    aws = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "secret"}
    listed: list[dict[str, Any]] = [
        {"model": "openai/gpt-4o", "api_base": f"{up.url}/v1", "api_key": "openai-key"},
        {"model": "anthropic/claude-x", "api_base": up.url, "api_key": "anthropic-key"},
        {"model": "gemini/gemini-x", "api_base": up.url, "api_key": "gemini-key"},
        {"model": "cohere/command-x", "api_base": up.url, "api_key": "cohere-key"},
        {"model": "mistral/mistral-x", "api_base": f"{up.url}/v1", "api_key": "mistral-key"},
        {"model": "bedrock/x", "api_base": up.url, **aws, "aws_region_name": "eu-west-1"},
        {
            "model": "vertex_ai/gemini-x",
            "api_base": up.url,
            "vertex_project": "ours",
            "vertex_access_token": "ya29.token",
        },
    ]
    return {
        "model_list": [{"model_name": e["model"], "litellm_params": e} for e in listed],
        "general_settings": {"master_key": KEY},
        "router_settings": {"disable_cooldowns": True, "num_retries": 0},
    }


@pytest.fixture(scope="module")
def gate(session_upstream: Upstream) -> Iterator[Gateway]:
    """A gateway with a key and an upstream of each kind."""
    with Gateway(_config(session_upstream)) as gateway:
        yield gateway


@pytest.fixture
def logged(gate: Gateway) -> Logged:
    """A function that waits for the log line of the one request that this test makes."""
    before = len(gate.logs())

    def line() -> Any:
        gate.log(lambda each: len(gate.logs()) > before)
        return gate.logs()[before]

    return line


def only(upstream: Upstream) -> tuple[str, str]:
    """Return method and path of the one request that came, having looked for our key in it."""
    (seen,) = upstream.requests
    assert KEY not in f"{seen.path}{seen.headers}{seen.body!r}"
    return seen.method, seen.path


# Anthropic


@pytest.fixture
def claude(gate: Gateway, upstream: Upstream) -> Iterator[anthropic.Anthropic]:
    url = f"{gate.url}/anthropic"
    with anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0) as client:
        yield client


def test_anthropics_client_talks(claude: anthropic.Anthropic, upstream: Upstream) -> None:
    said = sample("anthropic/message_text", "message")
    upstream.plays(json_answer(said))

    batch = claude.post("/v1/messages/x", body={"max_tokens": 9}, cast_to=anthropic.types.Message)

    assert batch.content[0].text == "Hello! How can I help?"  # type: ignore[union-attr]
    assert only(upstream) == ("POST", "/v1/messages/x")
    assert upstream.requests[0].headers["x-api-key"] == "anthropic-key"


def test_anthropics_client_uploads_a_file(claude: anthropic.Anthropic, upstream: Upstream) -> None:
    told = {
        "id": "file_1",
        "type": "file",
        "filename": "a.txt",
        "mime_type": "text/plain",
        "size_bytes": 600_000,
        "created_at": "2026-01-01T00:00:00Z",
        "downloadable": False,
    }
    upstream.plays(json_answer(told))

    got = claude.beta.files.upload(file=("a.txt", b"x" * 600_000, "text/plain"))

    assert got.id == "file_1"
    assert only(upstream)[1].startswith("/v1/files")
    assert upstream.requests[0].parts["file"].content == b"x" * 600_000


def test_anthropics_client_knows_anthropics_errors(
    claude: anthropic.Anthropic, upstream: Upstream
) -> None:
    error = {"type": "error", "error": {"type": "not_found_error", "message": "no"}}
    upstream.plays(json_answer(error, 404, {"request-id": "req_1"}))

    with pytest.raises(anthropic.NotFoundError) as caught:
        claude.messages.batches.retrieve("msgbatch_1")

    assert caught.value.body == error
    assert caught.value.response.headers["request-id"] == "req_1"


def test_anthropics_client_is_told_of_a_wrong_key(gate: Gateway) -> None:
    with (
        anthropic.Anthropic(api_key="x", base_url=f"{gate.url}/anthropic") as client,
        pytest.raises(anthropic.AuthenticationError),
    ):
        client.models.list()


# Google


@pytest.fixture
def gemini(gate: Gateway, upstream: Upstream) -> Iterator[genai.Client]:
    options = types.HttpOptions(base_url=f"{gate.url}/gemini", api_version="v1beta")
    with genai.Client(api_key=KEY, http_options=options) as client:
        yield client


def test_googles_client_talks(gemini: genai.Client, upstream: Upstream) -> None:
    upstream.plays(json_answer(sample("gemini/reply_text", "response")))

    got = gemini.models.generate_content(model="gemini-x", contents="Hi")

    assert got.text == "Grüße aus Köln! 👋"
    assert only(upstream) == ("POST", "/v1beta/models/gemini-x:generateContent")
    assert upstream.requests[0].headers["x-goog-api-key"] == "gemini-key"


def test_googles_client_streams(gemini: genai.Client, upstream: Upstream, logged: Logged) -> None:
    upstream.plays(events("gemini/stream_text"))

    got = list(gemini.models.generate_content_stream(model="gemini-x", contents="Hi"))

    assert len(got) == len(sample("gemini/stream_text", "events"))
    assert only(upstream)[1] == "/v1beta/models/gemini-x:streamGenerateContent?alt=sse"
    line = logged()
    assert (line["model"], line["usage"]["prompt_tokens"]) == ("gemini-x", 9)


def test_googles_client_knows_googles_errors(gemini: genai.Client, upstream: Upstream) -> None:
    error = {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}
    upstream.plays(json_answer(error, 429))

    with pytest.raises(genai.errors.ClientError) as caught:
        gemini.caches.get(name="cachedContents/1")

    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert only(upstream) == ("GET", "/v1beta/cachedContents/1")


def test_googles_client_uploads_a_file(
    gemini: genai.Client, upstream: Upstream, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 300_000)
    told = {"file": {"name": "files/1", "mimeType": "text/plain", "state": "ACTIVE"}}
    place = {"x-goog-upload-url": f"{upstream.url}/upload/v1beta/files?upload_id=u1"}
    upstream.plays(
        json_answer({}, headers={**place, "x-goog-upload-status": "active"}),
        json_answer(told, headers={"x-goog-upload-status": "final"}),
    )

    got = gemini.files.upload(file=path)

    assert got.name == "files/1"
    begun, sent = upstream.requests
    assert (begun.method, begun.path) == ("POST", "/upload/v1beta/files")
    assert begun.headers["x-goog-upload-command"] == "start"
    assert (sent.method, sent.path) == ("POST", "/upload/v1beta/files?upload_id=u1")
    assert (sent.headers["x-goog-upload-command"], sent.body) == (
        "upload, finalize",
        b"x" * 300_000,
    )
    assert KEY not in f"{begun.headers}{sent.headers}"


@pytest.mark.parametrize("prefix", ["vertex_ai", "vertex-ai"])
def test_vertex_is_asked_at_its_rest_paths(gate: Gateway, upstream: Upstream, prefix: str) -> None:
    upstream.plays(json_answer(sample("gemini/reply_text", "response")))
    path = "v1/projects/ours/locations/us-east5/publishers/google/models/gemini-x:generateContent"

    got = requests.post(
        f"{gate.url}/{prefix}/{path}",
        json={"contents": []},
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=9,
    )

    assert got.json() == sample("gemini/reply_text", "response")
    assert only(upstream) == ("POST", f"/{path}")
    assert upstream.requests[0].headers["authorization"] == "Bearer ya29.token"


def test_googles_client_talks_to_vertex(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(json_answer(sample("gemini/reply_text", "response")))
    headers = {"Authorization": f"Bearer {KEY}"}
    options = types.HttpOptions(
        base_url=f"{gate.url}/vertex_ai", headers=headers, base_url_resource_scope="COLLECTION"
    )

    with genai.Client(vertexai=True, api_key=KEY, http_options=options) as client:
        got = client.models.generate_content(model="gemini-x", contents="Hi")

    assert got.text == "Grüße aus Köln! 👋"
    assert "/projects/ours/locations/us-central1/" in only(upstream)[1]


# AWS


def bedrock(gate: Gateway, **given: Any) -> Any:
    """Return AWS's client of the gateway."""
    config = Config(retries={"total_max_attempts": 1})
    return boto3.Session(region_name="us-east-1", **given).client(
        "bedrock-runtime", endpoint_url=f"{gate.url}/bedrock", config=config
    )


@pytest.fixture
def runtime(gate: Gateway) -> Iterator[Any]:
    """AWS's client, with the gateway's key as its access key: a token it sends by TLS alone."""
    with closing(bedrock(gate, aws_access_key_id=KEY, aws_secret_access_key="anything")) as client:
        yield client


def _is_ours(upstream: Upstream) -> bool:
    """Return whether the request was signed for where the operator's keys are at home."""
    signed = upstream.requests[0].headers["authorization"]
    return signed.startswith("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/") and (
        "/eu-west-1/bedrock/aws4_request" in signed
    )


def test_awss_client_converses(runtime: Any, upstream: Upstream) -> None:
    upstream.plays(json_answer(sample("bedrock/reply_text", "reply")))

    got = runtime.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Hi"}]}])

    assert got["output"]["message"]["content"] == [{"text": "Grüezi!"}]
    assert only(upstream) == ("POST", f"/model/{MODEL.replace(':', '%3A')}/converse")
    assert _is_ours(upstream)


def test_awss_client_streams(runtime: Any, upstream: Upstream, logged: Logged) -> None:
    said = sample("bedrock/stream_text", "events")
    upstream.plays(binary(eventstreams.stream(map(tuple, said))))  # type: ignore[arg-type]

    got = runtime.converse_stream(modelId=MODEL, messages=[])

    texts = [
        e["contentBlockDelta"]["delta"]["text"] for e in got["stream"] if "contentBlockDelta" in e
    ]
    assert "".join(texts).startswith("Grüezi 🙂")
    assert only(upstream)[1].endswith("/converse-stream")
    line = logged()
    assert line["stream"] and line["usage"]["prompt_tokens"] > 0


def test_awss_client_invokes_a_model(runtime: Any, upstream: Upstream, logged: Logged) -> None:
    said = sample("anthropic/message_text", "message")
    counts = {"x-amzn-bedrock-input-token-count": "7", "x-amzn-bedrock-output-token-count": "3"}
    upstream.plays(json_answer(said, headers=counts))
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"

    got = runtime.invoke_model(modelId=arn, body=json.dumps({"max_tokens": 9}))

    assert json.loads(got["body"].read()) == said
    assert only(upstream)[1].endswith("application-inference-profile%2Fabc123/invoke")
    assert upstream.requests[0].body == b'{"max_tokens": 9}'
    assert logged()["usage"]["completion_tokens"] > 0


def test_awss_client_invokes_a_model_that_streams(
    runtime: Any, upstream: Upstream, logged: Logged
) -> None:
    said = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}},
        {
            "type": "message_stop",
            "amazon-bedrock-invocationMetrics": {"inputTokenCount": 9, "outputTokenCount": 4},
        },
    ]
    chunks = [("chunk", {"bytes": base64.b64encode(json.dumps(e).encode()).decode()}) for e in said]
    upstream.plays(binary(eventstreams.stream(chunks)))

    got = runtime.invoke_model_with_response_stream(modelId=MODEL, body=b"{}")

    assert [json.loads(each["chunk"]["bytes"]) for each in got["body"]] == said
    line = logged()
    assert line["usage"] == {"prompt_tokens": 9, "completion_tokens": 4, "cached_tokens": 0}


def test_awss_client_knows_awss_errors(runtime: Any, upstream: Upstream) -> None:
    kind = {"x-amzn-errortype": "ThrottlingException", "content-type": "application/json"}
    upstream.plays(answer([b'{"message":"Slow down."}'], status=429, headers=kind))

    with pytest.raises(ClientError) as caught:
        runtime.converse(modelId=MODEL, messages=[])

    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert caught.value.response["Error"]["Message"] == "Slow down."


def test_awss_client_is_told_of_a_wrong_key(gate: Gateway) -> None:
    with (
        closing(bedrock(gate, aws_access_key_id="wrong", aws_secret_access_key="x")) as client,
        pytest.raises(ClientError) as caught,
    ):
        client.converse(modelId=MODEL, messages=[])

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 401
    assert "key" in caught.value.response["Error"]["Message"]


# Cohere, Mistral, OpenAI


def test_coheres_client_talks(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(json_answer(sample("cohere/reply_text", "reply")), events("cohere/stream_text"))

    with httpx.Client() as http:
        client = cohere.ClientV2(api_key=KEY, base_url=f"{gate.url}/cohere", httpx_client=http)
        got = client.chat(model="command-x", messages=HELLO)
        streamed = list(client.chat_stream(model="command-x", messages=HELLO))

    assert got.message.content[0].text == "Grüße, 世界 🌍"  # type: ignore[index,union-attr]
    assert [e.type for e in streamed] == [e["type"] for e in sample("cohere/stream_text", "events")]
    assert [seen.path for seen in upstream.requests] == ["/v2/chat", "/v2/chat"]
    assert upstream.requests[0].headers["authorization"] == "Bearer cohere-key"


def test_mistrals_client_talks(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion("Bonjour")))

    with Mistral(api_key=KEY, server_url=f"{gate.url}/mistral") as client:
        got = client.chat.complete(model="mistral-x", messages=HELLO)

    assert got.choices[0].message.content == "Bonjour"  # type: ignore[union-attr]
    assert only(upstream) == ("POST", "/v1/chat/completions")
    assert upstream.requests[0].headers["authorization"] == "Bearer mistral-key"


def test_openais_client_asks_for_what_is_newer_than_the_gate(
    gate: Gateway, upstream: Upstream
) -> None:
    upstream.plays(json_answer({"new": True}))

    with openai.OpenAI(api_key=KEY, base_url=f"{gate.url}/openai/v1", max_retries=0) as client:
        got = client.get("/brand/new", cast_to=object)

    assert got == {"new": True}
    assert only(upstream) == ("GET", "/v1/brand/new")


# What no client's library would send


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("/openai/v1/../../admin", 400),
        ("/openai/v1/%2e%2e/%2e%2e/admin", 400),
        ("/openai/../anthropic/v1/x", 400),
        ("/openai//v1//x", "/v1/x"),
        ("http://evil.example/openai/v1/x", "/v1/x"),
        ("//evil.example/openai/v1/x", None),
        ("/openai/v1/x?y=1#z", None),
    ],
)
def test_a_path_on_the_line_reaches_nothing_else(
    gate: Gateway, upstream: Upstream, line: str, wanted: str | int | None
) -> None:
    upstream.plays(json_answer({}))
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=9)
    connection.putrequest("GET", line, skip_host=True)
    for name, value in (
        ("Host", "x"),
        ("Authorization", f"Bearer {KEY}"),
        ("Script-Name", "/openai"),
        ("SCRIPT_NAME", "/openai"),
        ("X-Forwarded-Prefix", "/openai"),
    ):
        connection.putheader(name, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()

    seen = [seen.path for seen in upstream.requests]
    if isinstance(wanted, int):
        assert (status, seen) == (wanted, [])
    elif wanted:
        assert (status, seen) == (200, [wanted])
    else:
        assert seen in ([], ["/v1/x?y=1"]) and (status == 200) == bool(seen)


def test_a_body_without_a_length_goes_whole(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(json_answer({}))
    pieces = [bytes([at]) * 9999 for at in range(60)]

    got = requests.post(
        f"{gate.url}/cohere/v1/x",
        data=iter(pieces),
        headers={"Authorization": f"Bearer {KEY}", "Content-Type": "audio/mpeg"},
        timeout=9,
    )

    assert got.status_code == 200
    assert upstream.requests[0].body == b"".join(pieces)
