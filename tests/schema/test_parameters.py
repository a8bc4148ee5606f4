from __future__ import annotations

import copy
from typing import Any

import pytest

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.contract import Operation
from llmgate.providers import PROVIDERS
from llmgate.schema import parameters

CHAT = {"model": "g", "messages": [{"role": "user", "content": "hi"}]}
NARROW = parameters.OPENAI["chat"] - {"seed", "logprobs", "n", "user", "stream_options"}


def upstream_body(
    body: dict[str, Any],
    taken: frozenset[str] | None = None,
    name: str = "chat",
    **over: Any,
) -> dict[str, Any]:
    """Return what is sent of *body*, less the model and the messages; nothing given is changed."""
    deployment = Deployment("g", "mistral", "large", "https://x", **over)
    operation = Operation(build=lambda body, deployment: None, params=taken)  # type: ignore
    body = {**CHAT, **body} if name == "chat" else body
    before = copy.deepcopy((body, deployment))

    got = parameters.upstream_body(body, deployment, name, operation)

    assert (body, deployment) == before
    return {key: value for key, value in got.items() if key not in CHAT}


def refusal(*args: Any, **given: Any) -> errors.InvalidRequest:
    with pytest.raises(errors.InvalidRequest) as caught:
        upstream_body(*args, **given)
    return caught.value


def test_streaming_is_not_switched_in_extra_body() -> None:
    assert refusal({"extra_body": {"stream": True}}).param == "extra_body.stream"
    assert upstream_body({"stream": True, "extra_body": {"stream": True}}) == {"stream": True}


def test_a_null_parameter_of_another_operation_is_not_sent() -> None:
    assert upstream_body({"suffix": None, "seed": None, "own": None}) == {"seed": None, "own": None}


# -- defaults


@pytest.mark.parametrize(
    ("body", "defaults", "wanted"),
    [
        ({}, {"temperature": 0.3}, {"temperature": 0.3}),
        ({"temperature": 1}, {"temperature": 0.3}, {"temperature": 1}),
        ({"temperature": 0}, {"temperature": 0.3}, {"temperature": 0}),
        ({"temperature": None}, {"temperature": 0.3}, {"temperature": 0.3}),
        ({}, {"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": 7}, {"max_tokens": 5}, {"max_tokens": 7}),
        ({"max_completion_tokens": 7}, {"max_tokens": 5}, {"max_completion_tokens": 7}),
        ({"max_tokens": 7}, {"max_completion_tokens": 5}, {"max_tokens": 7}),
        ({"max_tokens": None}, {"max_tokens": 5}, {"max_tokens": 5}),
        ({"top_k": 1}, {"top_k": 2, "min_p": 3}, {"top_k": 1, "min_p": 3}),
        ({"tools": []}, {"tools": [1]}, {"tools": []}),
        ({}, {"stream_options": {"include_usage": True}}, {}),
        ({"stream": True}, {"stream_options": {}}, {"stream": True, "stream_options": {}}),
        ({}, {"tool_choice": "auto"}, {}),
        ({"tools": [1]}, {"tool_choice": "auto"}, {"tools": [1], "tool_choice": "auto"}),
        ({}, {"top_logprobs": 2}, {}),
        ({}, {"top_logprobs": 2, "logprobs": True}, {"top_logprobs": 2, "logprobs": True}),
    ],
)
def test_a_default_is_for_requests_that_do_not_say(body: Any, defaults: Any, wanted: Any) -> None:
    assert upstream_body(body, defaults=defaults) == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("chat", {"temperature": 0.3, "max_tokens": 5, "top_k": 2, "stop": ["x"]}),
        ("completions", {"temperature": 0.3, "max_tokens": 5, "top_k": 2, "stop": ["x"]}),
        ("embeddings", {"top_k": 2}),
        ("moderations", {"top_k": 2}),
        ("speech", {"top_k": 2}),
        ("transcriptions", {"temperature": 0.3, "top_k": 2}),
        ("another", {"top_k": 2}),
    ],
)
def test_defaults_stay_with_the_operations_that_know_them(name: str, wanted: Any) -> None:
    defaults = {"temperature": 0.3, "max_tokens": 5, "top_k": 2, "stop": ["x"]}

    assert upstream_body({"model": "g"}, name=name, defaults=defaults) == wanted


def test_the_clients_parameters_come_first_and_in_its_order() -> None:
    body = {"z": 1, "messages": [], "a": 2, "model": "g", "temperature": None}
    deployment = Deployment("g", "p", "m", "https://x", defaults={"temperature": 1, "b": 3})

    got = parameters.upstream_body(body, deployment, "chat", PROVIDERS["openai"].operations["chat"])

    assert [*got] == ["z", "messages", "a", "model", "temperature", "b"]


# -- what is sent as it is


def test_unknown_parameters_go_upstream_unchanged() -> None:
    body = {
        "top_k": 5,
        "guided_json": {"a": [None]},
        "mask": 1,  # OpenAI's, but not of this operation
        "chat_template_kwargs": {"enable_thinking": False},
        "null": None,
    }

    assert (
        upstream_body(body)
        == upstream_body(body, NARROW)
        == upstream_body(body, NARROW, drop_params=True)
        == body
    )


@pytest.mark.parametrize("taken", [None, NARROW])
def test_names_of_the_gate_never_go_upstream(taken: Any) -> None:
    names = """metadata litellm_metadata keepalive_seconds litellm_trace_id litellm_session_id
    litellm_call_id litellm_request_debug guardrails tags caching cache ttl no-log mock_response
    mock_timeout api_key api_base base_url api_version custom_llm_provider headers model_list
    user_config model_info num_retries max_retries retry_policy retry_strategy fallbacks
    context_window_fallback_dict max_fallbacks routing_strategy timeout request_timeout
    stream_timeout force_timeout client_side_timeout rpm tpm itpm otpm max_parallel_requests weight
    order cooldown_time input_cost_per_token output_cost_per_token input_cost_per_second
    output_cost_per_second cost_per_query base_model drop_params additional_drop_params
    allowed_openai_params fastest_response cache_key configurable_clientside_auth_params region_name
    allowed_model_region supports_system_message prompt_id prompt_variables prompt_version tenant_id
    client_id client_secret azure_ad_token azure_username azure_password ssl_verify max_budget
    budget_duration roles bos_token eos_token verbose logger_fn litellm_credential_name
    enable_tag_filtering secret_fields extra_body extra_headers""".split()

    assert upstream_body(dict.fromkeys(names, "x"), taken) == {}


@pytest.mark.parametrize(
    ("body", "settings", "wanted"),
    [
        ({"extra_body": {"a": 1, "metadata": {"b": 2}}}, {}, {"a": 1, "metadata": {"b": 2}}),
        ({"a": 1}, {"extra_body": {"a": 2, "b": 3}}, {"a": 2, "b": 3}),
        ({"extra_body": {"a": 1}}, {"extra_body": {"a": 2, "b": 3}}, {"a": 1, "b": 3}),
        ({"extra_body": None}, {"extra_body": None}, {}),
        ({"extra_body": "x"}, {"extra_body": []}, {}),
    ],
)
def test_extra_body_is_merged_in(body: Any, settings: Any, wanted: Any) -> None:
    assert upstream_body(body, settings=settings) == wanted


# -- what a provider does not take


def test_an_unsupported_parameter_is_refused_with_the_ways_out() -> None:
    error = refusal({"seed": 1, "temperature": 1, "logprobs": True}, NARROW)

    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", "seed")
    assert error.message == (
        "mistral does not support 'seed', 'logprobs' with model large. Remove them from the"
        " request, or have them dropped: drop_params: true in the request or in"
        " litellm_settings drops every unsupported parameter, additional_drop_params the"
        " ones that it lists; allowed_openai_params sends them anyway."
    )


@pytest.mark.parametrize(
    "name",
    """user store verbosity reasoning_effort prompt_cache_key prompt_cache_retention
    prompt_cache_options safety_identifier moderation""".split(),
)
def test_an_unsupported_hint_is_dropped_without_an_error(name: str) -> None:
    body = {name: "x", "temperature": 0.5}

    assert upstream_body(body, frozenset({"temperature"})) == {"temperature": 0.5}
    assert upstream_body(body) == body
    allowed = {**body, "allowed_openai_params": [name]}
    assert upstream_body(allowed, frozenset({"temperature"})) == body


@pytest.mark.parametrize("name", "tools response_format stop audio prediction".split())
def test_an_unsupported_demand_is_refused(name: str) -> None:
    assert refusal({name: ["x"]}, frozenset()).param == name


@pytest.mark.parametrize(
    "body",
    [
        {"n": 1},
        {"n": None, "seed": None, "logprobs": None},
        {"user": "u"},
        {"parallel_tool_calls": True, "store": False, "service_tier": "auto"},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": {}, "top_logprobs": 0},
        {"logprobs": False, "tools": [], "functions": [], "tool_choice": "auto", "stop": []},
        {"response_format": {"type": "text"}, "modalities": ["text"], "temperature": 1},
        {"top_p": 1, "function_call": "auto", "web_search_options": None},
    ],
)
def test_values_that_request_nothing_are_dropped_without_an_error(body: Any) -> None:
    assert upstream_body(body, frozenset()) == {}


def test_default_values_of_completions_are_dropped_without_an_error() -> None:
    body = {"prompt": "x", "best_of": 0, "echo": False, "suffix": ""}

    assert upstream_body(body, frozenset(), name="completions") == {}


@pytest.mark.parametrize("body", [{"seed": 0}, {"temperature": 0}, {"tool_choice": "none"}])
def test_falsy_values_that_request_something_are_not_defaults(body: Any) -> None:
    assert refusal(body, frozenset()).param in body


@pytest.mark.parametrize("name", ["messages", "count_tokens", "responses"])
def test_metadata_is_a_parameter_where_the_api_has_it(name: str) -> None:
    body = {"model": "g", "metadata": {"user_id": "u"}, "tags": ["a"]}

    assert upstream_body(body, name=name) == {"metadata": {"user_id": "u"}}
    assert upstream_body(body) == {}


@pytest.mark.parametrize("name", ["messages", "responses"])
def test_defaults_reach_the_native_fronts(name: str) -> None:
    defaults = {"temperature": 0.5, "seed": 1, "top_k": 3}

    assert upstream_body({"model": "g"}, name=name, defaults=defaults) == {
        "temperature": 0.5,
        "top_k": 3,
    }


@pytest.mark.parametrize(
    ("body", "over", "wanted"),
    [
        ({}, {}, False),
        ({"drop_params": True}, {}, True),
        ({"drop_params": "true"}, {}, True),
        ({"drop_params": False}, {}, False),
        ({"drop_params": False}, {"drop_params": True}, True),
    ],
)
def test_dropping_is_asked_for_by_either_side(body: Any, over: Any, wanted: bool) -> None:
    deployment = Deployment("g", "mistral", "large", "https://x", **over)

    assert parameters.drops_unsupported(body, deployment) == wanted


@pytest.mark.parametrize("value", [2, 0, True, "1"])
def test_more_than_one_choice_is_refused(value: Any) -> None:
    if value is True:  # equals 1
        assert upstream_body({"n": value}, NARROW) == {}
        return

    assert refusal({"n": value}, NARROW).param == "n"


def test_parameters_of_other_operations_are_not_refused() -> None:
    assert upstream_body({"suffix": "x", "voice": "y"}, NARROW) == {"suffix": "x", "voice": "y"}


def test_an_operation_that_openai_lacks_knows_all_parameters() -> None:
    assert refusal({"seed": 1, "query": "x"}, frozenset({"query"}), name="rerank").param == "seed"


@pytest.mark.parametrize(
    ("body", "over"),
    [
        ({"drop_params": True}, {}),
        ({"drop_params": "true"}, {}),  # in a form
        ({}, {"drop_params": True}),
        ({"drop_params": False}, {"drop_params": True}),
    ],
)
def test_unsupported_parameters_are_dropped_on_demand(body: Any, over: Any) -> None:
    body = {"seed": 1, "temperature": 1, "top_k": 2, **body}

    assert upstream_body(body, NARROW, **over) == {"temperature": 1, "top_k": 2}


@pytest.mark.parametrize("value", [False, None, "false", 0])
def test_parameters_are_not_dropped_otherwise(value: Any) -> None:
    assert refusal({"seed": 1, "drop_params": value}, NARROW).param == "seed"


def test_a_default_that_a_provider_lacks_is_refused_too() -> None:
    assert refusal({}, NARROW, defaults={"seed": 3}).param == "seed"


def test_supported_parameters_are_not_dropped() -> None:
    assert upstream_body({"temperature": 1, "seed": 1}, drop_params=True) == {
        "temperature": 1,
        "seed": 1,
    }


def test_guidances_stop_sequences_pass_and_are_dropped_on_demand() -> None:
    body = {"stop_sequences": ["\n"], "temperature": 0.3}

    assert upstream_body(body) == upstream_body(body, NARROW) == body
    assert upstream_body(body, drop_params=True) == {"temperature": 0.3}
    assert upstream_body({**body, "drop_params": True}, NARROW) == {"temperature": 0.3}


@pytest.mark.parametrize(
    ("body", "settings"),
    [
        ({"allowed_openai_params": ["seed"]}, {}),
        ({}, {"allowed_openai_params": ["seed"]}),
        ({"allowed_openai_params": ["logprobs"]}, {"allowed_openai_params": ["seed", ""]}),
    ],
)
@pytest.mark.parametrize("dropping", [True, False])
def test_allowed_parameters_are_sent_all_the_same(body: Any, settings: Any, dropping: bool) -> None:
    got = upstream_body({"seed": 1, **body}, NARROW, settings=settings, drop_params=dropping)

    assert got == {"seed": 1}


@pytest.mark.parametrize(
    ("body", "settings"),
    [
        ({"additional_drop_params": ["seed", "a"]}, {}),
        ({}, {"additional_drop_params": ["seed", "a"]}),
        ({"additional_drop_params": ["a", "absent"]}, {"additional_drop_params": ["seed"]}),
        ({"additional_drop_params": "nothing"}, {"additional_drop_params": ["seed", "a"]}),
    ],
)
def test_named_parameters_are_dropped_even_if_supported(body: Any, settings: Any) -> None:
    given = {"seed": 1, "a": 2, "temperature": 1, **body}

    assert upstream_body(given, settings=settings) == {"temperature": 1}
    assert upstream_body(given, NARROW, settings=settings) == {"temperature": 1}


# -- nested paths


TOOLS = {
    "tools": [
        {"type": "function", "function": {"name": "f", "strict": True}},
        {"type": "function", "function": {"name": "g", "strict": False}, "x": [1, {"y": 2}]},
    ]
}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (
            "tools[*].function.strict",
            [
                {"type": "function", "function": {"name": "f"}},
                {"type": "function", "function": {"name": "g"}, "x": [1, {"y": 2}]},
            ],
        ),
        (
            "tools[0].function",
            [{"type": "function"}, TOOLS["tools"][1]],
        ),
        (
            "tools[1].x[1].y",
            [
                TOOLS["tools"][0],
                {
                    "type": "function",
                    "function": {"name": "g", "strict": False},
                    "x": [1, {}],
                },
            ],
        ),
        ("tools[7].function", TOOLS["tools"]),
        ("tools.function", TOOLS["tools"]),
        ("tools[0]", TOOLS["tools"]),
        ("tools[*].type.x", TOOLS["tools"]),
        ("nothing.at.all", TOOLS["tools"]),
        ("", TOOLS["tools"]),
        ("[]..", TOOLS["tools"]),
    ],
)
def test_a_path_leads_to_what_is_dropped(path: str, wanted: Any) -> None:
    before = copy.deepcopy(TOOLS)

    assert parameters.without(TOOLS, parameters.steps(path)) == {"tools": wanted}
    assert before == TOOLS


def test_paths_in_a_request_are_followed() -> None:
    got = upstream_body({**TOOLS, "additional_drop_params": ["tools[*].function", "tools[*].x"]})

    assert got == {"tools": [{"type": "function"}, {"type": "function"}]}


# -- clients


LIBRECHAT = {
    "model": "g",
    "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    "user": "65f1c2a7b0d1e2f3a4b5c6d7",
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "max_tokens": 1024,
    "max_completion_tokens": 1024,
    "n": 1,
    "stop": ["||>"],
    "logprobs": False,
    "top_logprobs": None,
    "logit_bias": {},
    "seed": None,
    "response_format": {"type": "text"},
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning_effort": "low",
    "verbosity": "low",
    "service_tier": "auto",
    "store": False,
    "modalities": ["text"],
    "web_search_options": {},
    "prompt_cache_key": "conversation",
    "metadata": {"conversationId": "c"},
    "top_k": 40,
    "promptPrefix": "x",
    "conversationId": "c",
    "parentMessageId": "p",
    "endpoint": "openAI",
}


@pytest.mark.parametrize(
    "name", [name for name, provider in PROVIDERS.items() if "chat" in provider.operations]
)
def test_a_whole_body_of_librechat_passes(name: str) -> None:
    deployment = Deployment("g", name, "m", "https://x", drop_params=True)
    operation = PROVIDERS[name].operations["chat"]

    got = parameters.upstream_body(LIBRECHAT, deployment, "chat", operation)

    assert "metadata" not in got
    assert set(LIBRECHAT) - set(got) - {"metadata"} <= parameters.OPENAI["chat"]
    if operation.params is None:
        assert got == {key: value for key, value in LIBRECHAT.items() if key != "metadata"}


# -- how much is asked


HI = {"messages": [{"role": "user", "content": "Hi"}]}
DEPLOYMENT = Deployment("g", "mistral", "large", "https://x")
OPERATION = Operation(build=lambda body, deployment: None)  # type: ignore


def test_anthropics_members_end_where_an_operation_lacks_them() -> None:
    operation = OPERATION._replace(extensions=frozenset({"thinking"}))
    body = {**HI, "thinking": {"type": "adaptive"}, "context_management": {"edits": []}}

    got = parameters.upstream_body(body, DEPLOYMENT, "chat", operation)

    assert got == {**HI, "thinking": {"type": "adaptive"}}


def test_an_operation_without_a_list_gets_all_of_anthropics_members() -> None:
    body = {**HI, "context_management": {"edits": []}}

    got = parameters.upstream_body(body, DEPLOYMENT, "chat", OPERATION._replace(extensions=None))

    assert got == body


def test_a_demand_among_anthropics_members_is_refused() -> None:
    operation = OPERATION._replace(extensions=frozenset())
    body = {**HI, "mcp_servers": [{"url": "https://x"}]}

    with pytest.raises(errors.InvalidRequest) as caught:
        parameters.upstream_body(body, DEPLOYMENT, "chat", operation)

    assert caught.value.param == "mcp_servers"


def test_a_member_of_extra_body_is_sent_deliberately() -> None:
    operation = OPERATION._replace(extensions=frozenset())
    body = {**HI, "extra_body": {"context_management": {"edits": []}}}

    got = parameters.upstream_body(body, DEPLOYMENT, "chat", operation)

    assert got == {**HI, "context_management": {"edits": []}}


@pytest.mark.parametrize("name", ["messages", "count_tokens"])
def test_stop_sequences_stay_where_the_api_has_them(name: str) -> None:
    body = {**HI, "stop_sequences": ["x"], "drop_params": True}

    got = parameters.upstream_body(body, DEPLOYMENT, name, OPERATION._replace(params=None))

    assert got == {**HI, "stop_sequences": ["x"]}
