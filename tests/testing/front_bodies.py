"""Requests of the APIs that are put in front of chat, and of rerank: good ones and bad ones."""

from __future__ import annotations

from typing import Any

MISSING, TYPE, VALUE = "missing_required_parameter", "invalid_type", "invalid_value"

TURN = {"role": "user", "content": "hi"}
TURNS = [
    TURN,
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "tool_use", "id": "t1", "name": "now", "input": {}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "noon", "is_error": False},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
            {"type": "text", "text": "so?", "cache_control": {"type": "ephemeral"}},
        ],
    },
]
MESSAGES: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [TURN]}
ENGINE: dict[str, Any] = {"model": "m", "chat_input": "hi"}
ITEMS = [
    {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
    {"type": "function_call", "call_id": "c1", "name": "now", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": "noon"},
    {"type": "reasoning", "summary": [], "encrypted_content": None},
]
PARTS: dict[str, Any] = {"parts": [{"text": "hi"}]}
CONTENTS: dict[str, Any] = {"model": "m", "contents": [PARTS]}
RERANK: dict[str, Any] = {"model": "m", "query": "q", "documents": ["a", "b"]}

GOOD: dict[str, list[dict[str, Any]]] = {
    "messages": [
        MESSAGES,
        {
            **MESSAGES,
            "messages": TURNS,
            "system": [{"type": "text", "text": "be brief", "cache_control": None}],
            "tools": [
                {"name": "now", "description": None, "input_schema": {"type": "object"}},
                {"type": "web_search_20250305", "name": "web_search"},
            ],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "temperature": 1,
            "top_k": 5,
            "stop_sequences": ["END"],
            "stream": True,
            "metadata": {"user_id": "u"},
            "output_config": {"effort": "low"},
        },
        {**MESSAGES, **dict.fromkeys("system tools tool_choice thinking stream metadata".split())},
    ],
    "count_tokens": [
        {"model": "m", "messages": [TURN]},
        {"model": "m", "messages": TURNS, "system": "be brief", "tools": [{"name": "now"}]},
    ],
    "responses": [
        {"model": "m", "input": "hi"},
        {"model": "m", "prompt": {"id": "p"}, "metadata": {"a": "b"}},
        {
            "model": "m",
            "input": ITEMS,
            "instructions": "be brief",
            "tools": [{"type": "function", "name": "now", "parameters": {}, "strict": True}],
            "tool_choice": {"type": "function", "name": "now"},
            "text": {"format": {"type": "text"}, "verbosity": "low"},
            "reasoning": {"effort": "low", "summary": None},
            "include": ["reasoning.encrypted_content"],
            "max_output_tokens": 16,
            "stream": True,
            "store": False,
        },
    ],
    "generate_content": [
        CONTENTS,
        {
            **CONTENTS,
            "contents": [
                {"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": ""}}]},
                {"role": "model", "parts": [{"functionCall": {"name": "now", "args": {}}}]},
                {"role": "user", "parts": [{"function_response": {"name": "now"}}]},
            ],
            "system_instruction": PARTS,
            "tools": [{"functionDeclarations": [{"name": "now"}]}, {"googleSearch": {}}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
            "generationConfig": {"temperature": 0, "topK": 1, "thinkingConfig": {}},
            "safetySettings": [],
        },
        {**CONTENTS, **dict.fromkeys("systemInstruction tools toolConfig".split())},
    ],
    "generate_count": [CONTENTS, {"model": "m", "generateContentRequest": CONTENTS}],
    "embed_content": [
        {"model": "m", "content": PARTS},
        {"model": "m", "content": PARTS, "outputDimensionality": 9, "taskType": "CLUSTERING"},
    ],
    "embed_contents": [
        {"model": "m", "requests": [{"model": "models/m", "content": PARTS}]},
        {"model": "m", "requests": [{"content": PARTS, "outputDimensionality": 9}]},
    ],
    "ollama_chat": [
        {"model": "m", "messages": []},
        {
            "model": "m:latest",
            "messages": [
                {"role": "user", "content": "Hi", "images": [""]},
                {"role": "assistant", "content": None, "tool_calls": [{"function": {}}]},
                {"role": "tool", "tool_name": "now", "content": "12:00"},
            ],
            "tools": [{"type": "function"}],
            "format": {"type": "object"},
            "options": {"num_ctx": 4096},
            "think": "low",
            "keep_alive": -1,
            "stream": False,
        },
    ],
    "ollama_generate": [
        {"model": "m"},
        {"model": "m", "prompt": "Hi", "format": "json", "think": True, "keep_alive": "5m"},
    ],
    "ollama_embed": [
        {"model": "m", "input": "Hi"},
        {"model": "m", "input": ["a", "b"], "truncate": False, "dimensions": 3},
    ],
    "ollama_embeddings": [{"model": "m", "prompt": "Hi", "options": {}}],
    "rerank": [
        RERANK,
        {**RERANK, "documents": [{"text": "a"}, "b"], "top_n": 1, "return_documents": True},
    ],
    "engine_chat": [
        ENGINE,
        {**ENGINE, "chat_input": TURNS, "parameters": {"top_k": 5}, "is_stream": "true"},
        {
            **ENGINE,
            "api_key": "sk-mine",
            "is_stream": True,
            "has_end_token": 1,
            "tools": [{"type": "function"}],
            "retries": 2,
            "session_id": "s1",
            "response_format": None,
        },
    ],
    "token_counter": [
        {"model": "m", "prompt": "hi"},
        {"model": "m", "messages": [TURN], "tools": [{"type": "function"}], "system": "be brief"},
        {"model": "m", "contents": [{"parts": [{"text": "hi"}]}]},
    ],
}

BAD: list[tuple[str, Any, str | None, str]] = [
    ("messages", {"model": "m", "messages": [TURN]}, "max_tokens", MISSING),
    ("messages", {**MESSAGES, "max_tokens": 0}, "max_tokens", VALUE),
    ("messages", {**MESSAGES, "messages": []}, "messages", VALUE),
    ("messages", {**MESSAGES, "messages": [{"role": "user"}]}, "messages[0].content", MISSING),
    ("messages", {**MESSAGES, "messages": [{**TURN, "content": 3}]}, "messages[0].content", TYPE),
    (
        "messages",
        {**MESSAGES, "messages": [{**TURN, "content": [{}]}]},
        "messages[0].content[0].type",
        MISSING,
    ),
    ("messages", {**MESSAGES, "system": {}}, "system", TYPE),
    ("messages", {**MESSAGES, "tool_choice": "auto"}, "tool_choice", TYPE),
    ("count_tokens", {"model": "m"}, "messages", MISSING),
    ("responses", {"input": "hi"}, "model", MISSING),
    ("responses", {"model": "m", "input": {}}, "input", TYPE),
    ("responses", {"model": "m", "tools": [{"name": "x"}]}, "tools[0].type", MISSING),
    ("generate_content", {"model": "m"}, "contents", MISSING),
    ("generate_content", {**CONTENTS, "contents": []}, "contents", VALUE),
    ("generate_content", {**CONTENTS, "contents": [{"parts": "hi"}]}, "contents[0].parts", TYPE),
    ("generate_content", {**CONTENTS, "tools": {}}, "tools", TYPE),
    (
        "generate_content",
        {**CONTENTS, "generationConfig": {"topP": 2}},
        "generationConfig.topP",
        VALUE,
    ),
    ("generate_count", {"model": "m", "contents": [1]}, "contents[0]", TYPE),
    ("embed_content", {"model": "m"}, "content", MISSING),
    ("embed_content", {"model": "m", "content": {}}, "content.parts", MISSING),
    ("embed_contents", {"model": "m", "requests": []}, "requests", VALUE),
    ("embed_contents", {"model": "m", "requests": [{}]}, "requests[0].content", MISSING),
    ("ollama_chat", {"model": "m"}, "messages", MISSING),
    ("ollama_chat", {"model": "m", "messages": [{}]}, "messages[0].role", MISSING),
    ("ollama_generate", {"model": "m", "images": [1]}, "images[0]", TYPE),
    ("ollama_embed", {"model": "m"}, "input", MISSING),
    ("ollama_embeddings", {"model": "m", "prompt": ["a"]}, "prompt", TYPE),
    ("rerank", {"model": "m", "query": "q"}, "documents", MISSING),
    ("rerank", {**RERANK, "query": ""}, "query", VALUE),
    ("rerank", {**RERANK, "documents": [1]}, "documents[0]", TYPE),
    ("engine_chat", {"model": "m"}, "chat_input", MISSING),
    ("engine_chat", {**ENGINE, "model": ""}, "model", VALUE),
    ("engine_chat", {**ENGINE, "chat_input": [1]}, "chat_input[0]", TYPE),
    ("engine_chat", {**ENGINE, "parameters": []}, "parameters", TYPE),
    ("engine_chat", {**ENGINE, "is_stream": "maybe"}, "is_stream", VALUE),
    ("engine_chat", {**ENGINE, "is_stream": 2}, "is_stream", VALUE),
    ("engine_chat", {**ENGINE, "retries": -1}, "retries", VALUE),
    ("token_counter", {"prompt": "hi"}, "model", MISSING),
    ("token_counter", {"model": "m", "messages": "hi"}, "messages", TYPE),
]
