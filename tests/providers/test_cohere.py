from __future__ import annotations

import json
from typing import Any

import pytest
from testing.samples import sample

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.providers.cohere import COHERE
from llmgate.schema import parameters

DEPLOYMENT = Deployment("g", "cohere", "command-a", "https://api.cohere.com", api_key="k")
USER = {"role": "user", "content": "Hi"}


def built(name: str, body: dict[str, Any], deployment: Deployment = DEPLOYMENT) -> Call:
    return COHERE.operations[name].build({"model": "g", **body}, deployment)


def body_of(call: Call) -> Any:
    assert isinstance(call.data, bytes)
    return json.loads(call.data)


def test_cohere_is_where_it_is_unless_the_settings_say_otherwise() -> None:
    assert COHERE.base_url({}) == "https://api.cohere.com"
    assert COHERE.base_url({"api_base": "http://h"}) == "http://h"


@pytest.mark.parametrize(
    ("name", "path", "body", "wanted"),
    [
        ("chat", "/v2/chat", {"messages": [USER]}, {"messages": [USER]}),
        (
            "embeddings",
            "/v2/embed",
            {"input": "a"},
            {"texts": ["a"], "input_type": "search_document", "embedding_types": ["float"]},
        ),
        (
            "rerank",
            "/v2/rerank",
            {"query": "q", "documents": ["d"]},
            {"query": "q", "documents": ["d"]},
        ),
    ],
)
@pytest.mark.parametrize("base", ["", "/", "/v1", "/v2", "/v2/", "/v2/chat"])
def test_calls_go_to_coheres_second_api(
    name: str, path: str, body: Any, wanted: Any, base: str
) -> None:
    deployment = DEPLOYMENT._replace(api_base=DEPLOYMENT.api_base + base)

    call = built(name, body, deployment)

    assert (call.method, call.url) == ("POST", f"https://api.cohere.com{path}")
    assert call.headers == {"Content-Type": "application/json"}
    assert body_of(call) == {"model": "command-a", **wanted}


def test_a_path_before_the_endpoint_is_kept() -> None:
    deployment = DEPLOYMENT._replace(api_base="https://proxy/cohere/v2")

    assert built("chat", {"messages": [USER]}, deployment).url == "https://proxy/cohere/v2/chat"


def test_the_input_type_is_a_setting() -> None:
    deployment = DEPLOYMENT._replace(settings={"input_type": "classification"})

    assert (
        body_of(built("embeddings", {"input": "a"}, deployment))["input_type"] == "classification"
    )


def test_the_key_is_a_bearer_token() -> None:
    call = COHERE.authorize(Call("POST", "u", {"A": "b"}), DEPLOYMENT)

    assert call.headers == {"A": "b", "Authorization": "Bearer k"}


def test_a_missing_key_names_both_variables() -> None:
    with pytest.raises(errors.Unauthorized, match="COHERE_API_KEY or CO_API_KEY"):
        COHERE.authorize(Call("POST", "u", {}), DEPLOYMENT._replace(api_key=None))


def test_replies_are_in_openais_shape() -> None:
    chat, embeddings, rerank = (COHERE.operations[name] for name in COHERE.operations)

    completion = chat.parse(sample("cohere", "reply_text")["reply"], DEPLOYMENT)
    vectors = embeddings.parse(sample("cohere", "embed")["reply"], DEPLOYMENT)
    ranks = rerank.parse(sample("cohere", "rerank")["reply"], DEPLOYMENT)

    assert (completion["object"], completion["model"]) == ("chat.completion", "command-a")
    assert chat.usage(completion)["prompt_tokens"] == 5
    assert (vectors["object"], vectors["model"]) == ("list", "command-a")
    assert embeddings.usage(vectors) == {"prompt_tokens": 2}
    assert ranks == sample("cohere", "rerank")["reply"]
    assert rerank.usage(ranks) == {"search_units": 1}


def test_a_stream_is_chunks_of_the_deployments_model() -> None:
    stream = COHERE.operations["chat"].stream
    assert stream is not None
    events = sample("cohere", "stream_text")["events"]
    pieces = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]

    got = list(stream(iter(pieces), DEPLOYMENT))

    assert {chunk["model"] for chunk in got} == {"command-a"}
    assert COHERE.operations["chat"].usage(got[-1])["completion_tokens"] == 7


@pytest.mark.parametrize("name", ["n", "logit_bias", "parallel_tool_calls", "top_logprobs"])
def test_what_cohere_lacks_is_refused(name: str) -> None:
    body = {"model": "g", "messages": [USER], name: 2}

    with pytest.raises(errors.InvalidRequest) as caught:
        parameters.upstream_body(body, DEPLOYMENT, "chat", COHERE.operations["chat"])

    assert caught.value.param == name


def test_failures_are_coheres() -> None:
    assert COHERE.failure({"message": "invalid api token"}).code == "invalid_api_key"
