from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse

from llmgate import errors
from llmgate.dialects.openai import embeddings as openai_embeddings


@pytest.mark.parametrize(("given_", "wanted"), [("a", ["a"]), (["a", "b"], ["a", "b"])])
def test_the_input_is_texts(given_: Any, wanted: Any) -> None:
    assert openai_embeddings.texts({"input": given_}) == wanted


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        ([9906, 1917], ["Hello world"]),
        ([[9906, 1917], [0], []], ["Hello world", "!", ""]),
        (["a", [9906]], ["a", "Hello"]),
    ],
)
def test_token_ids_are_read(given_: Any, wanted: Any) -> None:
    assert openai_embeddings.texts({"input": given_}) == wanted


@pytest.mark.parametrize("given_", [["a", 1], [[1], 2], [["a"]]])
def test_neither_texts_nor_token_ids_are_refused(given_: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="mixes texts and token ids") as caught:
        openai_embeddings.texts({"input": given_})

    assert caught.value.param == "input"


@given(st.lists(st.text(), max_size=9), st.integers(1, 5))
def test_the_replies_to_parts_are_joined_in_order(given_: list[str], limit: int) -> None:
    body = {"model": "m", "input": given_ or "a"}

    parts = openai_embeddings.parts(body, limit)
    replies = [
        openai_embeddings.embedding_list(
            ([text] for text in part["input"]), "m", len(part["input"])
        )
        for part in parts
    ]

    whole = openai_embeddings.texts(body)
    assert all(len(part["input"]) <= limit and part["model"] == "m" for part in parts)
    assert openai_embeddings.joined(replies) == openai_embeddings.embedding_list(
        ([text] for text in whole), "m", len(whole)
    )


def test_the_reply_is_what_openai_sends() -> None:
    got = openai_embeddings.embedding_list([[0.5], [0.25]], "m", 3)

    assert CreateEmbeddingResponse.model_validate(got).usage.total_tokens == 3
    assert [row["embedding"] for row in got["data"]] == [[0.5], [0.25]]
    assert [row["index"] for row in got["data"]] == [0, 1]


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=9))
def test_packed_vectors_come_back(vector: list[float]) -> None:
    data = base64.b64decode(openai_embeddings.packed(vector))

    assert list(struct.unpack(f"<{len(vector)}f", data)) == vector


def test_base64_is_made_where_it_was_asked_for() -> None:
    reply = openai_embeddings.embedding_list([[0.5], "AAA="], "m", 3)

    got = openai_embeddings.encoded(reply, {"encoding_format": "base64"})

    assert [row["embedding"] for row in got["data"]] == ["AAAAPw==", "AAA="]
    assert reply["data"][0]["embedding"] == [0.5]
    assert openai_embeddings.encoded(reply, {"encoding_format": "float"}) is reply


def test_vectors_in_base64_stay_as_they_are() -> None:
    reply = openai_embeddings.embedding_list(["AAA="], "m", 3)

    assert openai_embeddings.encoded(reply, {"encoding_format": "base64"}) is reply


@pytest.mark.parametrize("vector", [["a"], [[0.5]], [None], [1e39]])
def test_what_is_no_vector_cannot_be_packed(vector: Any) -> None:
    with pytest.raises(ValueError, match="not a 32-bit float"):
        openai_embeddings.packed(vector)


def test_a_reply_goes_as_it_came_unless_base64_is_to_be_made() -> None:
    came = b' {"data": [{"embedding": [0.5]}]}'
    reply = {"data": [{"embedding": [0.5]}]}

    assert openai_embeddings.data(came, reply, {}) is came
    assert openai_embeddings.data(came, reply, {"encoding_format": "base64"}) == (
        b'{"data":[{"embedding":"AAAAPw=="}]}'
    )


@pytest.mark.parametrize(
    "reply", [{}, {"data": None}, {"data": [{}]}, {"data": [{"embedding": ["a"]}]}]
)
def test_vectors_of_another_shape_go_as_they_came(reply: Any) -> None:
    assert openai_embeddings.data(b"came", reply, {"encoding_format": "base64"}) == b"came"


@pytest.mark.parametrize("given_", ["a", ["a", "b"], [{"text": "a"}, {"image": "b"}], [], None])
def test_an_input_without_token_ids_stays_as_it_is(given_: Any) -> None:
    body = {"model": "m", "input": given_}

    assert openai_embeddings.in_text(body) is body


@pytest.mark.parametrize(
    ("given_", "wanted"), [([9906, 1917], ["Hello world"]), ([[9906], [0]], ["Hello", "!"])]
)
def test_an_input_of_token_ids_becomes_text(given_: Any, wanted: Any) -> None:
    got = openai_embeddings.in_text({"model": "m", "input": given_})

    assert got == {"model": "m", "input": wanted}
