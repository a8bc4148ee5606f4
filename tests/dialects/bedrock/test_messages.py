from __future__ import annotations

import json
import re
from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from llmgate import errors
from llmgate.dialects import leniency
from llmgate.dialects.bedrock import messages as bedrock_messages

PNG = "iVBORw0KGgo="
POINT = {"cachePoint": {"type": "default"}}
CACHED = {"cache_control": {"type": "ephemeral"}}
Blocks = list[dict[str, Any]]


CLAUDE = bedrock_messages.Rules(leniency.Rules(media_in_results=True), cache_points=True)


def turns(*messages: dict[str, Any]) -> tuple[Blocks, Blocks]:
    """Return the system blocks and the turns, less the placeholder before an assistant's."""
    before = deepcopy(messages)
    system, got = bedrock_messages.turns(messages, CLAUDE)
    assert messages == before
    spoken = [message["role"] for message in messages if message.get("role") != "system"]
    return system, got[1:] if spoken[:1] == ["assistant"] else got


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def blocks(*parts: Any) -> Blocks:
    (turn,) = turns(user(*parts))[1]
    assert turn["role"] == "user"
    content: Blocks = turn["content"]
    return content


def call(id: Any = "c1", name: str = "now", arguments: str = "{}") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def said(*calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls), **more}


def use(id: str = "c1", name: str = "now", **given: Any) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": id, "name": name, "input": given}}


def result(id: str = "c1", *told: Any) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": id, "content": [{"text": text} for text in told]}}


def test_system_and_developer_messages_stand_apart() -> None:
    got = turns(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
    )

    assert got == (
        [{"text": "Be brief."}, {"text": "Be kind."}],
        [{"role": "user", "content": [{"text": "Hi"}]}],
    )


def test_messages_of_one_role_in_a_row_are_one_turn() -> None:
    got = turns(
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "c"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "d"}]},
        {"role": "user", "content": "e"},
    )

    assert got[1] == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"text": "c"}, {"text": "d"}]},
        {"role": "user", "content": [{"text": "e"}]},
    ]


def test_calls_in_parallel_have_their_results_in_one_turn_before_what_is_said_next() -> None:
    got = turns(
        {"role": "user", "content": "Weather?"},
        said(
            call("c1", "weather", '{"city":"Zürich"}'),
            call("c2", "weather", '{"city":"Bern"}'),
            content="I look.",
        ),
        {"role": "tool", "tool_call_id": "c1", "content": "sun"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "rain"}]},
        {"role": "user", "content": "And?"},
    )

    assert got[1] == [
        {"role": "user", "content": [{"text": "Weather?"}]},
        {
            "role": "assistant",
            "content": [
                {"text": "I look."},
                use("c1", "weather", city="Zürich"),
                use("c2", "weather", city="Bern"),
            ],
        },
        {
            "role": "user",
            "content": [result("c1", "sun"), result("c2", "rain"), {"text": "And?"}],
        },
    ]


@pytest.mark.parametrize("content", ["", " \n", None, [], [{"type": "text", "text": ""}]])
def test_what_says_nothing_is_left_out(content: Any) -> None:
    got = turns(
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": content, **CACHED},
        {"role": "user", "content": content, **CACHED},
        {"role": "user", "content": "b"},
    )

    assert got == ([], [{"role": "user", "content": [{"text": "a"}, {"text": "b"}]}])


def test_cache_points_are_left_out_for_models_without_them() -> None:
    content = [{"type": "text", "text": "a", **CACHED}]
    messages = [{"role": "system", "content": content}, {"role": "user", "content": content}]

    got = bedrock_messages.turns(messages, bedrock_messages.Rules())

    assert got == ([{"text": "a"}], [{"role": "user", "content": [{"text": "a"}]}])


@pytest.mark.parametrize("content", ["", None, [], " "])
def test_a_result_without_a_word_says_so_as_aws_takes_no_blank(content: Any) -> None:
    got = turns(said(call()), {"role": "tool", "tool_call_id": "c1", "content": content})

    assert got[1][1]["content"] == [result("c1", "(empty)")]


def test_results_may_hold_images() -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}

    got = turns(said(call()), {"role": "tool", "tool_call_id": "c1", "content": [image]})

    held = [{"image": {"format": "png", "source": {"bytes": PNG}}}]
    assert got[1][1]["content"] == [{"toolResult": {"toolUseId": "c1", "content": held}}]


@pytest.mark.parametrize(
    "result_message",
    [
        {"role": "tool", "tool_call_id": "c1", "content": "x", **CACHED},
        {
            "role": "tool",
            "tool_call_id": "c1",
            "content": [{"type": "text", "text": "x", **CACHED}],
        },
    ],
)
def test_a_cached_result_is_followed_by_a_cache_point(result_message: Any) -> None:
    got = turns(said(call()), result_message)

    assert got[1][1]["content"] == [result("c1", "x"), POINT]


@pytest.mark.parametrize("arguments", ["", " ", None, "{}"])
def test_no_arguments_are_an_empty_object(arguments: Any) -> None:
    assert turns(said(call(arguments=arguments)))[1][0]["content"] == [use()]


@pytest.mark.parametrize("odd", [{"id": "c", "type": "custom", "custom": {"name": "x"}}, {}])
def test_calls_of_other_than_functions_are_refused(odd: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="function calls only"):
        turns(said(odd))


@pytest.mark.parametrize("id", ["a b", "x" * 65, "", None, "é"])
def test_an_id_that_aws_refuses_is_replaced_and_still_fits_its_result(id: Any) -> None:
    got = turns(said(call(id)), {"role": "tool", "tool_call_id": id, "content": "x"})[1]

    used = got[0]["content"][0]["toolUse"]["toolUseId"]
    assert got[1]["content"] == [result(used, "x")]
    assert re.fullmatch("call_[0-9a-f]{32}", used)


def test_different_ids_stay_different() -> None:
    got = turns(said(call("a b"), call("a c")))[1][0]["content"]

    assert len({block["toolUse"]["toolUseId"] for block in got}) == 2


def test_signed_thinking_goes_back_before_what_was_said() -> None:
    thoughts = [
        {"type": "thinking", "thinking": "Hm", "signature": "sig"},
        {"type": "thinking", "thinking": None, "signature": "sig2"},
        {"type": "redacted_thinking", "data": "cmVk"},
        {"type": "thinking", "thinking": "unsigned"},
        "what?",
    ]

    got = turns(said(call(), thinking_blocks=thoughts, content="a", reasoning_content="Hm"))

    assert got[1][0]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "sig"}}},
        {"reasoningContent": {"reasoningText": {"text": "", "signature": "sig2"}}},
        {"reasoningContent": {"redactedContent": "cmVk"}},
        {"text": "a"},
        use(),
    ]


def test_thinking_may_stand_among_the_parts() -> None:
    parts = [
        {"type": "thinking", "thinking": "Hm"},
        {"type": "redacted_thinking", "data": "cmVk"},
    ]

    got = turns({"role": "assistant", "content": parts})

    assert got[1][0]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm"}}},
        {"reasoningContent": {"redactedContent": "cmVk"}},
    ]


def test_a_refusal_is_what_the_assistant_said() -> None:
    got = turns({"role": "assistant", "content": None, "refusal": "No."})

    assert got[1][0]["content"] == [{"text": "No."}]


@pytest.mark.parametrize("role", ["function", "bot", None])
def test_other_roles_are_refused(role: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"role '{role}'.*user, assistant, tool"):
        turns({"role": role, "content": "x"})


def test_cache_points_follow_what_is_marked() -> None:
    hour = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}

    got = turns(
        {"role": "system", "content": "Be brief.", **CACHED},
        user({"type": "text", "text": "a", **hour}, {"type": "text", "text": "b"}),
        {"role": "assistant", "content": "c", **CACHED},
        {"role": "user", "content": "d", **CACHED},
    )

    assert got == (
        [{"text": "Be brief."}, POINT],
        [
            {
                "role": "user",
                "content": [
                    {"text": "a"},
                    {"cachePoint": {"type": "default", "ttl": "1h"}},
                    {"text": "b"},
                ],
            },
            {"role": "assistant", "content": [{"text": "c"}, POINT]},
            {"role": "user", "content": [{"text": "d"}, POINT]},
        ],
    )


def test_a_blank_text_is_not_cached() -> None:
    got = blocks({"type": "text", "text": " ", **CACHED}, {"type": "text", "text": "a"})

    assert got == [{"text": "a"}]


@pytest.mark.parametrize(
    ("media_type", "kind", "format"),
    [
        ("image/png", "image", "png"),
        ("image/jpeg", "image", "jpeg"),
        ("IMAGE/GIF", "image", "gif"),
        ("image/webp", "image", "webp"),
        ("video/mp4", "video", "mp4"),
        ("video/quicktime", "video", "mov"),
        ("audio/mpeg", "audio", "mp3"),
        ("image/png;charset=x", "image", "png"),
    ],
)
def test_a_data_url_becomes_bytes_of_its_kind(media_type: str, kind: str, format: str) -> None:
    url = f"data:{media_type};base64,{PNG}"
    wanted = [{kind: {"format": format, "source": {"bytes": PNG}}}]

    assert blocks({"type": "image_url", "image_url": {"url": url, "detail": "low"}}) == wanted
    assert blocks({"type": "image_url", "image_url": url}) == wanted
    assert blocks({"type": "video_url", "video_url": {"url": url}}) == wanted
    assert blocks({"type": "video_url", "video_url": url}) == wanted


@pytest.mark.parametrize(
    "url",
    ["https://example.com/a.png", "http://x", "s3://a/b", "", None, "data:image/png,abc", 7],
)
def test_addresses_are_refused_with_what_to_send(url: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"as data URLs") as caught:
        blocks({"type": "image_url", "image_url": {"url": url}})

    assert caught.value.param == "messages"


def test_media_that_aws_does_not_read_are_refused() -> None:
    with pytest.raises(
        errors.InvalidRequest, match=r"not support image/tiff; it supports image/png"
    ):
        blocks({"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AA=="}})


def test_recorded_sound_is_audio() -> None:
    got = blocks({"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}})

    assert got == [{"audio": {"format": "wav", "source": {"bytes": PNG}}}]


def file(name: Any = "report.pdf", media_type: str = "application/pdf") -> dict[str, Any]:
    held = {"file_data": f"data:{media_type};base64,{PNG}", "filename": name}
    return {"type": "file", "file": held}


def document(name: str, format: str = "pdf") -> dict[str, Any]:
    return {"document": {"format": format, "source": {"bytes": PNG}, "name": name}}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("report.pdf", "report"),
        ("a_b/c: d  (1) [x]-y.tar.gz", "a b c d (1) [x]-y tar"),
        ("報告.pdf", "document"),
        (".pdf", "pdf"),
        (None, "document"),
        ("x" * 300 + ".pdf", "x" * 190),
    ],
)
def test_a_file_is_a_document_with_a_name_that_aws_takes(name: Any, wanted: str) -> None:
    assert blocks(file(name)) == [document(wanted)]


def test_the_media_type_of_a_file_tells_its_format() -> None:
    sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    assert blocks(file("a.xlsx", sheet)) == [document("a", "xlsx")]
    assert blocks(file("a.png", "image/png"))[0]["image"]["format"] == "png"


def test_documents_of_one_name_are_numbered_as_aws_refuses_twins() -> None:
    got = turns(
        user(file("Report.pdf"), file("report.pdf")),
        said(call()),
        {"role": "tool", "tool_call_id": "c1", "content": [file("REPORT.pdf")]},
        user(file("report.pdf"), file("report (2).pdf")),
    )[1]

    held = [document("REPORT (3)")]
    assert got[0]["content"] == [document("Report"), document("report (2)")]
    assert got[2]["content"] == [
        {"toolResult": {"toolUseId": "c1", "content": held}},
        document("report (4)"),
        document("report (2) (2)"),
    ]


@pytest.mark.parametrize("given", [{"file_id": "file-1"}, {}, None])
def test_a_file_by_its_id_is_refused(given: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="send file_data"):
        blocks({"type": "file", "file": given})


def test_guarded_text_is_for_the_guardrail() -> None:
    got = blocks({"type": "guarded_text", "text": "x"}, {"type": "text", "text": "y"})

    assert got == [{"guardContent": {"text": {"text": "x"}}}, {"text": "y"}]


@pytest.mark.parametrize(
    ("part", "said"),
    [({"type": "hologram"}, "type 'hologram'; it supports text"), ("x", "must be an object")],
)
def test_parts_of_other_kinds_are_refused(part: Any, said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=said) as caught:
        blocks(part)

    assert caught.value.param == "messages"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.text(), st.dictionaries(st.text(), JSON), st.text(), st.booleans())
def test_any_text_and_any_arguments_arrive_unchanged(
    text: str, arguments: dict[str, Any], answer: str, escaped: bool
) -> None:
    written = json.dumps(arguments, ensure_ascii=escaped)

    got = turns(
        {"role": "user", "content": "x" + text},
        said(call(arguments=written)),
        {"role": "tool", "tool_call_id": "c1", "content": "x" + answer},
    )

    used = {"toolUseId": "c1", "name": "now", "input": arguments}
    assert got[1] == [
        {"role": "user", "content": [{"text": "x" + text}]},
        {"role": "assistant", "content": [{"toolUse": used}]},
        {"role": "user", "content": [result("c1", "x" + answer)]},
    ]


ROLES = st.sampled_from(["system", "developer", "user", "assistant", "tool"])
MESSAGES = st.fixed_dictionaries(
    {"role": ROLES, "content": st.none() | st.text() | st.lists(
        st.fixed_dictionaries({"type": st.just("text"), "text": st.text()}, optional={
            "cache_control": st.just({"type": "ephemeral"})
        }), max_size=3)},
    optional={"tool_call_id": st.text(), "tool_calls": st.lists(st.just(call()), max_size=2)},
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(MESSAGES, max_size=8))
def test_any_messages_make_turns_that_alternate_and_are_not_blank(
    messages: list[dict[str, Any]],
) -> None:
    try:
        system, got = turns(*messages)
    except errors.InvalidRequest:
        return

    assert all(first["role"] != second["role"] for first, second in pairwise(got))
    for block in [*system, *(block for turn in got for block in turn["content"])]:
        assert block.get("text", "x").strip()
        assert block.get("toolResult", {"content": "x"})["content"]
