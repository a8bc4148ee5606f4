from __future__ import annotations

import json
from typing import Any

import pytest
from testing import eventstreams

from llmgate import errors
from llmgate.codecs import aws_eventstream
from llmgate.contract import Failure
from llmgate.dialects.bedrock import errors as bedrock_errors

INVALID = "invalid_request_error"
TOO_LONG = (INVALID, "context_length_exceeded", 400)
NO_MODEL = (INVALID, "model_not_found", 404)
WRONG_KEY = ("authentication_error", "invalid_api_key", 401)
SLOW_DOWN = ("rate_limit_error", "rate_limit_exceeded", 429)
UNKNOWN = (None, None, None)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("ValidationException", (INVALID, None, 400)),
        ("com.amazon.coral.service#SerializationException", (INVALID, None, 400)),
        ("com.amazon.coral.service#ExpiredTokenException", WRONG_KEY),
        ("IncompleteSignatureException", WRONG_KEY),
        ("InvalidClientTokenId", WRONG_KEY),
        ("InvalidSignatureException", WRONG_KEY),
        ("MissingAuthenticationTokenException", WRONG_KEY),
        ("com.amazon.coral.service#UnrecognizedClientException", WRONG_KEY),
        ("AccessDeniedException", ("permission_error", "permission_denied", 403)),
        ("ResourceNotFoundException", NO_MODEL),
        ("com.amazon.coral.availability#ThrottlingException", SLOW_DOWN),
        ("ThrottlingException:http://internal.amazon.com/coral/", SLOW_DOWN),
        ("TooManyRequestsException", SLOW_DOWN),
        ("ServiceQuotaExceededException", ("rate_limit_error", "insufficient_quota", 429)),
        ("InternalServerException", (None, None, 500)),
        ("InternalFailure", (None, None, 500)),
        ("InternalStreamFailure", (None, None, 500)),
        ("ModelErrorException", (None, None, 502)),
        ("ModelError", (None, None, 502)),
        ("ModelStreamErrorException", (None, None, 502)),
        ("ModelStreamError", (None, None, 502)),
        ("InternalDependencyException", (None, None, 502)),
        ("ServiceUnavailableException", (None, None, 503)),
        ("ServiceUnavailable", (None, None, 503)),
        ("ModelNotReadyException", (None, None, 503)),
        ("ModelTimeoutException", (None, None, 504)),
        ("NeverHeardOfException", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_the_kind_of_an_error_tells_its_status(
    kind: str, wanted: tuple[str | None, str | None, int | None]
) -> None:
    got = bedrock_errors.failure({"__type": kind, "message": "It failed."})

    assert got == Failure("It failed.", wanted[0], wanted[1], status=wanted[2])


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ("Input is too long for requested model.", TOO_LONG),
        ("prompt is too long: 210000 tokens > 200000 maximum", TOO_LONG),
        ("The model returned the following errors: input length and `max_tokens` exceed context"
         " limit: 196395 + 64000 > 204698, decrease input length", TOO_LONG),
        ("Too many input tokens. Max input tokens: 8192, 9000 were requested", TOO_LONG),
        ("400 Bad Request: Too many tokens: 9001 > 9000", TOO_LONG),
        ("Malformed input request: #/texts/41: expected maxLength: 2048, actual: 2236", TOO_LONG),
        ("This model's maximum context length is 8192 tokens", TOO_LONG),
        ("Input validation error: `inputs` must have less than 512 tokens. Given: 600", TOO_LONG),
        ("Too many tokens, please wait before trying again.", SLOW_DOWN),
        ("Too many tokens per day, please wait before trying again.", SLOW_DOWN),
        ("Too many requests, please wait before trying again.", SLOW_DOWN),
        ("Rate exceeded", SLOW_DOWN),
        ("The security token included in the request is expired", WRONG_KEY),
        ("The security token included in the request is invalid.", WRONG_KEY),
        ("The request signature we calculated does not match the signature you provided.",
         WRONG_KEY),
        ("Signature expired: 20250101T000000Z is now earlier than 20250102T000000Z", WRONG_KEY),
        ("Missing Authentication Token", WRONG_KEY),
        ("Authentication failed: Please make sure your API Key is valid.", WRONG_KEY),
        ("Bearer Token has expired", WRONG_KEY),
        ("The provided model identifier is invalid.", NO_MODEL),
        ("Could not resolve the foundation model from the provided model identifier.", NO_MODEL),
        ("This model version has reached the end of its life.", NO_MODEL),
        ("Endpoint embed of account 123456789012 not found.", NO_MODEL),
        ("This request has been blocked by our content filters.",
         (INVALID, "content_policy_violation", 400)),
        ("Malformed input request: #: extraneous key [foo] is not permitted", UNKNOWN),
        ("User: arn:aws:iam::1:user/x is not authorized to perform: bedrock:InvokeModel", UNKNOWN),
    ],
)  # fmt: skip
def test_words_tell_what_an_error_is_where_nothing_else_does(
    message: str, wanted: tuple[str | None, str | None, int | None]
) -> None:
    got = bedrock_errors.failure({"message": message})

    assert got == Failure(message, wanted[0], wanted[1], status=wanted[2])


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"Message": "Said so."}, Failure("Said so.")),
        ({"code": "ThrottlingException"}, Failure("", *SLOW_DOWN[:2], status=429)),
        ({"Code": "ThrottlingException"}, Failure("", *SLOW_DOWN[:2], status=429)),
        ({"message": None, "Message": 7}, Failure("")),
        ("<html>", Failure("<html>")),
        (["x"], Failure("")),
        (None, Failure("")),
    ],
)
def test_bodies_of_every_shape_are_read(body: Any, wanted: Failure) -> None:
    assert bedrock_errors.failure(body) == wanted


def test_what_a_wrong_signature_repeats_of_the_request_is_left_out() -> None:
    said = (
        "The request signature we calculated does not match the signature you provided.\n\n"
        "The Canonical String for this request should have been\n'POST\n/\n"
        "x-amz-security-token:secret'"
    )

    got = bedrock_errors.failure({"message": said})

    assert got == Failure(said.partition("\n")[0], *WRONG_KEY[:2], status=401)


@pytest.mark.parametrize(
    ("original", "status", "wanted"),
    [
        ('{"error":"It burns","error_type":"generation"}', 500, Failure("It burns", status=500)),
        (
            '{"object":"error","message":"No.","type":"BadRequestError","code":400}',
            400,
            Failure("No.", "BadRequestError", status=400),
        ),
        ("It burns", 503, Failure("It burns", status=503)),
        ("{}", 500, Failure("{}", status=500)),
        ("", 500, Failure("Received server error", status=500)),
        ("It burns", 424, Failure("It burns", status=502)),
        ("It burns", 200, Failure("It burns", status=502)),
        ("It burns", None, Failure("It burns", status=502)),
        (
            '{"error":{"message":"This model\'s maximum context length is 8192 tokens"}}',
            422,
            Failure(
                "This model's maximum context length is 8192 tokens", *TOO_LONG[:2], status=400
            ),
        ),
    ],
)
def test_what_a_container_said_is_passed_on(
    original: str, status: int | None, wanted: Failure
) -> None:
    body = {
        "__type": "ModelError",
        "ErrorCode": "INTERNAL_FAILURE_FROM_MODEL",
        "LogStreamArn": "arn:aws:logs:us-east-1:1:log-group:/aws/sagemaker/Endpoints/x",
        "Message": "Received server error",
        "OriginalMessage": original,
        "OriginalStatusCode": status,
    }

    assert bedrock_errors.failure(body) == wanted


def message(data: bytes) -> tuple[dict[str, str], bytes]:
    return next(aws_eventstream.messages([data]))


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("throttlingException", 429),
        ("modelStreamErrorException", 502),
        ("internalServerException", 500),
        ("validationException", 400),
        ("serviceUnavailableException", 503),
        ("modelTimeoutException", 504),
        ("accessDeniedException", 403),
        ("neverHeardOfException", 502),
    ],
)
def test_an_exception_in_a_stream_has_the_status_of_its_kind(kind: str, status: int) -> None:
    headers, payload = message(eventstreams.exception(kind, "It failed."))

    got = bedrock_errors.refusal(headers, payload)

    assert bedrock_errors.is_refusal(headers)
    assert (type(got), got.status, got.message) == (errors.UpstreamError, status, "It failed.")


def test_an_exception_in_a_stream_speaks_openais_words() -> None:
    data = eventstreams.exception("validationException", "Input is too long for requested model.")

    got = bedrock_errors.refusal(*message(data))

    assert got.status == 400
    assert got.body() == {
        "error": {
            "message": "Input is too long for requested model.",
            "type": "invalid_request_error",
            "param": None,
            "code": "context_length_exceeded",
        }
    }


def test_the_models_own_words_and_status_come_through() -> None:
    more = {"originalStatusCode": 503, "originalMessage": '{"error":{"message":"Overloaded"}}'}
    data = eventstreams.exception("modelStreamErrorException", "Retry.", **more)

    got = bedrock_errors.refusal(*message(data))

    assert (got.status, got.message) == (503, "Overloaded")


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (eventstreams.error("InternalServerError", "It broke."), 500, "It broke."),
        (eventstreams.error("Unheard", "It broke."), 502, "It broke."),
        (
            eventstreams.message({":message-type": "exception"}, b""),
            502,
            "The upstream reported an error in its stream: unnamed.",
        ),
        (
            eventstreams.message(
                {":message-type": "exception", ":exception-type": "ThrottlingException"}, b"[]"
            ),
            429,
            "The upstream reported an error in its stream: ThrottlingException.",
        ),
        (
            eventstreams.message({":message-type": "exception"}, b"It broke\xff."),
            502,
            "It broke�.",
        ),
    ],
)
def test_errors_without_a_json_body_are_read(data: bytes, status: int, said: str) -> None:
    got = bedrock_errors.refusal(*message(data))

    assert (got.status, got.message) == (status, said)


def test_an_event_is_no_refusal() -> None:
    headers, payload = message(eventstreams.event("messageStart", {"role": "assistant"}))

    assert not bedrock_errors.is_refusal(headers)
    assert not bedrock_errors.is_refusal({})
    assert json.loads(payload) == {"role": "assistant"}
