from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types import CreateEmbeddingResponse
from testing import eventstreams

from llmgate import errors
from llmgate.codecs import sse
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.providers.sagemaker import SAGEMAKER
from llmgate.providers.sagemaker import SAGEMAKER_CHAT

US = "https://runtime.sagemaker.us-east-1.amazonaws.com"
KEYS = {
    "aws_access_key_id": "AKIDEXAMPLE",
    "aws_secret_access_key": "secret",
    "aws_region_name": "us-east-1",
}
HELLO = {"messages": [{"role": "user", "content": "Hello"}], "model": "chat"}


def deployment(**more: Any) -> Deployment:
    settings = {**KEYS, **more}
    return Deployment(
        "m", "sagemaker", "my-endpoint", SAGEMAKER.base_url(settings), settings=settings
    )


def sent(call: Call) -> Any:
    assert isinstance(call.data, bytes)
    return json.loads(call.data)


def chat(here: Deployment, **body: Any) -> Call:
    return SAGEMAKER.operations["chat"].build({**HELLO, **body}, here)


def embed(here: Deployment, **body: Any) -> Call:
    return SAGEMAKER.operations["embeddings"].build({"model": "e", **body}, here)


def test_the_region_tells_where_endpoints_are() -> None:
    china = {"aws_region_name": "cn-north-1"}

    assert SAGEMAKER.base_url({}) == "https://runtime.sagemaker.us-west-2.amazonaws.com"
    assert SAGEMAKER.base_url(china) == "https://runtime.sagemaker.cn-north-1.amazonaws.com.cn"
    assert SAGEMAKER.base_url({"api_base": "http://127.0.0.1:9"}) == "http://127.0.0.1:9"


def test_a_chat_goes_to_the_endpoint_in_openais_words() -> None:
    got = chat(deployment(), temperature=0.5, top_k=3)

    assert got.url == f"{US}/endpoints/my-endpoint/invocations"
    assert got.headers == {"Content-Type": "application/json", "Accept": "application/json"}
    assert sent(got) == {**HELLO, "model": "my-endpoint", "temperature": 0.5, "top_k": 3}


def test_a_stream_is_asked_for_with_its_usage() -> None:
    got = chat(deployment(), stream=True)

    assert got.url == f"{US}/endpoints/my-endpoint/invocations-response-stream"
    assert sent(got) == {
        **HELLO,
        "model": "my-endpoint",
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_settings_name_the_model_within_the_endpoint() -> None:
    got = chat(deployment(model_id="component-1", hf_model_name="meta-llama/Llama-3.1-8B"))

    assert got.headers["X-Amzn-SageMaker-Inference-Component"] == "component-1"
    assert sent(got)["model"] == "meta-llama/Llama-3.1-8B"


CHUNKS: list[dict[str, Any]] = [
    {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    for choices in (
        [{"index": 0, "delta": {"role": "assistant", "content": "Grü"}, "finish_reason": None}],
        [{"index": 0, "delta": {"content": "ezi 🙂"}, "finish_reason": None}],
        [{"index": 0, "delta": {}, "finish_reason": "stop"}],
    )
]
LINES = b"".join(sse.encoded(chunk) for chunk in CHUNKS) + sse.DONE


def parts(size: int, lines: bytes = LINES) -> bytes:
    """Return *lines* in the parts of an event stream, so many bytes each."""
    cut = eventstreams.cut(lines, size)
    return b"".join(eventstreams.event("PayloadPart", part) for part in cut)


def chunks(*pieces: bytes) -> list[dict[str, Any]]:
    stream = SAGEMAKER.operations["chat"].stream
    assert stream is not None
    return list(stream(iter(pieces), deployment()))


@pytest.mark.parametrize("size", [1, 7, 50, 10_000])
def test_a_containers_chunks_come_out_of_parts_of_any_size(size: int) -> None:
    assert chunks(parts(size)) == CHUNKS


def test_one_cut_anywhere_changes_nothing() -> None:
    data = parts(100)
    for at in range(1, len(data)):
        assert chunks(data[:at], data[at:]) == CHUNKS, at


def test_a_container_that_does_not_say_done_has_finished_when_it_said_so() -> None:
    assert chunks(parts(100, LINES.removesuffix(sse.DONE))) == CHUNKS


@pytest.mark.parametrize("data", [b"", parts(50)[:-1], parts(50, LINES[:150])])
def test_an_end_too_soon_is_an_error(data: bytes) -> None:
    with pytest.raises(errors.CutShort):
        chunks(data)


@pytest.mark.parametrize(
    ("kind", "status"), [("ModelStreamError", 502), ("InternalStreamFailure", 500)]
)
def test_an_error_among_the_parts_is_raised(kind: str, status: int) -> None:
    headers = {":exception-type": kind, ":message-type": "exception"}
    said = b'{"Message":"It broke.","ErrorCode":"ModelInvocationTimeExceeded"}'

    with pytest.raises(errors.UpstreamError, match="It broke") as caught:
        chunks(parts(100, LINES[:150]) + eventstreams.message(headers, said))

    assert caught.value.status == status


def test_an_error_of_the_container_is_raised() -> None:
    line = b'data: {"error":"Input validation error","error_type":"validation"}\n\n'

    with pytest.raises(errors.UpstreamError, match="Input validation error"):
        chunks(parts(100, line))


def test_a_whole_chat_is_passed_on() -> None:
    reply = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    operation = SAGEMAKER.operations["chat"]

    assert operation.parse(reply, deployment()) == reply
    assert operation.usage(reply) == {"prompt_tokens": 1, "completion_tokens": 2}


@pytest.mark.parametrize(
    ("settings", "field"),
    [({}, "inputs"), ({"sagemaker_input_field": "text_inputs"}, "text_inputs")],
)
def test_embeddings_are_asked_for_in_the_containers_words(
    settings: dict[str, str], field: str
) -> None:
    body = {"input": ["a", "b"], "encoding_format": "float", "user": "u", "normalize": True}

    got = embed(deployment(**settings), **body)

    assert got.url == f"{US}/endpoints/my-endpoint/invocations"
    assert sent(got) == {field: ["a", "b"], "normalize": True}


def test_one_input_is_a_list_of_one() -> None:
    assert sent(embed(deployment(), input="a")) == {"inputs": ["a"]}


TWO = [[0.1, 0.2], [0.3, 0.4]]
OPENAI = {
    "object": "list",
    "data": [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(TWO)],
    "model": "m",
    "usage": {"prompt_tokens": 7, "total_tokens": 7},
}


@pytest.mark.parametrize(
    ("said", "rows", "tokens"),
    [
        (TWO, TWO, 0),
        ({"embedding": TWO}, TWO, 0),
        ({"embedding": TWO[0]}, TWO[:1], 0),
        ({"embeddings": TWO}, TWO, 0),
        ({"vectors": TWO}, TWO, 0),
        ({"predictions": TWO}, TWO, 0),
        (OPENAI, TWO, 7),
        (TWO[0], TWO[:1], 0),
        ([], [], 0),
    ],
)
def test_embeddings_of_every_usual_shape_are_read(said: Any, rows: Any, tokens: int) -> None:
    got = SAGEMAKER.operations["embeddings"].parse(said, deployment())

    data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    assert got == {"object": "list", "data": data, "model": "my-endpoint", "usage": usage}
    CreateEmbeddingResponse.model_validate(got, strict=True)


def test_a_shape_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(LookupError):
        SAGEMAKER.operations["embeddings"].parse({"what": 1}, deployment())


def test_calls_are_signed_for_sagemaker_whatever_the_api_key() -> None:
    here = deployment()._replace(api_key="ignored")

    got = SAGEMAKER.authorize(Call("POST", f"{US}/x", {}), here)

    assert "/us-east-1/sagemaker/aws4_request," in got.headers["Authorization"]


def test_both_names_chat_alike() -> None:
    assert SAGEMAKER_CHAT.name == "sagemaker_chat"
    assert SAGEMAKER_CHAT.operations == {"chat": SAGEMAKER.operations["chat"]}


def test_a_missing_endpoint_is_a_missing_model() -> None:
    said = {"__type": "ValidationError", "message": "Endpoint x of account 1 not found."}

    got = SAGEMAKER.failure(said)

    assert (got.code, got.status) == ("model_not_found", 404)
