from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate import errors
from llmgate.endpoints.form_head import FormHead

MODEL = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\ng\r\n'
PROVIDER = b'--b\r\nContent-Disposition: form-data; name="custom_llm_provider"\r\n\r\nopenai\r\n'
PURPOSE = (
    b"--b\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name=purpose\r\n\r\nx\r\n"
)
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n%b\r\n'
END = b"--b--\r\n"


def head(*parts: bytes) -> FormHead:
    return FormHead(b"".join(parts), "b")


def test_fields_are_found_in_any_order() -> None:
    for parts in ([PURPOSE, MODEL, PROVIDER], [PROVIDER, PURPOSE, MODEL]):
        form = head(*parts, FILE % b"data", END)

        names = ("model", "custom_llm_provider", "purpose", "other")
        assert [form.value(name) for name in names] == ["g", "openai", "x", None]


def test_a_field_is_taken_out_and_another_replaced() -> None:
    rest = FILE % b"data" + END
    real = MODEL.replace(b"\r\n\r\ng", b"\r\n\r\nreal-model")

    assert head(MODEL, PROVIDER, rest).without("custom_llm_provider") == MODEL + rest
    assert head(MODEL, rest).without("custom_llm_provider") == MODEL + rest
    for parts in ([MODEL, PROVIDER], [PROVIDER, MODEL], [MODEL]):
        got = head(*parts, rest).replaced("model", "real-model", "custom_llm_provider")
        assert got == real + rest
    assert head(PROVIDER, rest).replaced("model", "m", "custom_llm_provider") == rest


def test_a_preamble_and_padding_are_allowed() -> None:
    form = FormHead(b"preamble\r\n" + MODEL.replace(b"--b\r\n", b"--b \t\r\n") + END, "b")

    assert form.value("model") == "g"


@pytest.mark.fault("F9")
@pytest.mark.parametrize("inner", ["model", "custom_llm_provider"])
def test_file_content_is_not_a_field(inner: str) -> None:
    text = (
        b'--other\r\nContent-Disposition: form-data; name="%b"\r\n\r\nevil\r\n--' % inner.encode()
    )
    data = FILE % text + END

    form = head(data)

    assert form.value(inner) is None
    assert form.without(inner) == data
    assert form.replaced("model", "m", "custom_llm_provider") == data


@pytest.mark.fault("F9")
def test_fields_behind_the_first_file_are_not_read() -> None:
    assert head(FILE % b"data", MODEL, END).value("model") is None


def test_a_repeated_field_is_refused() -> None:
    with pytest.raises(errors.InvalidRequest, match="'model' is repeated"):
        head(MODEL, MODEL, END).value("model")


@pytest.mark.parametrize("boundary", [None, "", "x" * 71, "\u00e9"])
def test_without_a_boundary_there_are_no_fields(boundary: str | None) -> None:
    assert FormHead(MODEL + END, boundary).value("model") is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"--b",
        b"--b--\r\n",
        b"no delimiter",
        MODEL,  # its end has not come
        b"--bother\r\n" + MODEL,
        b"--b\r\nContent-Disposition: attachment; name=model\r\n\r\ng\r\n" + END,
        b"--b\r\nX: y\r\n\r\ng\r\n" + END,
        b"--b\r\n" + b"X: y\r\n" * 2000 + MODEL[5:] + END,
    ],
)
def test_incomplete_and_foreign_parts_are_no_fields(data: bytes) -> None:
    assert FormHead(data, "b").value("model") is None


def test_a_part_may_have_no_headers() -> None:
    assert head(b"--b\r\n\r\ng\r\n", END).value("model") is None


@pytest.mark.fault("F2")
@pytest.mark.parametrize(
    "line",
    [
        b'-----x\r\nname="model";',
        b'--b\r\nContent-Disposition: form-data; name="model";' + b"x" * 100,
        b"--b\r\n",
        b"\r\n",
        b"\r\n--",
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n',
        b'";',
    ],
)
def test_64_kb_of_anything_take_no_time(line: bytes) -> None:
    began = time.process_time()

    form = FormHead(b"--b\r\n" + line * (65536 // len(line)), "b")
    form.value("custom_llm_provider")

    assert time.process_time() - began < 0.25


@given(st.lists(st.sampled_from([MODEL, PROVIDER, PURPOSE, FILE % b"x", END, b"\r\n", b"--b"])))
def test_nothing_is_lost(parts: list[bytes]) -> None:
    data = b"".join(parts)
    form = FormHead(data, "b")

    assert form.without("other") == data
