from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate.fronts.gemini import thoughts

SIGNED = {"type": "thinking", "thinking": "Hm.", "signature": "a+/="}
HIDDEN = {"type": "redacted_thinking", "data": "d"}
OURS = thoughts.signature(SIGNED)


@given(st.binary())
def test_either_alphabet_of_base64_is_read(data: bytes) -> None:
    for text in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()):
        assert thoughts.decoded(text) == thoughts.decoded(text.rstrip("=")) == data
        assert thoughts.standard(text) == base64.b64encode(data).decode()


def test_what_is_no_base64_is_refused() -> None:
    with pytest.raises(ValueError, match="ASCII"):
        thoughts.decoded("é")


@given(st.text(), st.text())
def test_a_block_comes_back_through_any_client(text: str, signature: str) -> None:
    block = {"type": "thinking", "thinking": text, "signature": signature}
    as_bytes = base64.b64decode(thoughts.signature({**block, "index": 3}))

    for sent in (base64.b64encode(as_bytes), base64.urlsafe_b64encode(as_bytes)):
        assert thoughts.block(sent.decode(), text) == block
    assert thoughts.block(thoughts.signature(HIDDEN), text) == HIDDEN


@pytest.mark.parametrize(
    "signature",
    [
        None,
        3,
        "",
        "é",
        "CiQB0e2Kb1Z0aG91Z2h0LXNpZ25hdHVyZS1vbmUKMQ==",
        base64.b64encode(b"llmgate.{").decode(),
        base64.b64encode(b"llmgate.[]").decode(),
        base64.b64encode(b"llmgate.{}").decode(),
    ],
)
def test_what_is_not_ours_is_no_block(signature: Any) -> None:
    assert thoughts.block(signature, "x") is None


def test_our_signatures_do_not_go_to_google() -> None:
    contents = [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {
            "parts": [
                {"text": "Hm.", "thought": True, "thoughtSignature": OURS},
                {"text": "", "thought_signature": thoughts.signature(HIDDEN)},
                {"functionCall": {"name": "f"}, "thoughtSignature": "c2ln"},
                3,
            ]
        },
        {"role": "model"},
        "x",
    ]

    assert thoughts.without_ours(contents) == [
        contents[0],
        {
            "parts": [
                {"text": "Hm.", "thought": True},
                {"text": ""},
                {"functionCall": {"name": "f"}, "thoughtSignature": "c2ln"},
                3,
            ]
        },
        {"role": "model"},
        "x",
    ]
    assert thoughts.without_ours({"a": 1}) == {"a": 1}
