"""Google's SDK at /v1beta: Gemini natively, every other model over chat and embeddings."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pydantic
import pytest
import requests
from google import genai
from google.genai import errors
from google.genai import types
from testing import wires
from testing.answers import CUT
from testing.answers import HANG
from testing.answers import Pause
from testing.answers import answer
from testing.answers import cut_up
from testing.answers import json_answer
from testing.answers import sse
from testing.gateway import API_KEY
from testing.gateway import Gateway
from testing.openai_bodies import chat_chunks
from testing.openai_bodies import chat_completion
from testing.openai_bodies import embedding
from testing.openai_bodies import error_body
from testing.openai_bodies import tool_call
from testing.openai_bodies import usage
from testing.samples import names
from testing.samples import sample
from testing.upstream import Upstream

NATIVE = {
    "gemini": "/v1beta/models/gemini-2.5-flash",
    "vertex-gemini": "/v1/projects/proj/locations/eu/publishers/google/models/gemini-2.5-pro",
}
KEYS = {"gemini": ("x-goog-api-key", API_KEY), "vertex-gemini": ("authorization", "Bearer token")}
REFUSED = {"error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED"}}
PNG = b"\x89PNG\xfb\xff\xfe"
BASE64 = base64.b64encode(PNG).decode()


@pytest.fixture(scope="module")
def module_client(session_gateway: Gateway) -> Iterator[genai.Client]:
    """Google's client of the session's gateway; ask for `client` in a test."""
    once = types.HttpRetryOptions(attempts=1)
    options = types.HttpOptions(base_url=session_gateway.url, retry_options=once)
    with genai.Client(api_key="any-key", http_options=options) as found:
        yield found


@pytest.fixture
def client(gateway: Gateway, module_client: genai.Client) -> genai.Client:
    """Google's client, which asks `gateway` once and does not try again."""
    return module_client


def weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"rain in {city}"


class City(pydantic.BaseModel):
    name: str
    people: int
    river: str | None


class TestNatively:
    @pytest.mark.parametrize("model", NATIVE)
    def test_contents_are_passed_on(
        self, upstream: Upstream, client: genai.Client, model: str
    ) -> None:
        upstream.plays(wires.WIRES["gemini"].text)

        got = client.models.generate_content(
            model=model,
            contents="Hi",
            config=types.GenerateContentConfig(
                system_instruction="Be brief",
                temperature=0,
                thinking_config=types.ThinkingConfig(thinking_budget=0),
                safety_settings=[
                    types.SafetySetting(
                        category=types.HarmCategory.HARM_CATEGORY_HARASSMENT,
                        threshold=types.HarmBlockThreshold.BLOCK_NONE,
                    )
                ],
            ),
        )

        assert got.text == wires.WIRES["gemini"].said
        (seen,) = upstream.requests
        assert seen.path == f"{NATIVE[model]}:generateContent"
        name, value = KEYS[model]
        assert seen.headers[name] == value
        assert "any-key" not in f"{seen.path} {seen.headers}"
        assert seen.json == {
            "contents": [{"parts": [{"text": "Hi"}], "role": "user"}],
            "systemInstruction": {"parts": [{"text": "Be brief"}], "role": "user"},
            "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
            "generationConfig": {"temperature": 0.0, "thinkingConfig": {"thinking_budget": 0}},
        }

    @pytest.mark.parametrize("name", names("gemini", "reply_"))
    def test_the_bytes_of_an_answer_are_not_touched(
        self, upstream: Upstream, gateway: Gateway, name: str
    ) -> None:
        data = json.dumps(sample("gemini", name)["response"], indent=2).encode()
        upstream.plays(json_answer(data))

        got = requests.post(
            f"{gateway.url}/v1beta/models/gemini:generateContent", json=ASKED, timeout=10
        )

        assert (got.status_code, got.content) == (200, data)

    @pytest.mark.parametrize("model", NATIVE)
    def test_a_stream_is_passed_on(
        self, upstream: Upstream, client: genai.Client, model: str
    ) -> None:
        upstream.plays(wires.WIRES["gemini"].stream)

        got = [
            chunk.text
            for chunk in client.models.generate_content_stream(model=model, contents="Hi")
        ]

        assert "".join(text or "" for text in got) == wires.WIRES["gemini"].streamed
        assert upstream.requests[0].path == f"{NATIVE[model]}:streamGenerateContent?alt=sse"

    @pytest.mark.parametrize("name", names("gemini", "stream_"))
    def test_the_bytes_of_a_stream_are_not_touched(
        self, upstream: Upstream, gateway: Gateway, name: str
    ) -> None:
        events = sample("gemini", name)["events"]
        data = b"".join(b"data: " + json.dumps(each).encode() + b"\r\n\r\n" for each in events)
        upstream.plays(answer(cut_up(data, 97), headers=wires.EVENTS, framing="chunked"))
        url = f"{gateway.url}/v1beta/models/gemini:streamGenerateContent"

        got = requests.post(url, json=ASKED, params={"alt": "sse"}, timeout=10)
        listed = requests.post(url, json=ASKED, timeout=10)

        assert got.content == data
        assert listed.json() == events
        assert listed.headers["content-type"] == "application/json; charset=UTF-8"

    @pytest.mark.parametrize("model", ["gemini", "gpt-4o"])
    def test_a_list_comes_bit_by_bit(
        self, upstream: Upstream, gateway: Gateway, model: str
    ) -> None:
        native = sample("gemini", "stream_text")["events"]
        begun = native[:1] if model == "gemini" else chat_chunks("Mo")[:2]
        upstream.plays(sse([*begun, HANG], done=False))
        url = f"{gateway.url}/v1beta/models/{model}:streamGenerateContent"

        with requests.post(url, json=ASKED, stream=True, timeout=10) as got:
            first = next(got.iter_content(None))

        assert first.startswith(b"[{") and json.loads(first + b"]")

    def test_functions_are_called_until_the_model_is_content(
        self, upstream: Upstream, client: genai.Client
    ) -> None:
        call = {"name": "weather", "args": {"city": "Köln"}, "id": "c1"}
        parts = [{"functionCall": call, "thoughtSignature": "c2ln"}]
        upstream.plays(json_answer(response(parts)), json_answer(response([{"text": "Rain."}])))

        got = client.models.generate_content(
            model="gemini",
            contents="Weather?",
            config=types.GenerateContentConfig(tools=[weather]),
        )

        assert got.text == "Rain."
        turns = upstream.requests[1].json["contents"]
        assert turns[1] == {"role": "model", "parts": parts}
        assert turns[2]["parts"][0]["functionResponse"]["response"] == {"result": "rain in Köln"}

    @pytest.mark.parametrize("model", NATIVE)
    def test_tokens_are_counted(self, upstream: Upstream, client: genai.Client, model: str) -> None:
        upstream.plays(json_answer({"totalTokens": 31}))

        got = client.models.count_tokens(model=model, contents="Hi there")

        assert got.total_tokens == 31
        (seen,) = upstream.requests
        assert seen.path == f"{NATIVE[model]}:countTokens"
        assert seen.json == {"contents": [{"parts": [{"text": "Hi there"}], "role": "user"}]}

    def test_contents_are_embedded(self, upstream: Upstream, client: genai.Client) -> None:
        upstream.plays(json_answer({"embeddings": [{"values": [1, 2]}]}))

        got = client.models.embed_content(
            model="gemini-embeddings",
            contents="a",
            config=types.EmbedContentConfig(output_dimensionality=2, task_type="CLUSTERING"),
        )

        assert [each.values for each in got.embeddings or ()] == [[1, 2]]
        (seen,) = upstream.requests
        assert seen.path == "/v1/models/gemini-embedding-001:batchEmbedContents"
        (asked,) = seen.json["requests"]
        assert (asked["model"], asked["taskType"]) == (
            "models/gemini-embedding-001",
            "CLUSTERING",
        )

    def test_signs_of_life_are_read_over(
        self, upstream: Upstream, client: genai.Client, gateway: Gateway
    ) -> None:
        first, *others = sample("gemini", "stream_text")["events"]
        upstream.plays(sse([Pause(1.3), first, *others], done=False))
        beats = {"x-llmgate-heartbeat": "1"}
        config = types.GenerateContentConfig(http_options=types.HttpOptions(headers=beats))
        url = f"{gateway.url}/v1beta/models/gemini:streamGenerateContent"

        got = client.models.generate_content_stream(model="gemini", contents="Hi", config=config)

        assert "".join(chunk.text or "" for chunk in got) == "Grüße 👋!"
        listed = requests.post(url, json=ASKED, headers=beats, timeout=10)
        assert listed.content.startswith(b" ")
        assert listed.json() == [first, *others]

    def test_a_refusal_is_googles(self, upstream: Upstream, client: genai.Client) -> None:
        upstream.plays(json_answer(REFUSED, 429))

        with pytest.raises(errors.ClientError) as caught:
            client.models.generate_content(model="gemini", contents="Hi")

        assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
        assert caught.value.message == "Quota exceeded"

    @pytest.mark.parametrize("events", [0, 1])
    def test_an_error_in_a_stream_is_one(
        self, upstream: Upstream, client: genai.Client, events: int
    ) -> None:
        begun = sample("gemini", "stream_text")["events"][:events]
        upstream.plays(sse([*begun, REFUSED], done=False))

        with pytest.raises(errors.ClientError, match="Quota exceeded") as caught:
            list(client.models.generate_content_stream(model="gemini", contents="Hi"))

        assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")

    def test_a_stream_that_is_cut_ends_with_an_error(
        self, upstream: Upstream, client: genai.Client
    ) -> None:
        upstream.plays(sse([*sample("gemini", "stream_text")["events"][:1], CUT], done=False))

        with pytest.raises(errors.ServerError) as caught:
            list(client.models.generate_content_stream(model="gemini", contents="Hi"))

        assert (caught.value.code, caught.value.status) == (502, "UNAVAILABLE")


ASKED: dict[str, Any] = {"contents": [{"parts": [{"text": "Hi"}]}]}


def response(parts: list[Any]) -> dict[str, Any]:
    """Return an answer of Gemini's that says *parts*."""
    content = {"role": "model", "parts": parts}
    return {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 2},
        "modelVersion": "gemini-2.5-flash",
    }


class TestOverChat:
    def test_contents_are_answered(self, upstream: Upstream, client: genai.Client) -> None:
        spent = usage(20, 9, cached=5, reasoning=4)
        upstream.plays(json_answer(chat_completion("Moin", usage=spent)))

        got = client.models.generate_content(
            model="openai/gpt-4o",
            contents="Hi",
            config=types.GenerateContentConfig(
                system_instruction="Be brief",
                temperature=0,
                top_p=0.5,
                top_k=40,
                max_output_tokens=64,
                stop_sequences=["END"],
                seed=0,
                safety_settings=[],
                labels=None,
            ),
        )

        assert (got.text, got.model_version) == ("Moin", "gpt-4o-2024-08-06")
        assert got.candidates is not None
        assert got.candidates[0].finish_reason == types.FinishReason.STOP
        spent_there = got.usage_metadata
        assert spent_there is not None
        assert spent_there.prompt_token_count == 20
        assert spent_there.cached_content_token_count == 5
        assert spent_there.candidates_token_count == 5
        assert spent_there.thoughts_token_count == 4
        assert spent_there.total_token_count == 29
        (seen,) = upstream.requests
        assert seen.path == "/v1/chat/completions"
        assert seen.json == {
            "model": "gpt-4o",
            "temperature": 0,
            "top_p": 0.5,
            "max_completion_tokens": 64,
            "stop": ["END"],
            "seed": 0,
            "messages": [
                {"role": "system", "content": "Be brief"},
                {"role": "user", "content": "Hi"},
            ],
        }

    def test_a_stream_is_answered(self, upstream: Upstream, client: genai.Client) -> None:
        upstream.plays(sse(chat_chunks("Mo", "in", usage=usage(9, 2))))

        got = list(client.models.generate_content_stream(model="gpt-4o", contents="Hi"))

        assert [chunk.text for chunk in got] == ["Mo", "in", None]
        last = got[-1]
        assert last.candidates is not None and last.usage_metadata is not None
        assert last.candidates[0].finish_reason == types.FinishReason.STOP
        assert last.usage_metadata.total_token_count == 11

    @pytest.mark.parametrize("model", sorted(wires.WIRES))
    def test_every_provider_answers(
        self, upstream: Upstream, client: genai.Client, model: str
    ) -> None:
        wire = wires.WIRES[model]
        upstream.plays(wire.text)

        got = client.models.generate_content(model=model, contents="Hi")

        assert got.text == wire.said

    @pytest.mark.parametrize("model", sorted(wires.WIRES))
    def test_every_provider_streams_calls(
        self, upstream: Upstream, client: genai.Client, model: str
    ) -> None:
        wire = wires.WIRES[model]
        upstream.plays(wire.tool_stream)
        by_hand = types.AutomaticFunctionCallingConfig(disable=True)
        config = types.GenerateContentConfig(tools=[weather], automatic_function_calling=by_hand)

        got = list(client.models.generate_content_stream(model=model, contents="?", config=config))

        calls = [call for chunk in got for call in chunk.function_calls or ()]
        assert tuple(call.name for call in calls) == wire.called
        assert all(isinstance(call.args, dict) for call in calls)

    def test_functions_are_called_until_the_model_is_content(
        self, upstream: Upstream, client: genai.Client
    ) -> None:
        calls = [
            tool_call("weather", {"city": "Köln"}),
            tool_call("weather", {"city": "Bonn"}, "call_2"),
        ]
        upstream.plays(
            json_answer(chat_completion(None, tool_calls=calls)),
            json_answer(chat_completion("Rain.")),
        )

        got = client.models.generate_content(
            model="gpt-4o",
            contents="Weather?",
            config=types.GenerateContentConfig(tools=[weather]),
        )

        assert got.text == "Rain."
        asked, told = (seen.json for seen in upstream.requests)
        assert asked["tools"][0]["function"]["name"] == "weather"
        assert asked["tools"][0]["function"]["parameters"] == {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        }
        assert [
            {**call, "function": {**call["function"], "arguments": None}}
            for call in told["messages"][1]["tool_calls"]
        ] == [{**call, "function": {"name": "weather", "arguments": None}} for call in calls]
        assert told["messages"][2:] == [
            {"role": "tool", "tool_call_id": "call_1", "content": '{"result":"rain in Köln"}'},
            {"role": "tool", "tool_call_id": "call_2", "content": '{"result":"rain in Bonn"}'},
        ]

    def test_functions_are_called_by_hand(self, upstream: Upstream, client: genai.Client) -> None:
        upstream.plays(
            json_answer(chat_completion(None, tool_calls=[tool_call("weather", {"city": "X"})])),
            json_answer(chat_completion("Rain.")),
        )
        declared = types.FunctionDeclaration(
            name="weather",
            description="The weather.",
            parameters=types.Schema(
                type=types.Type.OBJECT,
                properties={"city": types.Schema(type=types.Type.STRING, nullable=True)},
            ),
        )
        calling = types.FunctionCallingConfig(
            mode=types.FunctionCallingConfigMode.ANY, allowed_function_names=["weather"]
        )
        config = types.GenerateContentConfig(
            tools=[types.Tool(function_declarations=[declared])],
            tool_config=types.ToolConfig(function_calling_config=calling),
        )

        chat = client.chats.create(model="gpt-4o", config=config)
        (call,) = chat.send_message("Weather?").function_calls or ()
        assert call.name is not None
        result = types.Part.from_function_response(name=call.name, response={"output": "rain"})
        got = chat.send_message(result)

        assert (call.id, call.args, got.text) == ("call_1", {"city": "X"}, "Rain.")
        asked, told = (seen.json for seen in upstream.requests)
        assert asked["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
        assert asked["tools"][0]["function"]["parameters"] == {
            "type": "object",
            "properties": {"city": {"type": ["string", "null"]}},
        }
        assert told["messages"][-1] == {
            "role": "tool",
            "tool_call_id": "call_1",
            "content": "rain",
        }

    def test_an_answer_has_the_form_of_a_schema(
        self, upstream: Upstream, client: genai.Client
    ) -> None:
        city = City(name="Köln", people=1, river=None)
        upstream.plays(json_answer(chat_completion(city.model_dump_json())))

        got = client.models.generate_content(
            model="gpt-4o",
            contents="A city",
            config=types.GenerateContentConfig(
                response_mime_type="application/json", response_schema=City
            ),
        )

        assert got.parsed == city
        form = upstream.requests[0].json["response_format"]
        assert form["json_schema"]["strict"] is True
        schema = form["json_schema"]["schema"]
        assert schema["additionalProperties"] is False
        assert schema["properties"]["people"]["type"] == "integer"
        assert schema["properties"]["river"]["type"] == ["string", "null"]

    def test_pictures_are_sent_along(self, upstream: Upstream, client: genai.Client) -> None:
        upstream.plays(json_answer(chat_completion("A cat")))

        client.models.generate_content(
            model="gpt-4o",
            contents=[
                "What is this?",
                types.Part.from_bytes(data=PNG, mime_type="image/png"),
                types.Part.from_uri(file_uri="https://e.org/a.jpg", mime_type="image/jpeg"),
            ],
        )

        assert upstream.requests[0].json["messages"][0]["content"] == [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BASE64}"}},
            {"type": "image_url", "image_url": {"url": "https://e.org/a.jpg"}},
        ]

    def test_signed_thinking_comes_back_to_claude(
        self, upstream: Upstream, client: genai.Client
    ) -> None:
        thinking = {"type": "thinking", "thinking": "Hm.", "signature": "si+/gn=="}
        message = {**CLAUDE, "content": [thinking, {"type": "text", "text": "Moin"}]}
        upstream.plays(json_answer(message))

        chat = client.chats.create(model="anthropic")
        first = chat.send_message("Hi")
        chat.send_message("And?")

        assert first.candidates is not None and first.candidates[0].content is not None
        parts = first.candidates[0].content.parts
        assert [(part.text, part.thought) for part in parts or ()] == [
            ("Hm.", True),
            ("Moin", None),
        ]
        assert upstream.requests[1].json["messages"][1]["content"][0] == thinking

    def test_tokens_are_estimated(self, upstream: Upstream, client: genai.Client) -> None:
        got = client.models.count_tokens(model="gpt-4o", contents="a" * 400)

        assert got.total_tokens == 104
        assert upstream.requests == []

    def test_contents_are_embedded(self, upstream: Upstream, client: genai.Client) -> None:
        upstream.plays(json_answer(embedding([0.5, 1.0], [2.0, 3.0])))

        got = client.models.embed_content(
            model="text-embedding-3-small",
            contents=["a", "b"],
            config=types.EmbedContentConfig(output_dimensionality=2, task_type="CLUSTERING"),
        )

        assert [each.values for each in got.embeddings or ()] == [[0.5, 1.0], [2.0, 3.0]]
        (seen,) = upstream.requests
        assert seen.path == "/v1/embeddings"
        assert seen.json == {
            "model": "text-embedding-3-small",
            "input": ["a", "b"],
            "dimensions": 2,
            "encoding_format": "float",
        }

    @pytest.mark.parametrize(
        ("status", "code", "named"),
        [
            (400, 400, "INVALID_ARGUMENT"),
            (401, 401, "UNAUTHENTICATED"),
            (429, 429, "RESOURCE_EXHAUSTED"),
            (503, 503, "UNAVAILABLE"),
        ],
    )
    def test_a_refusal_is_told_in_googles_words(
        self, upstream: Upstream, client: genai.Client, status: int, code: int, named: str
    ) -> None:
        upstream.plays(json_answer(error_body("Not now", code="x"), status))

        with pytest.raises(errors.APIError, match="Not now") as caught:
            client.models.generate_content(model="gpt-4o", contents="Hi")

        assert (caught.value.code, caught.value.status) == (code, named)

    def test_an_unknown_model_is_not_found(self, client: genai.Client) -> None:
        with pytest.raises(errors.ClientError, match="Unknown model 'gpt-99'") as caught:
            client.models.generate_content(model="gpt-99", contents="Hi")

        assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")

    def test_an_error_in_a_stream_is_one(self, upstream: Upstream, client: genai.Client) -> None:
        begun = chat_chunks("Mo")[:2]
        upstream.plays(sse([*begun, error_body("Overloaded", "server_error")], done=False))
        seen = []

        with pytest.raises(errors.APIError, match="Overloaded"):
            for chunk in client.models.generate_content_stream(model="gpt-4o", contents="Hi"):
                seen.append(chunk.text)

        assert seen == ["Mo"]

    def test_what_only_gemini_has_is_refused(self, client: genai.Client) -> None:
        tools = [types.Tool(code_execution=types.ToolCodeExecution())]

        with pytest.raises(errors.ClientError, match="Only Gemini has codeExecution"):
            client.models.generate_content(
                model="gpt-4o", contents="Hi", config=types.GenerateContentConfig(tools=tools)
            )

    def test_the_models_are_listed(self, client: genai.Client) -> None:
        listed = list(client.models.list(config={"page_size": 7, "query_base": True}))
        got = client.models.get(model="gemini")

        found = {model.name: model.supported_actions for model in listed}
        assert len(found) == len(listed) > 20
        assert "embedContent" in (found["models/text-embedding-3-small"] or ())
        assert "generateContent" in (found["models/gpt-4o"] or ())
        assert (got.name, got.description) == ("models/gemini", "gemini-2.5-flash of gemini")


CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
