from __future__ import annotations

import pytest

from llmgate.dialects.gemini import names as gemini_names


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("top_k", "topK"), ("topK", "topK"), ("a", "a"), ("generation_config", "generationConfig")],
)
def test_a_name_is_in_camel_case(name: str, wanted: str) -> None:
    assert gemini_names.camel(name) == wanted


def test_what_is_known_is_spelled_as_google_spells_it_and_the_rest_is_left() -> None:
    given = {
        "api_key": "k",
        "tool_config": {"function_calling_config": {"allowed_function_names": ["my_f"]}},
        "contents": [{"parts": [{"function_call": {"args": {"my_arg": {"a_b": 1}}}}, 3]}],
        "labels": {"my_label": "x"},
        "extra_body": {"a_b": 1},
    }

    assert gemini_names.spelled(given, {"toolConfig", "contents", "labels"}) == {
        "api_key": "k",
        "toolConfig": {"functionCallingConfig": {"allowedFunctionNames": ["my_f"]}},
        "contents": [{"parts": [{"functionCall": {"args": {"my_arg": {"a_b": 1}}}}, 3]}],
        "labels": {"my_label": "x"},
        "extra_body": {"a_b": 1},
    }
