from __future__ import annotations

from typing import Any

import pytest

from llmgate.dialects.openai import errors as openai_errors

TOO_LONG = [
    "request (4476 tokens) exceeds the available context size (4096 tokens)",  # llama.cpp
    "Context size has been exceeded.",  # LM Studio, MLX
    "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
    "The decoder prompt (length 11466) is longer than the maximum model length of 8192.",  # vLLM
    "The prompt (total length 25938) is too long to fit into the model (context length 4096).",
    "Input prompt (35247 tokens) is too long and exceeds limit of 1000",
    "The input (691793 tokens) is longer than the model's context length (540000).",  # SGLang
    "Requested token count exceeds the model's maximum context length of 8192 tokens.",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192",  # TGI
    "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
    "the input length exceeds the context length",  # Ollama
    "Trying to keep the first 111490 tokens when context the overflows. However, ...",  # LM Studio
    "The number of tokens to keep from the initial prompt is greater than the context length",
    "Prompt too long: 41911 tokens exceeds max context window of 32768 tokens",  # oMLX
    "Prompt exceeds maximum context length",  # mlx-serve
    "prompt_too_long: tokenized VLM text prompt has 20767 tokens",
    "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",  # xAI
    "Please reduce the length of the messages or completion.",  # Groq
    "Your request exceeded model token limit: 8192",  # Moonshot
]


@pytest.mark.parametrize("message", TOO_LONG)
def test_servers_words_for_a_context_overflow_have_openais_code(message: str) -> None:
    found = openai_errors.failure({"error": {"message": message, "code": 500}})

    assert (found.code, found.status) == ("context_length_exceeded", 400)


def test_llama_cpps_type_alone_tells_a_context_overflow_and_its_numbers_are_kept() -> None:
    error = {
        "code": 400,
        "message": "request too large",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 4476,
        "n_ctx": 4096,
        "ok": False,
        "hint": "x",
    }

    found = openai_errors.failure({"error": error})

    assert (found.code, found.status) == ("context_length_exceeded", 400)
    assert found.members == {"n_prompt_tokens": 4476, "n_ctx": 4096}
    body = openai_errors.stream_error({"error": error}).body()["error"]
    assert (body["n_ctx"], body["message"]) == (4096, "request too large")


@pytest.mark.parametrize(
    "message",
    [
        "image input is not supported - hint: you may need to provide the mmproj",  # llama.cpp
        'Failed to parse messages: Unsupported content part type: "image_url"',
        "this model does not support image input",
        "m is not a multimodal model",  # vLLM
    ],
)
def test_an_image_to_a_server_without_vision_is_not_retried(message: str) -> None:
    body = {"error": {"code": 500, "message": message, "type": "server_error"}}

    assert openai_errors.failure(body).status == 400
    assert openai_errors.failure(body).code == "unsupported_content"


@pytest.mark.parametrize(
    "message",
    [
        "Rate limit reached: Limit 6000, Requested 7000, please reduce your message size",
        "The model is overloaded",
        "max_tokens must be at least 1",
        "temperature must be <= 2",
    ],
)
def test_other_errors_are_no_context_overflow(message: str) -> None:
    assert openai_errors.failure({"error": {"message": message}}).code is None


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        (
            {"detail": [{"loc": ["body", "x", 0], "msg": "not permitted"}, {"msg": "odd"}]},
            "body.x.0: not permitted; odd",
            "x.0",
        ),
        (
            {"message": {"detail": [{"loc": ["body", "x"], "msg": "not permitted"}]}},
            "body.x: not permitted",
            "x",
        ),
        ({"detail": [{"msg": "odd"}]}, "odd", None),
        ({"detail": ["x"]}, '["x"]', None),
        ({"detail": [{"loc": "x"}]}, '[{"loc": "x"}]', None),
        ({"message": {"message": "m"}}, "m", None),
        ({"message": {"x": 1}}, '{"x": 1}', None),
    ],
)
def test_fastapis_errors_are_sentences(body: Any, message: str, param: Any) -> None:
    found = openai_errors.failure(body)

    assert (found.message, found.param) == (message, param)


@pytest.mark.parametrize(("code", "status"), [(503, 503), ("429", 429), (1500, 502), (200, 502)])
def test_a_numeric_code_is_a_status_and_no_code(code: Any, status: int) -> None:
    error = openai_errors.stream_error({"error": {"message": "m", "code": code}})

    assert error.status == status
    assert error.code == (code if isinstance(code, str) else None)


@pytest.mark.parametrize("choices", [None, [], ["x"], [{"error": None}]])
def test_an_error_without_words_has_some(choices: Any) -> None:
    assert openai_errors.stream_error({"choices": choices, "error": {}}).message
    assert openai_errors.stream_error(None).message
