from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from datetime import datetime
from typing import Any

import pytest
from testing import eventstreams
from testing.upstream import Upstream
from testing.upstream import answer

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.providers import aws_sigv4
from llmgate.providers.bedrock import BEDROCK
from llmgate.upstream.session import Session

CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
QUOTED = "anthropic.claude-sonnet-4-5-20250929-v1%3A0"
PROFILE = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123"
US = "https://bedrock-runtime.us-east-1.amazonaws.com"
KEYS = {
    "aws_access_key_id": "AKIDEXAMPLE",
    "aws_secret_access_key": "secret",
    "aws_region_name": "us-east-1",
}
HELLO = {"messages": [{"role": "user", "content": "Hello"}], "model": "chat"}


def deployment(model: str = CLAUDE, **more: Any) -> Deployment:
    settings = more.pop("settings", KEYS)
    base = more.pop("api_base", None) or BEDROCK.base_url(settings)
    return Deployment("chat", "bedrock", model, base, settings=settings, **more)


def chat(here: Deployment, **body: Any) -> Call:
    return BEDROCK.operations["chat"].build({**HELLO, **body}, here)


def sent(call: Call) -> Any:
    assert isinstance(call.data, bytes)
    return json.loads(call.data)


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, "https://bedrock-runtime.us-west-2.amazonaws.com"),
        ({"aws_region_name": "eu-central-1"}, "https://bedrock-runtime.eu-central-1.amazonaws.com"),
        ({"aws_region_name": "cn-north-1"}, "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"),
        ({"aws_bedrock_runtime_endpoint": "http://127.0.0.1:9/"}, "http://127.0.0.1:9"),
        ({"api_base": "http://a", "aws_bedrock_runtime_endpoint": "http://b"}, "http://a"),
    ],
)
def test_the_region_tells_where_bedrock_is(settings: Mapping[str, Any], wanted: str) -> None:
    assert BEDROCK.base_url(settings) == wanted


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (CLAUDE, QUOTED),
        (f"converse/{CLAUDE}", QUOTED),
        (f"invoke/{CLAUDE}", QUOTED),
        (f"us.{CLAUDE}", f"us.{QUOTED}"),
        (
            f"converse/{PROFILE}",
            "arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012"
            "%3Aapplication-inference-profile%2Fabc123",
        ),
    ],
)
def test_ids_and_arns_are_quoted_in_the_path(model: str, path: str) -> None:
    assert chat(deployment(model)).url == f"{US}/model/{path}/converse"


def test_a_stream_is_asked_of_converse_stream() -> None:
    got = chat(deployment(), stream=True)

    assert got.url == f"{US}/model/{QUOTED}/converse-stream"
    assert got.headers == {
        "Content-Type": "application/json",
        "Accept": "application/vnd.amazon.eventstream",
    }
    assert sent(got) == {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}


def test_a_region_before_the_model_is_where_it_is_called() -> None:
    model = f"ap-northeast-1/{CLAUDE}"
    endpoint = {"aws_bedrock_runtime_endpoint": "http://127.0.0.1:9"}

    regional = chat(deployment(model)).url
    named = chat(deployment(model, settings=endpoint)).url
    given = chat(deployment(model, api_base="http://127.0.0.1:8")).url

    path = f"/model/{QUOTED}/converse"
    assert regional == f"https://bedrock-runtime.ap-northeast-1.amazonaws.com{path}"
    assert named == f"http://127.0.0.1:9{path}"
    assert given == f"http://127.0.0.1:8{path}"


def test_a_model_id_stands_in_for_the_models_name_in_the_path_alone() -> None:
    here = deployment(settings={**KEYS, "model_id": PROFILE})

    got = chat(here, reasoning_effort="low")

    assert got.url.endswith("application-inference-profile%2Fabc123/converse")
    assert "thinking" in sent(got)["additionalModelRequestFields"]


def test_the_base_model_tells_what_an_arn_hides() -> None:
    here = deployment(PROFILE, info={"base_model": f"bedrock/{CLAUDE}"})

    assert "thinking" in sent(chat(here, reasoning_effort="low"))["additionalModelRequestFields"]


def test_an_operator_may_say_that_a_model_enforces_schemas() -> None:
    closed = {"type": "object", "properties": {"a": {"type": "null"}}}
    asked = {"type": "json_schema", "json_schema": {"name": "n", "schema": closed}}
    llama = "meta.llama3-3-70b-instruct-v1:0"

    told = chat(deployment(llama), response_format=asked)
    enforced = chat(
        deployment(llama, info={"supports_native_structured_output": True}), response_format=asked
    )

    assert "outputConfig" not in sent(told)
    assert "outputConfig" in sent(enforced)


def test_dropping_reaches_the_dialect() -> None:
    newest = "anthropic.claude-opus-4-7"

    assert "inferenceConfig" in sent(chat(deployment(newest), temperature=0.5))
    assert "inferenceConfig" not in sent(
        chat(deployment(newest, drop_params=True), temperature=0.5)
    )


def test_an_api_key_is_a_bearer_token() -> None:
    call = Call("POST", f"{US}/x", {"Accept": "a"})

    got = BEDROCK.authorize(call, deployment(api_key="bedrock-api-key-x"))

    assert got.headers == {"Accept": "a", "Authorization": "Bearer bedrock-api-key-x"}


def credential(call: Call) -> str:
    """Return the scope that *call* is signed for, but for its date."""
    authorization = call.headers["Authorization"]
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    return authorization.partition(",")[0].split("/", 2)[2]


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (f"{US}/model/x/converse", "us-east-1"),
        ("https://bedrock-runtime.eu-west-3.amazonaws.com/x", "eu-west-3"),
        ("https://bedrock-runtime.us-gov-west-1.amazonaws.com/x", "us-gov-west-1"),
        ("https://bedrock-runtime.cn-north-1.amazonaws.com.cn/x", "cn-north-1"),
        ("https://bedrock-runtime.us-west-2.api.aws/x", "us-west-2"),
        ("http://127.0.0.1:4566/x", "us-east-1"),
    ],
)
def test_without_an_api_key_a_call_is_signed_for_the_region_it_goes_to(
    url: str, region: str
) -> None:
    call = Call("POST", url, {}, b"{}")

    got = BEDROCK.authorize(call, deployment())

    assert credential(got) == f"{region}/bedrock/aws4_request"
    assert "X-Amz-Security-Token" not in got.headers
    assert call.headers == {}


def test_a_session_token_is_sent_along() -> None:
    here = deployment(settings={**KEYS, "aws_session_token": "token"})

    got = BEDROCK.authorize(Call("POST", US, {}), here)

    assert got.headers["X-Amz-Security-Token"] == "token"


@pytest.mark.parametrize("lacking", ["aws_access_key_id", "aws_secret_access_key"])
def test_without_keys_the_error_says_which_are_wanted(lacking: str) -> None:
    settings = {key: value for key, value in KEYS.items() if key != lacking}

    with pytest.raises(errors.Unauthorized, match="AWS_SECRET_ACCESS_KEY") as caught:
        BEDROCK.authorize(Call("POST", US, {}), deployment(settings=settings))

    assert caught.value.code == "missing_provider_key"


def test_secrets_are_settings_and_have_variables() -> None:
    assert BEDROCK.settings >= {*KEYS, "aws_session_token", "aws_role_name"}
    assert BEDROCK.env["api_key"] == ("AWS_BEARER_TOKEN_BEDROCK",)
    assert BEDROCK.env["aws_region_name"] == (
        "AWS_REGION_NAME",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    )


def test_embeddings_are_invoked() -> None:
    here = deployment("cohere.embed-multilingual-v3")

    got = BEDROCK.operations["embeddings"].build({"input": ["a", "b"], "model": "e"}, here)

    assert got.url == f"{US}/model/cohere.embed-multilingual-v3/invoke"
    assert got.headers == {"Content-Type": "application/json", "Accept": "application/json"}
    assert sent(got) == {"texts": ["a", "b"], "input_type": "search_document"}


def test_embedded_vectors_come_back_and_are_metered() -> None:
    operation = BEDROCK.operations["embeddings"]
    here = deployment("us-east-1/amazon.titan-embed-text-v1")

    got = operation.parse({"embedding": [0.5], "inputTextTokenCount": 3}, here)

    assert got == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "model": "amazon.titan-embed-text-v1",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }
    assert operation.usage(got) == {"prompt_tokens": 3}


def test_a_stream_is_metered() -> None:
    usage = {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}
    data = eventstreams.stream(
        [
            ("messageStop", {"stopReason": "end_turn"}),
            ("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}),
        ]
    )
    operation = BEDROCK.operations["chat"]
    assert operation.stream is not None

    *_, last = operation.stream(iter([data]), deployment())

    assert last["choices"] == []
    assert operation.usage(last) == {"prompt_tokens": 1, "completion_tokens": 2}


def test_what_arrives_is_what_was_signed(upstream: Upstream) -> None:
    settings = {**KEYS, "aws_session_token": "token=="}
    here = deployment(PROFILE, api_base=upstream.url, settings=settings)
    data = eventstreams.stream([("messageStart", {"role": "assistant"})])
    data += eventstreams.exception("throttlingException", "Slow down.")
    typed = {"content-type": "application/vnd.amazon.eventstream"}
    upstream.plays(answer([data[:50], data[50:]], headers=typed, framing="chunked"))
    stream = BEDROCK.operations["chat"].stream
    assert stream is not None

    call = BEDROCK.authorize(chat(here, stream=True, temperature=0.5), here)
    answered = Session().send(call, 5.0)
    events = stream(answered.pieces, here)

    assert next(events)["choices"][0]["delta"]["role"] == "assistant"
    with pytest.raises(errors.UpstreamError, match="Slow down"):
        next(events)
    answered.close()
    (seen,) = upstream.requests
    authorization = seen.headers["authorization"]
    names = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert names == ["accept", "content-type", "host", "x-amz-date", "x-amz-security-token"]
    arrived = Call(
        seen.method,
        f"http://{seen.headers['host']}{seen.path}",
        {name: seen.headers[name] for name in names},
        seen.body,
    )
    keys = aws_sigv4.Keys("AKIDEXAMPLE", "secret", seen.headers["x-amz-security-token"])
    at = datetime.strptime(seen.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    again = aws_sigv4.signed(arrived, keys, "us-east-1", "bedrock", at)
    assert again.headers["Authorization"] == authorization


def test_errors_are_read_in_awss_words() -> None:
    got = BEDROCK.failure({"message": "Input is too long for requested model."})

    assert (got.code, got.status) == ("context_length_exceeded", 400)
