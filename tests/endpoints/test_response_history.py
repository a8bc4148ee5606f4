"""Responses that the gateway stores itself, for models that are reached through chat."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing import responses_bodies
from testing.inprocess import posted
from testing.upstream import Upstream
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import json_answer
from testing.upstream import sse
from testing.upstream import tool_call

PATH = "/v1/responses"
KEYS = [{"key": "sk-first-0001", "key_alias": "a"}, {"key": "sk-second-0002", "key_alias": "b"}]


def configured(upstream: Upstream, folder: Path, **own: Any) -> dict[str, Any]:
    """Return a configuration with a model that is translated, and one of OpenAI's."""
    base = {"api_base": f"{upstream.url}/v1", "api_key": "sk-up"}
    models = {"m": "deepseek/m", "gpt-4o": "openai/gpt-4o"}
    listed = [
        {"model_name": name, "litellm_params": {"model": model, **base}}
        for name, model in models.items()
    ]
    settings = {"data_dir": str(folder / "data"), "responses_store": True, **own}
    return {"model_list": listed, "llmgate_settings": settings}


@pytest.fixture
def client(app_for: Callable[..., FlaskClient], upstream: Upstream, tmp_path: Path) -> FlaskClient:
    return app_for(configured(upstream, tmp_path))


def asked(client: FlaskClient, input: Any, model: str = "m", **more: Any) -> Any:
    return posted(client, {"model": model, "input": input, **more}, PATH).get_json()


def messages(upstream: Upstream, at: int = -1) -> Any:
    return upstream.requests[at].json["messages"]


def roles(upstream: Upstream) -> list[tuple[str, Any]]:
    return [(each["role"], each.get("content")) for each in messages(upstream)]


def test_a_conversation_goes_on_by_its_id(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(*(json_answer(chat_completion(text)) for text in ("one", "two", "three")))

    first = asked(client, "a", instructions="only here")
    second = asked(client, [{"role": "user", "content": "b"}], previous_response_id=first["id"])
    third = asked(client, "c", previous_response_id=second["id"])

    assert first["store"] is True
    assert third["previous_response_id"] == second["id"]
    said = [("user", "a"), ("assistant", "one"), ("user", "b"), ("assistant", "two"), ("user", "c")]
    assert roles(upstream) == said


def test_a_streamed_response_is_stored_before_its_end_is_sent(
    client: FlaskClient, upstream: Upstream
) -> None:
    call = tool_call("f", {"a": 1})
    upstream.plays(
        json_answer(chat_completion(None, tool_calls=[call])),
        sse(chat_chunks("Mo", "in")),
        json_answer(chat_completion("bye")),
    )
    tools = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]

    first = asked(client, "hi", tools=tools)
    output = {"type": "function_call_output", "call_id": call["id"], "output": "r"}
    second = {"model": "m", "input": [output], "stream": True, "tools": tools}
    text = posted(client, {**second, "previous_response_id": first["id"]}, PATH).data.decode()
    last = json.loads(text.strip().rpartition("data: ")[2])["response"]
    asked(client, "c", previous_response_id=last["id"])

    assert [role for role, _ in roles(upstream)] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    assert roles(upstream)[-2:] == [("assistant", "Moin"), ("user", "c")]


def test_an_item_is_found_by_reference(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion("one")))
    item = asked(client, "a")["output"][0]
    reference = {"type": "item_reference", "id": item["id"]}

    asked(client, [reference, {"role": "user", "content": "b"}])

    assert roles(upstream) == [("assistant", "one"), ("user", "b")]
    unknown = {"type": "item_reference", "id": "msg_" + "0" * 32 + "_0"}
    for refused in (unknown, {"type": "item_reference", "id": "x"}, {"id": 1}):
        got = posted(client, {"model": "m", "input": [refused]}, PATH)
        assert got.status_code == 400


def test_a_model_of_openai_gets_the_whole_conversation(
    client: FlaskClient, upstream: Upstream
) -> None:
    thinks = chat_completion("one")
    thinks["choices"][0]["message"]["reasoning_content"] = "hm"
    upstream.plays(json_answer(thinks), json_answer(responses_bodies.response("two")))

    first = asked(client, "a")
    asked(client, "b", model="gpt-4o", previous_response_id=first["id"], store=True)

    sent = upstream.requests[-1].json
    assert upstream.requests[-1].path == "/v1/responses"
    assert "previous_response_id" not in sent
    assert [item["role"] for item in sent["input"]] == ["user", "assistant", "user"]
    assert sent["store"] is True


def test_openais_own_ids_go_to_openai(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(json_answer(responses_bodies.response("two")))
    given = [{"type": "item_reference", "id": "msg_68af40337e58"}]

    asked(client, given, model="gpt-4o", previous_response_id="resp_68af")

    assert upstream.requests[-1].json["previous_response_id"] == "resp_68af"
    assert upstream.requests[-1].json["input"] == given


@pytest.mark.parametrize("id", ["resp_" + "0" * 32, "resp_68af", "x"])
def test_an_unknown_response_is_an_error(client: FlaskClient, upstream: Upstream, id: str) -> None:
    got = posted(client, {"model": "m", "input": "a", "previous_response_id": id}, PATH)

    assert got.status_code == 400
    assert got.get_json()["error"]["code"] == "previous_response_not_found"
    assert upstream.requests == []


def test_a_client_may_decline(client: FlaskClient, upstream: Upstream, tmp_path: Path) -> None:
    upstream.plays(json_answer(chat_completion("one")))

    first = asked(client, "a", store=False)

    assert first["store"] is False
    assert not (tmp_path / "data").exists()


def test_without_the_setting_it_is_named(
    app_for: Callable[..., FlaskClient], upstream: Upstream, tmp_path: Path
) -> None:
    client = app_for(configured(upstream, tmp_path, responses_store=False))
    upstream.plays(json_answer(chat_completion("one")))

    first = asked(client, "a", store=True)
    got = asked(client, "b", previous_response_id=first["id"])

    assert first["store"] is False
    assert "llmgate_settings.responses_store" in got["error"]["message"]
    assert not (tmp_path / "data").exists()


def test_responses_are_of_their_key(
    app_for: Callable[..., FlaskClient], upstream: Upstream, tmp_path: Path
) -> None:
    client = app_for(configured(upstream, tmp_path, keys=KEYS), LLMGATE_MASTER_KEY="sk-master-01")
    unknown = json_answer({"error": {"message": "not found"}}, 404)  # OpenAI's, which is asked
    upstream.plays(
        json_answer(chat_completion("one")), unknown, json_answer(chat_completion("two"))
    )
    own, other = ({"Authorization": f"Bearer {key['key']}"} for key in KEYS)

    id = posted(client, {"model": "m", "input": "a"}, PATH, **own).get_json()["id"]
    more = {"model": "m", "input": "b", "previous_response_id": id}

    assert client.get(f"{PATH}/{id}", headers=own).status_code == 200
    assert client.get(f"{PATH}/{id}", headers=other).status_code == 404
    assert posted(client, more, PATH, **other).status_code == 400
    assert posted(client, more, PATH, **own).status_code == 200


def test_a_stored_response_is_returned_and_deleted(client: FlaskClient, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion("one")), json_answer({"error": {}}, 404))
    first = asked(client, [{"role": "user", "content": text} for text in "abc"])
    place = f"{PATH}/{first['id']}"

    def listed(query: str) -> tuple[list[str], bool]:
        page = client.get(f"{place}/input_items{query}").get_json()
        assert page["first_id"] == (page["data"][0]["id"] if page["data"] else None)
        return [item["content"] for item in page["data"]], page["has_more"]

    assert client.get(place).get_json() == first
    assert listed("") == (["c", "b", "a"], False)
    assert listed("?order=asc&limit=2") == (["a", "b"], True)
    last = client.get(f"{place}/input_items?order=asc&limit=2").get_json()["last_id"]
    assert listed(f"?order=asc&after={last}") == (["c"], False)
    assert listed(f"?after={first['id'].replace('resp', 'in')}_0") == ([], False)
    assert client.post(f"{place}/cancel").status_code == 400
    assert client.delete(place).get_json() == {
        "id": first["id"],
        "object": "response",
        "deleted": True,
    }
    assert client.get(place).status_code == 404


def test_an_answer_is_given_even_if_it_cannot_be_stored(
    client: FlaskClient, upstream: Upstream, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").write_text("a file in the place of the directory")
    upstream.plays(json_answer(chat_completion("one")))

    assert asked(client, "a")["output"][0]["content"][0]["text"] == "one"
    assert "a response is not stored" in caplog.text


def test_a_store_that_cannot_be_read_is_named(
    client: FlaskClient, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.plays(json_answer(chat_completion("one")))
    first = asked(client, "a")
    with closing(sqlite3.connect(tmp_path / "data" / "responses.db")) as db:
        db.execute("drop table responses")
        db.commit()

    got = posted(client, {"model": "m", "input": "b", "previous_response_id": first["id"]}, PATH)

    assert (got.status_code, got.get_json()["error"]["code"]) == (503, "store_unavailable")
