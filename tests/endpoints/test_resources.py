"""OpenAI's resources: relayed to whom the request names, else to whom the configuration says."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.inprocess import failed
from testing.inprocess import posted
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import error_body
from testing.upstream import event
from testing.upstream import json_answer

from llmgate.dialects.openai import resources as openai_resources

AppFor = Callable[..., FlaskClient]
BATCH = {"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"}


def config_of(url: str) -> dict[str, Any]:
    """Return a configuration with several providers at *url*, told apart by their keys."""
    listed = [
        _entry("gpt-4o", "openai/gpt-4o-2024", f"{url}/v1", "sk-openai"),
        _entry("eu", "azure/gpt-eu", url, "sk-azure"),
        _entry("fast", "groq/llama-3", f"{url}/groq/v1", "sk-groq"),
        _entry("claude", "anthropic/claude-x", url, "sk-anthropic"),
    ]
    return {"model_list": listed, "router_settings": {"disable_cooldowns": True}}


def _entry(group: str, model: str, base: str, key: str) -> dict[str, Any]:
    return {
        "model_name": group,
        "litellm_params": {"model": model, "api_base": base, "api_key": key},
    }


@pytest.fixture
def several(shared_app_for: AppFor, upstream: Upstream) -> FlaskClient:
    """A gateway of several providers."""
    upstream.plays(json_answer({"id": "x"}))
    return shared_app_for(config_of(upstream.url))


def who(upstream: Upstream) -> str:
    """Return whose key came to the upstream."""
    (seen,) = upstream.requests
    return seen.headers.get("api-key") or seen.headers["authorization"].removeprefix("Bearer ")


# Paths


@pytest.mark.parametrize("prefix", ["", "/v1", "/openai", "/openai/v1"])
@pytest.mark.parametrize("path", ["/files", "/threads/t-1/runs/r-1/steps", "/evals/e/runs/r/"])
def test_a_resource_is_below_every_prefix(
    several: FlaskClient, upstream: Upstream, prefix: str, path: str
) -> None:
    got = several.get(f"{prefix}{path}?limit=2&after=a", buffered=True)

    assert got.status_code == 200
    assert [seen.path for seen in upstream.requests] == [f"/v1{path.rstrip('/')}?limit=2&after=a"]


def test_the_log_names_the_resource_and_no_ids(
    several: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    several.get("/v1/threads/t-1/runs/r-1/steps", buffered=True)
    several.get("/v1/files/no-such/thing", buffered=True)

    endpoints = [line["endpoint"] for line in lines]
    assert endpoints == ["/threads/{}/runs/{}/steps", "/v1/<root>/<path:below>"]


@pytest.mark.parametrize(
    "row", openai_resources.ROWS, ids=[row.path for row in openai_resources.ROWS]
)
def test_every_row_is_relayed(
    several: FlaskClient, upstream: Upstream, row: openai_resources.Row
) -> None:
    path = row.path.replace("{}", "id_1")

    got = [several.open(f"/v1/{path}", method=m, buffered=True).status_code for m in row.methods]

    assert got == [200] * len(row.methods)
    assert [(seen.method, seen.path) for seen in upstream.requests] == [
        (method, f"/v1/{path}") for method in row.methods
    ]


@pytest.mark.parametrize("word", ["id_1", "ft:gpt-4o:org::ckpt-1", "a.b~c", "x=", "a@b+c"])
def test_an_id_goes_as_it_is(several: FlaskClient, upstream: Upstream, word: str) -> None:
    several.delete(f"/v1/models/{word}", buffered=True)

    assert [seen.path for seen in upstream.requests] == [f"/v1/models/{word}"]


@pytest.mark.fault("C19", "C20")
@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v1/files/..", 400),
        ("/v1/files/%2e%2e/content", 400),
        ("/v1/files/..%2f..%2fadmin", 404),
        ("/v1/files/.hidden", 400),
        ("/v1/files/a%3fb", 400),
        ("/v1/files/a%23b", 400),
        ("/v1/files/a%25b", 400),
        ("/v1/files/a%5cb", 400),
        ("/v1/files/a;b", 400),
        ("/v1/files/a%20b", 400),
        ("/v1/files/%c3%a9", 400),
        ("/v1/files/" + "x" * 600, 400),
        ("/v1/files/a/b/c", 404),
        ("/v1/fine_tuning", 404),
        ("/v1/{}/x", 404),
        ("/v1/files/{}", 400),
        ("/v1/organization/admin_api_keys", 404),
        ("/nobody/v1/files", 404),
        ("/%2e%2e/v1/files", 404),
        ("/anthropic%2f/v1/files", None),
    ],
)
def test_a_path_that_is_none_reaches_nobody(
    several: FlaskClient, upstream: Upstream, path: str, wanted: int | None
) -> None:
    got = several.get(path, buffered=True)

    if wanted:
        assert (got.status_code, upstream.requests) == (wanted, [])
    else:  # Anthropic's own
        assert [seen.path for seen in upstream.requests] == ["/v1/files"]


def test_a_method_that_a_resource_has_not_is_refused(several: FlaskClient) -> None:
    got = several.delete("/v1/files", buffered=True)

    assert failed(got) == (405, "invalid_request_error", "method_not_allowed", None)
    assert got.headers["Allow"] == "GET, OPTIONS, POST"


def test_what_is_newer_than_the_table_goes_by_openais_prefix(
    several: FlaskClient, upstream: Upstream
) -> None:
    got = several.get("/openai/v1/files/file-1/new", buffered=True)

    assert got.status_code == 200
    assert [seen.path for seen in upstream.requests] == ["/v1/files/file-1/new"]


# Who is asked


@pytest.mark.parametrize(
    ("path", "headers", "wanted"),
    [
        ("/v1/files", {}, "sk-openai"),
        ("/groq/v1/files", {}, "sk-groq"),
        ("/azure/v1/files", {}, "sk-azure"),
        ("/v1/files", {"custom-llm-provider": "groq"}, "sk-groq"),
        ("/v1/files?custom_llm_provider=azure", {}, "sk-azure"),
        ("/groq/v1/files?custom_llm_provider=azure", {}, "sk-groq"),
        ("/openai/files?api-version=2024-05-01-preview", {}, "sk-azure"),
    ],
)
def test_a_provider_is_named_in_the_path_a_header_or_the_query(
    several: FlaskClient, upstream: Upstream, path: str, headers: dict[str, str], wanted: str
) -> None:
    got = several.get(path, headers=headers, buffered=True)

    assert got.status_code == 200
    assert who(upstream) == wanted
    assert "custom_llm_provider" not in upstream.requests[0].path


def test_a_provider_is_named_in_the_body_which_is_sent_without_it(
    several: FlaskClient, upstream: Upstream
) -> None:
    posted(several, {**BATCH, "custom_llm_provider": "groq"}, "/v1/batches")

    assert who(upstream) == "sk-groq"
    assert upstream.requests[0].json == BATCH


def test_azures_version_is_the_deployments_else_the_clients(
    app_for: AppFor, upstream: Upstream
) -> None:
    upstream.plays(json_answer({}))
    given = config_of(upstream.url)
    client = app_for(given)
    given["model_list"][1]["litellm_params"]["api_version"] = "2025-01-01"
    pinned = app_for(given)

    for each in (client, pinned):
        each.get("/openai/assistants?api-version=2024-05-01-preview&limit=1", buffered=True)
    client.get("/azure/v1/assistants", buffered=True)

    assert [seen.path for seen in upstream.requests] == [
        "/openai/assistants?api-version=2024-05-01-preview&limit=1",
        "/openai/assistants?api-version=2025-01-01&limit=1",
        "/openai/assistants?api-version=2024-10-21",
    ]


@pytest.mark.parametrize(
    ("model", "wanted", "sent"),
    [
        ("gpt-4o", "sk-openai", "gpt-4o-2024"),
        ("eu", "sk-azure", "gpt-eu"),
        ("fast", "sk-groq", "llama-3"),
        ("gpt-99", "sk-openai", "gpt-99"),
    ],
)
def test_a_model_group_names_its_deployment_and_the_upstreams_model(
    several: FlaskClient, upstream: Upstream, model: str, wanted: str, sent: str
) -> None:
    posted(several, {"model": model, "name": "a"}, "/v1/assistants")

    assert who(upstream) == wanted
    assert upstream.requests[0].json == {"model": sent, "name": "a"}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v1/files", "sk-files"),
        ("/v1/batches", "sk-files"),
        ("/v1/fine_tuning/jobs", "sk-tune"),
        ("/v1/assistants", "sk-assist"),
        ("/v1/threads/t", "sk-assist"),
        ("/v1/vector_stores", "sk-assist"),
        ("/v1/videos", "sk-openai"),
        ("/groq/v1/files", "sk-groq"),
    ],
)
def test_the_configuration_says_who_keeps_what(
    shared_app_for: AppFor, upstream: Upstream, path: str, wanted: str
) -> None:
    upstream.plays(json_answer({}))
    base = {"api_base": upstream.url, "api_version": "2025-01-01"}
    client = shared_app_for(
        config_of(upstream.url)
        | {
            "files_settings": [{"custom_llm_provider": "azure", **base, "api_key": "sk-files"}],
            "finetune_settings": [{"custom_llm_provider": "azure", **base, "api_key": "sk-tune"}],
            "assistant_settings": {
                "custom_llm_provider": "azure",
                "litellm_params": {**base, "api_key": "sk-assist"},
            },
        }
    )

    got = client.get(path, buffered=True)

    assert got.status_code == 200
    assert who(upstream) == wanted


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"custom-llm-provider": "anthropic"}, 400, "unsupported_operation"),
        ({"custom-llm-provider": "nobody"}, 404, "unknown_provider"),
        ({"custom-llm-provider": "gpt-4o"}, 404, "unknown_provider"),
        ({"custom-llm-provider": "together_ai"}, 404, "provider_not_configured"),
    ],
)
def test_a_provider_that_cannot_serve_is_told_so(
    several: FlaskClient, upstream: Upstream, headers: dict[str, str], status: int, code: str
) -> None:
    got = several.get("/v1/files", headers=headers, buffered=True)

    assert (got.status_code, got.json["error"]["code"]) == (status, code)
    assert upstream.requests == []


@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("DELETE", 2), ("POST", 1)])
def test_what_makes_something_is_asked_for_once(
    several: FlaskClient, upstream: Upstream, method: str, times: int
) -> None:
    upstream.plays(json_answer(error_body(), 503), json_answer({}))

    got = several.open("/v1/conversations/c", method=method, buffered=True)

    assert (len(upstream.requests), got.status_code) == (times, 200 if times == 2 else 503)


def test_any_server_like_openais_serves_if_there_is_no_other(
    app_for: AppFor, upstream: Upstream
) -> None:
    upstream.plays(json_answer({}))
    own = _entry("own", "custom_openai/x", f"{upstream.url}/v1", "sk-own")
    client = app_for({"model_list": [_entry("c", "anthropic/x", upstream.url, "k"), own]})

    assert client.get("/v1/batches", buffered=True).status_code == 200
    assert who(upstream) == "sk-own"


def test_without_any_of_openais_there_is_nobody_to_ask(app_for: AppFor) -> None:
    got = app_for({}).get("/v1/files", buffered=True)

    assert (got.status_code, got.json["error"]["code"]) == (404, "provider_not_configured")


def test_a_client_may_bring_its_own_key_and_no_address(
    several: FlaskClient, upstream: Upstream
) -> None:
    posted(several, {**BATCH, "api_key": "sk-client"}, "/v1/batches")
    refused = posted(several, {**BATCH, "api_base": "https://evil.example"}, "/v1/batches")

    assert who(upstream) == "sk-client"
    assert upstream.requests[0].json == BATCH
    assert failed(refused)[0] == 403


# Bodies


def form(fields: dict[str, str], size: int) -> dict[str, Any]:
    """Return a form with a file of *size* bytes."""
    return {**fields, "file": (io.BytesIO(b"x" * size), "skills/a b.jsonl")}


@pytest.mark.parametrize("size", [0, 10, 400_000])
def test_an_upload_goes_as_it_is_but_for_the_providers_name(
    several: FlaskClient, upstream: Upstream, size: int
) -> None:
    fields = {"purpose": "batch", "custom_llm_provider": "groq", "expires_after[seconds]": "9"}

    got = several.post("/v1/files", data=form(fields, size), buffered=True)

    (seen,) = upstream.requests
    assert (got.status_code, who(upstream)) == (200, "sk-groq")
    parts = {name: part.content for name, part in seen.parts.items()}
    assert parts == {"purpose": b"batch", "expires_after[seconds]": b"9", "file": b"x" * size}
    assert seen.parts["file"].filename == "skills/a b.jsonl"


def test_the_model_in_a_form_is_a_group(several: FlaskClient, upstream: Upstream) -> None:
    several.post("/v1/videos", data=form({"model": "eu", "prompt": "x"}, 5), buffered=True)

    assert who(upstream) == "sk-azure"
    parts = upstream.requests[0].parts
    assert {name: part.content for name, part in parts.items()} == {
        "model": b"gpt-eu",
        "prompt": b"x",
        "file": b"xxxxx",
    }


def test_json_goes_as_it_came(several: FlaskClient, upstream: Upstream) -> None:
    data = b'{ "input_file_id":"file-1", "n": 1.0, "metadata": {"tags": ["a"]} }'

    posted(several, data, "/v1/batches")

    assert upstream.requests[0].body == data


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"{", (400, "invalid_request_error", "invalid_json", "body")),
        (b"[]", (400, "invalid_request_error", "invalid_json", "body")),
        (b'{"model": 3}', (400, "invalid_request_error", "invalid_type", "model")),
        (b'{"stream": "yes"}', (400, "invalid_request_error", "invalid_type", "stream")),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(
    several: FlaskClient, upstream: Upstream, body: bytes, wanted: tuple[Any, ...]
) -> None:
    assert failed(posted(several, body, "/v1/batches")) == wanted
    assert upstream.requests == []


# Answers


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_an_error_is_told_in_openais_words_with_its_status(
    several: FlaskClient, upstream: Upstream, status: int
) -> None:
    said = error_body("No such File object: file-1", type="invalid_request_error", param="id")
    upstream.plays(json_answer(said, status))

    got = several.get("/v1/files/file-1", buffered=True)

    assert failed(got) == (status, "invalid_request_error", None, "id")
    assert "No such File object" in got.json["error"]["message"]


def test_a_job_that_failed_is_no_error(several: FlaskClient, upstream: Upstream) -> None:
    job = {"id": "ftjob-1", "status": "failed", "error": {"code": "x", "message": "y"}}
    upstream.plays(json_answer(job))

    got = several.get("/v1/fine_tuning/jobs/ftjob-1", buffered=True)

    assert (got.status_code, got.json) == (200, job)


def test_content_comes_as_it_is(several: FlaskClient, upstream: Upstream) -> None:
    data = bytes(range(256)) * 1000
    headers = {"content-type": "text/html", "content-disposition": "attachment; filename=a"}
    upstream.plays(answer([data], headers=headers))

    got = several.get("/v1/files/file-1/content", buffered=True)

    assert got.data == data
    assert got.headers["content-length"] == str(len(data))
    assert {name: got.headers[name] for name in headers} == headers


def test_a_run_is_streamed_with_its_usage(
    several: FlaskClient, upstream: Upstream, lines: list[Any]
) -> None:
    usage = {"prompt_tokens": 20, "completion_tokens": 3, "total_tokens": 23}
    run = {"id": "run_1", "model": "gpt-4o-2024", "usage": usage}
    events = b"event: thread.run.completed\n" + event(run) + b"event: done\ndata: [DONE]\n\n"
    upstream.plays(answer([events], headers={"content-type": "text/event-stream"}))

    got = posted(several, {"assistant_id": "a", "stream": True}, "/v1/threads/t-1/runs")

    assert (got.data, got.content_type) == (events, "text/event-stream")
    assert [(line["stream"], line["usage"]) for line in lines] == [
        (True, {"prompt_tokens": 20, "completion_tokens": 3})
    ]


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("responses/compact", "claude"),
        ("responses/input_tokens", "fast"),
        ("responses/compact", "unknown"),
        ("assistants", "claude"),
    ],
)
def test_a_models_conversation_is_sent_to_no_other_provider(
    several: FlaskClient, upstream: Upstream, path: str, model: str
) -> None:
    got = posted(several, {"model": model, "input": "hi"}, f"/v1/{path}")

    assert failed(got) == (400, "invalid_request_error", "unsupported_operation", "model")
    assert upstream.requests == []


@pytest.mark.parametrize("path", ["/v1/responses/compact", "/v1/responses/input_tokens"])
def test_responses_are_openais_whatever_version_a_client_sends(
    app_for: AppFor, upstream: Upstream, path: str
) -> None:
    claude = {"model": "anthropic/claude-sonnet-4-5", "api_key": "k", "api_base": upstream.url}
    client = app_for({"model_list": [{"model_name": "c", "litellm_params": claude}]})

    got = client.post(
        path, json={"model": "c", "input": "x"}, headers={"anthropic-version": "2023-06-01"}
    )

    assert got.status_code == 400
    assert upstream.requests == []
