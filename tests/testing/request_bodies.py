"""Requests in OpenAI's shape for each schema: good ones, and bad ones with what is bad."""

from __future__ import annotations

from typing import Any

from testing import front_bodies

USER = {"role": "user", "content": "hi"}
CALLED = {
    "role": "assistant",
    "content": None,
    "refusal": None,
    "audio": None,
    "annotations": None,
    "function_call": None,
    "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}},
        {"id": "c2", "type": "custom", "custom": {"name": "sh", "input": "ls"}},
    ],
}
SEEN = {
    "role": "user",
    "name": "ann",
    "content": [
        {"type": "text", "text": "what is it?", "cache_control": {"type": "ephemeral"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        {"type": "image_url", "image_url": "https://example.com/a.png"},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f1"}},
    ],
}
FULL_CHAT = {
    "model": "gpt-4o",
    "messages": [
        {"role": "developer", "content": "be brief"},
        SEEN,
        CALLED,
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "noon"}]},
        {"role": "function", "name": "now", "content": "noon"},
        {"role": "assistant", "content": "noon", "reasoning_content": "the clock says so"},
    ],
    "temperature": 0.5,
    "top_p": 1,
    "n": 1,
    "stop": ["\n", "END"],
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_completion_tokens": 100,
    "presence_penalty": -1.5,
    "frequency_penalty": 3,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 2,
    "seed": -1,
    "tools": [
        {
            "type": "function",
            "function": {"name": "now", "description": None, "parameters": {"type": "object"}},
        },
        {"type": "web_search"},
    ],
    "tool_choice": {"type": "function", "function": {"name": "now"}},
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}},
    "reasoning_effort": "low",
    "modalities": ["text"],
    "audio": {"voice": "alloy", "format": "wav"},
    "metadata": {"generation_name": "test", "tags": [["nested", 1], None]},
    "tags": ["a", "b"],
    "user": "65f0c0ffee",
    "api_key": "sk-theirs",
    "user_config": {"model_list": []},
    "fallbacks": ["other", {"model": "third"}],
    "drop_params": True,
    "additional_drop_params": ["user"],
    "extra_body": {"top_k": 5},
    "top_k": 5,
    "anything": {"at": ["all"]},
}

GOOD: dict[str, list[dict[str, Any]]] = {
    "chat": [
        {"model": "m", "messages": [USER]},
        {"model": "a, b", "messages": [USER], "fastest_response": True},
        {"model": "m", "messages": [USER], "metadata": "hello world"},
        {"model": "m", "messages": [USER], "metadata": ["x"], "n": 2.0, "max_tokens": -1},
        {"model": "m", "messages": [{"role": "user"}], "stop": "x", "tool_choice": "auto"},
        {
            "model": "m",
            "messages": [USER],
            "functions": [{"name": "f", "parameters": None}],
            "function_call": {"name": "f"},
        },
        FULL_CHAT,
        {
            **dict.fromkeys(
                "temperature top_p n stop stream stream_options max_tokens seed tools tool_choice"
                " logprobs top_logprobs logit_bias response_format user service_tier store audio"
                " metadata tags timeout num_retries api_key user_config".split()
            ),
            "model": "m",
            "messages": [USER],
        },
    ],
    "completions": [
        {"model": "m", "prompt": ""},
        {"model": "m", "prompt": ["a", "b"], "echo": True, "logprobs": 0, "suffix": None},
        {"model": "m", "prompt": [1, 2, 3], "best_of": 2, "max_tokens": 0},
        {"model": "m", "prompt": [[1, 2], [3]], "stream": True},
    ],
    "embeddings": [
        {"model": "m", "input": "x"},
        {"model": "m", "input": ["x", ""], "encoding_format": "base64", "dimensions": 1},
        {"model": "m", "input": [1, 2], "encoding_format": None, "dimensions": None},
        {"model": "m", "input": [[1, 2], [3]], "input_type": "query"},
    ],
    "images_generations": [
        {"prompt": "a cat"},
        {"prompt": "a cat", "model": "m", "n": 2, "size": "1024x1024", "output_compression": 100},
        {"prompt": "a cat", "model": None, "n": None, "size": None, "stream": False},
    ],
    "images_edits": [
        {"prompt": "a hat"},
        {"prompt": "a hat", "model": "m", "n": "10", "stream": "true", "timeout": "2.5"},
        {"prompt": "a hat", "n": 1, "stream": True, "drop_params": "False"},
    ],
    "images_variations": [{}, {"model": "m", "n": "1", "size": "256x256", "user": "u"}],
    "transcriptions": [
        {"model": "m"},
        {
            "model": "m",
            "language": "en",
            "temperature": "0",
            "timestamp_granularities[]": ["word", "segment"],
            "include[]": "logprobs",
            "stream": "false",
            "chunking_strategy": "auto",
        },
        {"model": "m", "temperature": 0.2, "stream": False},
        {"model": "m", "temperature": ".5", "num_retries": "0"},
    ],
    "translations": [{"model": "m"}, {"model": "m", "temperature": "1e-1", "prompt": "x"}],
    "moderations": [
        {"input": "x"},
        {"input": ["x", "y"], "model": "omni-moderation-latest"},
        {"input": [{"type": "image_url", "image_url": {"url": "u"}}], "model": None},
    ],
    "speech": [
        {"model": "m", "input": "x", "voice": "alloy"},
        {"model": "m", "input": "x", "voice": {"id": "v"}, "speed": 0.25, "instructions": None},
    ],
    "resource": [
        {},
        {"model": "m", "stream": True, "custom_llm_provider": "azure", "metadata": ["any"]},
        {"model": None, "stream": None, "api_key": "k", "user": {"any": "thing"}},
    ],
    **front_bodies.GOOD,
}

MISSING, TYPE, VALUE = "missing_required_parameter", "invalid_type", "invalid_value"


def chat(**more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [USER], **more}


def said(*messages: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages)}


BAD: list[tuple[str, Any, str | None, str]] = [
    ("chat", None, None, TYPE),
    ("chat", [chat()], None, TYPE),
    ("chat", {}, "model", MISSING),
    ("chat", {"messages": [USER]}, "model", MISSING),
    ("chat", {"model": "m"}, "messages", MISSING),
    ("chat", chat(model=""), "model", VALUE),
    ("chat", chat(model=7), "model", TYPE),
    ("chat", chat(model=["a", "b"]), "model", TYPE),
    ("chat", chat(model=None), "model", TYPE),
    ("chat", chat(messages="hi"), "messages", TYPE),
    ("chat", chat(messages=[]), "messages", VALUE),
    ("chat", chat(messages={}), "messages", TYPE),
    ("chat", said(USER, "hi"), "messages[1]", TYPE),
    ("chat", said([USER]), "messages[0]", TYPE),
    ("chat", said({"content": "hi"}), "messages[0].role", MISSING),
    ("chat", said({"role": None}), "messages[0].role", TYPE),
    ("chat", said({"role": "user", "content": 3}), "messages[0].content", TYPE),
    ("chat", said({"role": "user", "content": {}}), "messages[0].content", TYPE),
    ("chat", said({"role": "user", "content": ["x"]}), "messages[0].content[0]", TYPE),
    ("chat", said({"role": "user", "content": [{}]}), "messages[0].content[0].type", MISSING),
    ("chat", said(USER, {**USER, "name": 1}), "messages[1].name", TYPE),
    ("chat", said({"role": "tool", "tool_call_id": 1}), "messages[0].tool_call_id", TYPE),
    ("chat", said({"role": "assistant", "tool_calls": {}}), "messages[0].tool_calls", TYPE),
    (
        "chat",
        said({"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]}),
        "messages[0].tool_calls[0].function.name",
        MISSING,
    ),
    (
        "chat",
        said({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}),
        "messages[0].tool_calls[0].function.arguments",
        TYPE,
    ),
    ("chat", chat(stream="true"), "stream", TYPE),
    ("chat", chat(stream=1), "stream", TYPE),
    ("chat", chat(stream_options=[]), "stream_options", TYPE),
    ("chat", chat(temperature="hot"), "temperature", TYPE),
    ("chat", chat(temperature=True), "temperature", TYPE),
    ("chat", chat(temperature=-0.1), "temperature", VALUE),
    ("chat", chat(top_p=1.1), "top_p", VALUE),
    ("chat", chat(n=0), "n", VALUE),
    ("chat", chat(n=1.5), "n", TYPE),
    ("chat", chat(n=False), "n", TYPE),
    ("chat", chat(max_tokens="10"), "max_tokens", TYPE),
    ("chat", chat(stop=["a", 1]), "stop[1]", TYPE),
    ("chat", chat(tools={}), "tools", TYPE),
    ("chat", chat(tools=[{"function": {}}]), "tools[0].function.name", MISSING),
    ("chat", chat(functions=[{}]), "functions[0].name", MISSING),
    ("chat", chat(tool_choice=[]), "tool_choice", TYPE),
    ("chat", chat(response_format="json"), "response_format", TYPE),
    ("chat", chat(logit_bias=[]), "logit_bias", TYPE),
    ("chat", chat(tags="a,b"), "tags", TYPE),
    ("chat", chat(user=3), "user", TYPE),
    ("chat", chat(timeout="soon"), "timeout", TYPE),
    ("chat", chat(api_key=["k"]), "api_key", TYPE),
    ("chat", chat(user_config=[]), "user_config", TYPE),
    ("chat", chat(fallbacks=[[]]), "fallbacks[0]", TYPE),
    ("completions", {"model": "m"}, "prompt", MISSING),
    ("completions", {"model": "m", "prompt": 7}, "prompt", TYPE),
    ("completions", {"model": "m", "prompt": []}, "prompt", VALUE),
    ("completions", {"model": "m", "prompt": [1.5]}, "prompt[0]", TYPE),
    ("completions", {"model": "m", "prompt": [[1], ["x"]]}, "prompt[1][0]", TYPE),
    ("completions", {"model": "m", "prompt": "x", "logprobs": -1}, "logprobs", VALUE),
    ("embeddings", {"model": "m"}, "input", MISSING),
    ("embeddings", {"input": "x"}, "model", MISSING),
    ("embeddings", {"model": "m", "input": ""}, "input", VALUE),
    ("embeddings", {"model": "m", "input": []}, "input", VALUE),
    ("embeddings", {"model": "m", "input": [[]]}, "input[0]", VALUE),
    ("embeddings", {"model": "m", "input": ["x", None]}, "input[1]", TYPE),
    ("embeddings", {"model": "m", "input": {}}, "input", TYPE),
    ("embeddings", {"model": "m", "input": "x", "dimensions": 0}, "dimensions", VALUE),
    ("embeddings", {"model": "m", "input": "x", "encoding_format": 1}, "encoding_format", TYPE),
    ("embeddings", {"model": "m", "input": "x", "encoding_format": "f"}, "encoding_format", VALUE),
    ("images_generations", {"model": "m"}, "prompt", MISSING),
    ("images_generations", {"prompt": ""}, "prompt", VALUE),
    ("images_generations", {"prompt": "x", "model": ""}, "model", VALUE),
    ("images_generations", {"prompt": "x", "output_compression": 101}, "output_compression", VALUE),
    ("images_edits", {}, "prompt", MISSING),
    ("images_edits", {"prompt": "x", "n": "0"}, "n", VALUE),
    ("images_edits", {"prompt": "x", "n": "1.5"}, "n", VALUE),
    ("images_edits", {"prompt": "x", "n": ["1", "2"]}, "n", TYPE),
    ("images_edits", {"prompt": "x", "stream": "yes"}, "stream", VALUE),
    ("images_variations", {"n": 0}, "n", VALUE),
    ("images_variations", {"model": ["a", "b"]}, "model", TYPE),
    ("transcriptions", {}, "model", MISSING),
    ("transcriptions", {"model": "m", "temperature": "warm"}, "temperature", VALUE),
    ("transcriptions", {"model": "m", "temperature": "1.2.3"}, "temperature", VALUE),
    ("transcriptions", {"model": "m", "temperature": "9" * 5000}, "temperature", VALUE),
    ("transcriptions", {"model": "m", "include[]": [1]}, "include[][0]", TYPE),
    ("translations", {"prompt": "x"}, "model", MISSING),
    ("translations", {"model": "m", "temperature": -1}, "temperature", VALUE),
    ("moderations", {"model": "m"}, "input", MISSING),
    ("moderations", {"input": []}, "input", VALUE),
    ("moderations", {"input": [1]}, "input[0]", TYPE),
    ("speech", {"model": "m", "input": "x"}, "voice", MISSING),
    ("speech", {"model": "m", "input": "", "voice": "v"}, "input", VALUE),
    ("speech", {"model": "m", "input": "x", "voice": ["v"]}, "voice", TYPE),
    ("speech", {"model": "m", "input": "x", "voice": "v", "speed": 0}, "speed", VALUE),
    ("resource", [], None, TYPE),
    ("resource", {"model": 3}, "model", TYPE),
    ("resource", {"stream": "true"}, "stream", TYPE),
    ("resource", {"custom_llm_provider": ["azure"]}, "custom_llm_provider", TYPE),
    *front_bodies.BAD,
]
