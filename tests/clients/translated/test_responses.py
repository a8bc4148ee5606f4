"""OpenAI's SDK at /v1/responses: natively at OpenAI and Azure, over chat elsewhere."""

from __future__ import annotations

import json
from typing import Any

import openai
import pydantic
import pytest
from testing import responses_bodies as bodies
from testing import wires
from testing.answers import CUT
from testing.answers import json_answer
from testing.answers import sse
from testing.gateway import Gateway
from testing.openai_bodies import chat_chunks
from testing.openai_bodies import chat_completion
from testing.openai_bodies import error_body
from testing.openai_bodies import tool_call
from testing.openai_bodies import usage
from testing.upstream import Upstream

WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}


class City(pydantic.BaseModel):
    city: str


class TestNatively:
    @pytest.mark.parametrize(
        ("model", "path", "sent"),
        [
            ("gpt-4o", "/v1/responses", "gpt-4o"),
            ("azure", "/openai/v1/responses", "gpt-eu"),
        ],
    )
    def test_a_response_is_passed_on(
        self, upstream: Upstream, sdk: openai.OpenAI, model: str, path: str, sent: str
    ) -> None:
        upstream.plays(json_answer(bodies.response()))

        got = sdk.responses.create(model=model, input="Hi", metadata={"a": "b"}, store=True)

        assert got.output_text == "Moin"
        assert got.usage is not None
        assert got.usage.total_tokens == 50
        (seen,) = upstream.requests
        wanted = {"model": sent, "input": "Hi", "metadata": {"a": "b"}, "store": True}
        assert (seen.path, seen.json) == (path, wanted)

    @pytest.mark.parametrize("last", ["completed", "incomplete", "failed"])
    def test_a_stream_is_passed_on(
        self, upstream: Upstream, gateway: Gateway, sdk: openai.OpenAI, last: str
    ) -> None:
        events = bodies.events("Mo", "in", last=last)
        upstream.plays(sse(bodies.stream(events), done=False))

        with sdk.responses.create(model="gpt-4o", input="Hi", stream=True) as stream:
            got = [event.model_dump(exclude_unset=True, mode="json") for event in stream]

        assert got == events
        assert gateway.log(_tells_of_it)["cost"] > 0

    def test_a_stream_that_is_cut_ends_with_an_error(
        self, upstream: Upstream, sdk: openai.OpenAI
    ) -> None:
        upstream.plays(sse([*bodies.stream(bodies.events("Mo", "in")[:6]), CUT], done=False))

        *_, last = sdk.responses.create(model="gpt-4o", input="Hi", stream=True)

        assert last.type == "error"
        assert last.code == "upstream_cut_short"

    def test_an_error_before_the_first_event_is_a_status(
        self, upstream: Upstream, sdk: openai.OpenAI
    ) -> None:
        error = {"type": "error", "code": "rate_limit_exceeded", "message": "Slow", "param": None}
        upstream.plays(sse([error], done=False))

        with pytest.raises(openai.RateLimitError, match="Slow"):
            sdk.responses.create(model="gpt-4o", input="Hi", stream=True)

    def test_a_failed_response_is_passed_on(self, upstream: Upstream, sdk: openai.OpenAI) -> None:
        error = {"code": "server_error", "message": "Sorry"}
        upstream.plays(json_answer(bodies.response(status="failed", error=error, output=[])))

        got = sdk.responses.create(model="gpt-4o", input="Hi")

        assert (got.status, got.error and got.error.message) == ("failed", "Sorry")

    def test_what_is_stored_is_asked_for(self, upstream: Upstream, sdk: openai.OpenAI) -> None:
        items = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
        deleted = {"id": bodies.ID, "object": "response.deleted", "deleted": True}
        upstream.plays(
            json_answer(bodies.response()),
            json_answer(items),
            json_answer(bodies.response(status="cancelled")),
            json_answer(deleted),
        )

        got = sdk.responses.retrieve(bodies.ID, include=["reasoning.encrypted_content"])
        listed = sdk.responses.input_items.list(bodies.ID, limit=2)
        cancelled = sdk.responses.cancel(bodies.ID)
        sdk.responses.delete(bodies.ID)

        assert (got.output_text, listed.data, cancelled.status) == ("Moin", [], "cancelled")
        path = f"/v1/responses/{bodies.ID}"
        assert [(seen.method, seen.path.replace("%5B%5D", "[]")) for seen in upstream.requests] == [
            ("GET", f"{path}?include[]=reasoning.encrypted_content"),
            ("GET", f"{path}/input_items?limit=2"),
            ("POST", f"{path}/cancel"),
            ("DELETE", path),
        ]

    def test_a_stored_stream_is_taken_up_again(
        self, upstream: Upstream, sdk: openai.OpenAI
    ) -> None:
        events = bodies.events("Mo", "in")[4:]
        upstream.plays(sse(bodies.stream(events), done=False))

        with sdk.responses.retrieve(bodies.ID, stream=True, starting_after=3) as stream:
            got = [event.model_dump(exclude_unset=True, mode="json") for event in stream]

        assert got == events

    def test_what_is_not_there_is_not_found(self, upstream: Upstream, sdk: openai.OpenAI) -> None:
        upstream.plays(json_answer(error_body("Response not found", "invalid_request_error"), 404))

        with pytest.raises(openai.NotFoundError, match="Response not found"):
            sdk.responses.retrieve(bodies.ID)

    def test_a_model_may_be_named(self, upstream: Upstream, sdk: openai.OpenAI) -> None:
        upstream.plays(json_answer(bodies.response()))

        sdk.responses.retrieve(bodies.ID, extra_query={"model": "azure"})

        assert upstream.requests[0].path == f"/openai/v1/responses/{bodies.ID}"
        assert upstream.requests[0].headers["api-key"] == "azure-key"

    def test_a_model_without_a_store_is_refused(
        self, upstream: Upstream, sdk: openai.OpenAI
    ) -> None:
        with pytest.raises(openai.BadRequestError, match="stores responses"):
            sdk.responses.retrieve(bodies.ID, extra_query={"model": "groq"})


def _tells_of_it(line: Any) -> bool:
    """Return whether *line* tells of a streamed Response of as many tokens as ours."""
    if not isinstance(line, dict) or line.get("endpoint") != "/v1/responses":
        return False
    used = line["usage"] or {}
    return line["stream"] and (used.get("prompt_tokens"), used.get("cached_tokens")) == (32, 8)


class TestOverChat:
    @pytest.mark.parametrize("model", sorted(wires.WIRES))
    def test_every_provider_answers(
        self, upstream: Upstream, sdk: openai.OpenAI, model: str
    ) -> None:
        wire = wires.WIRES[model]
        upstream.plays(wire.text)

        got = sdk.responses.create(model=model, input="Hi", instructions="Be brief", store=False)

        assert (got.output_text, got.status, got.object) == (wire.said, "completed", "response")
        assert got.usage is not None
        assert got.usage.total_tokens > 0
        assert got.created_at > 1_000_000_000

    @pytest.mark.parametrize("model", sorted(wires.WIRES))
    def test_every_provider_streams(
        self, upstream: Upstream, sdk: openai.OpenAI, model: str
    ) -> None:
        wire = wires.WIRES[model]
        upstream.plays(wire.stream)

        with sdk.responses.stream(model=model, input="Hi") as stream:
            got = stream.get_final_response()

        assert (got.output_text, got.status) == (wire.streamed, "completed")

    @pytest.mark.parametrize("model", sorted(wires.WIRES))
    def test_every_provider_calls_tools_in_a_stream(
        self, upstream: Upstream, sdk: openai.OpenAI, model: str
    ) -> None:
        wire = wires.WIRES[model]
        upstream.plays(wire.tool_stream)

        with sdk.responses.stream(model=model, input="Hi", tools=[WEATHER]) as stream:
            got = stream.get_final_response()

        calls = [item for item in got.output if item.type == "function_call"]
        assert tuple(call.name for call in calls) == wire.called
        assert all(isinstance(json.loads(call.arguments), dict) for call in calls)

    def test_tools_are_called_and_their_results_told(
        self, upstream: Upstream, sdk: openai.OpenAI
    ) -> None:
        called = chat_completion(None, tool_calls=[tool_call("weather", {"city": "Köln"})])
        upstream.plays(json_answer(called), json_answer(chat_completion("Rain")))

        first = sdk.responses.create(model="groq", input="Hi", tools=[WEATHER])
        (call,) = [item for item in first.output if item.type == "function_call"]
        turns: Any = [
            {"role": "user", "content": "Hi"},
            *(item.model_dump() for item in first.output),
            {"type": "function_call_output", "call_id": call.call_id, "output": "rain"},
        ]
        got = sdk.responses.create(model="groq", input=turns, tools=[WEATHER])

        assert got.output_text == "Rain"
        assert [message["role"] for message in upstream.requests[1].json["messages"]] == [
            "user",
            "assistant",
            "tool",
        ]

    def test_an_answer_of_a_form_is_parsed(self, upstream: Upstream, sdk: openai.OpenAI) -> None:
        upstream.plays(json_answer(chat_completion('{"city": "Köln"}')))

        got = sdk.responses.parse(model="groq", input="Hi", text_format=City)

        assert got.output_parsed == City(city="Köln")
        assert upstream.requests[0].json["response_format"]["json_schema"]["name"] == "City"

    @pytest.mark.parametrize("name", ["previous_response_id", "conversation", "background"])
    def test_what_only_openai_can_do_is_refused(
        self, upstream: Upstream, sdk: openai.OpenAI, name: str
    ) -> None:
        given: Any = {name: True if name == "background" else "resp_1"}

        with pytest.raises(openai.BadRequestError, match=name):
            sdk.responses.create(model="groq", input="Hi", **given)

        assert upstream.requests == []

    def test_an_item_of_an_unknown_kind_is_refused(
        self, upstream: Upstream, sdk: openai.OpenAI
    ) -> None:
        items: Any = [{"type": "computer_call", "call_id": "c1", "action": {"type": "wait"}}]

        with pytest.raises(openai.BadRequestError):
            sdk.responses.create(model="groq", input=items)

        assert upstream.requests == []

    def test_a_stream_that_is_cut_fails(self, upstream: Upstream, sdk: openai.OpenAI) -> None:
        chunks = chat_chunks("Mo", "in", usage=usage())
        upstream.plays(sse([*chunks[:2], CUT], done=False))

        *_, last = sdk.responses.create(model="groq", input="Hi", stream=True)

        assert last.type == "response.failed"

    def test_what_an_upstream_says_in_a_failure_is_cleaned(
        self, upstream: Upstream, sdk: openai.OpenAI
    ) -> None:
        said = error_body("Your key sk-upstream-secret is wrong", "server_error")
        upstream.plays(sse([chat_chunks("Mo")[0], said], done=False))

        *_, last = sdk.responses.create(model="groq", input="Hi", stream=True)

        assert last.type == "response.failed"
        assert last.response.error is not None
        assert last.response.error.message == "Your key *** is wrong"
