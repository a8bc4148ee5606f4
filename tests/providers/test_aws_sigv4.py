from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from datetime import timezone

import pytest

from llmgate.contract import Call
from llmgate.providers import aws_sigv4

AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEYS = aws_sigv4.Keys("AKIDEXAMPLE", SECRET)
STS_TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSP"
    "fIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT"
    "7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlz"
    "m8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)
UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FORM = "application/x-www-form-urlencoded"
FORM_HEADERS = {
    "Content-Length": "13",
    "x-amz-content-sha256": "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
}
VANILLA_GET = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
VANILLA_POST = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"

# AWS's published test suite, all cases but those of S3 (whose paths are signed as they are) and
# those that sign before the token is added.
# Source: https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite/v4
GETS = {
    "get-relative": ("/example/..", VANILLA_GET),
    "get-relative-relative": ("/example1/example2/../..", VANILLA_GET),
    "get-slash-dot-slash": ("/./", VANILLA_GET),
    "get-slash": ("//", VANILLA_GET),
    "get-slash-pointless-dot": (
        "/./example",
        "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
    ),
    "get-slashes": (
        "//example//",
        "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
    ),
    "get-space": (
        "/example space/",
        "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
    ),
    "get-unreserved": (
        "/" + UNRESERVED,
        "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    ),
    "get-utf8": ("/ሴ", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    "get-vanilla": ("/", VANILLA_GET),
    "get-vanilla-empty-query-key": (
        "/?Param1=value1",
        "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    ),
    "get-vanilla-query-order-encoded": (
        "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    ),
    "get-vanilla-query-order-key-case": (
        "/?Param2=value2&Param1=value1",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "get-vanilla-query-unreserved": (
        f"/?{UNRESERVED}={UNRESERVED}",
        "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    ),
    "get-vanilla-utf8-query": (
        "/?ሴ=bar",
        "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
    ),
}
HEADERS = {
    "get-header-key-duplicate": (
        Call("GET", "/", {"My-Header1": "value2,value2,value1"}),
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    "get-header-value-multiline": (
        Call("GET", "/", {"My-Header1": "value1\n  value2\n     value3"}),
        "cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd",
    ),
    "get-header-value-order": (
        Call("GET", "/", {"My-Header1": "value4,value1,value3,value2"}),
        "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
    ),
    "get-header-value-trim": (
        Call("GET", "/", {"My-Header1": " value1", "My-Header2": ' "a   b   c"'}),
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    "post-header-key-sort": (
        Call("POST", "/", {"My-Header1": "value1"}),
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
    "post-header-value-case": (
        Call("POST", "/", {"My-Header1": "VALUE1"}),
        "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
    ),
    "post-vanilla": (Call("POST", "/", {}), VANILLA_POST),
    "post-vanilla-query": (
        Call("POST", "/?Param1=value1", {}),
        "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
    ),
    "post-x-www-form-urlencoded": (
        Call("POST", "/", {"Content-Type": FORM, **FORM_HEADERS}, b"Param1=value1"),
        "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
    ),
    "post-x-www-form-urlencoded-parameters": (
        Call(
            "POST",
            "/",
            {"Content-Type": f"{FORM}; charset=utf-8", **FORM_HEADERS},
            b"Param1=value1",
        ),
        "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422",
    ),
}


def signature(call: Call, keys: aws_sigv4.Keys = KEYS, at: datetime = AT) -> str:
    call = call._replace(url=f"https://example.amazonaws.com{call.url}")
    return aws_sigv4.signed(call, keys, "us-east-1", "service", at).headers["Authorization"][-64:]


@pytest.mark.parametrize("name", GETS)
def test_paths_and_queries_are_signed_as_in_aws_test_suite(name: str) -> None:
    path, wanted = GETS[name]

    assert signature(Call("GET", path, {})) == wanted


@pytest.mark.parametrize("name", HEADERS)
def test_headers_and_bodies_are_signed_as_in_aws_test_suite(name: str) -> None:
    call, wanted = HEADERS[name]

    assert signature(call) == wanted


@pytest.mark.parametrize(
    ("method", "token", "wanted"),
    [
        (
            "GET",
            "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
            "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
        ),
        (
            "POST",
            STS_TOKEN,
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        ),
    ],
)
def test_session_tokens_are_signed_as_in_aws_test_suite(
    method: str, token: str, wanted: str
) -> None:
    assert signature(Call(method, "/", {}), KEYS._replace(session_token=token)) == wanted


def test_the_headers_say_who_signed_what_and_when() -> None:
    call = Call("GET", "https://example.amazonaws.com/", {"Content-Type": "a/b"})
    keys = KEYS._replace(session_token="token")

    got = aws_sigv4.signed(call, keys, "us-east-1", "service", AT)

    authorization = got.headers["Authorization"]
    assert got.headers == {
        "Content-Type": "a/b",
        "X-Amz-Date": "20150830T123600Z",
        "X-Amz-Security-Token": "token",
        "Authorization": authorization,
    }
    assert authorization[:-64] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request,"
        " SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature="
    )
    assert call.headers == {"Content-Type": "a/b"}


def test_the_time_is_that_of_utc() -> None:
    at = AT.astimezone(timezone(timedelta(hours=9)))

    assert signature(Call("GET", "/", {}), at=at) == VANILLA_GET


def test_signing_again_replaces_the_signature() -> None:
    headers = {"authorization": "old", "x-amz-date": "old", "X-Amz-Security-Token": "old"}

    assert signature(Call("GET", "/", headers)) == VANILLA_GET


def test_headers_that_change_on_the_way_are_not_signed() -> None:
    assert signature(Call("GET", "/", {"User-Agent": "x", "Connection": "close"})) == VANILLA_GET


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://example.amazonaws.com:443/", "example.amazonaws.com"),
        ("http://example.amazonaws.com:80/", "example.amazonaws.com"),
        ("https://user:word@EXAMPLE.amazonaws.com/", "example.amazonaws.com"),
        ("http://127.0.0.1:4566/", "127.0.0.1:4566"),
        ("https://[::1]:8443/", "[::1]:8443"),
    ],
)
def test_the_host_is_signed_as_it_is_sent(url: str, host: str) -> None:
    scheme = url.partition(":")[0]
    plain = Call("GET", f"{scheme}://{host}/", {})

    got = aws_sigv4.signed(Call("GET", url, {"Host": "wrong"}), KEYS, "us-east-1", "service", AT)

    assert got.headers == aws_sigv4.signed(plain, KEYS, "us-east-1", "service", AT).headers


class File:
    """A body that is read in blocks."""

    def __init__(self, *blocks: bytes) -> None:
        self.blocks = blocks
        self.at = 1

    def __len__(self) -> int:
        return sum(map(len, self.blocks))

    def __iter__(self) -> Iterator[bytes]:
        for block in self.blocks[self.at :]:
            self.at += 1
            yield block

    def read(self, size: int = -1, /) -> bytes:
        raise AssertionError("read whole")

    def rewind(self) -> None:
        self.at = 0


def test_a_body_on_disk_is_signed_in_blocks_and_rewound() -> None:
    file = File(b"Param1=", b"value1")
    headers = {"Content-Type": FORM, **FORM_HEADERS}

    got = signature(Call("POST", "/", headers, file))

    assert got == HEADERS["post-x-www-form-urlencoded"][1]
    assert file.at == 0


def test_keys_do_not_show_their_secrets() -> None:
    assert repr(aws_sigv4.Keys("AKIDEXAMPLE", SECRET, "token")) == "Keys('AKIDEXAMPLE')"
