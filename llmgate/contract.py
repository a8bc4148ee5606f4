"""The shapes that every layer shares: bodies, calls, deployments, operations, providers.

Nothing here does anything; it is what the layers agree on. See docs/design.md for the layers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Literal
from typing import NamedTuple
from typing import Protocol
from typing import TypeAlias

Body: TypeAlias = dict[str, Any]
"""A request in OpenAI's shape, valid against `schemas/<operation>.json`."""

Reply: TypeAlias = dict[str, Any]
"""A whole answer in OpenAI's shape."""

Event: TypeAlias = dict[str, Any]
"""One event of a stream in OpenAI's shape, a `chat.completion.chunk` for instance."""

Events: TypeAlias = Generator[Event, None, None]
"""A stream of events; closing it ends the work behind it."""

PAUSE: Event = {}
"""Says that nothing more is in hand: what came so far should be sent. An empty piece of bytes
makes one, in each translated stream, so that what was read at once is written at once."""

Usage: TypeAlias = Mapping[str, float]
"""What was used, by unit: `prompt_tokens` (cached ones included), `completion_tokens`,
`cached_tokens`, `cache_creation_tokens`, `audio_prompt_tokens`, `audio_completion_tokens`,
`reasoning_tokens`, `characters`, `seconds`, `images`. A later report replaces an earlier one."""


class SpooledFile(Protocol):
    """A request body too large for memory: read in blocks, rewound before each attempt."""

    def __len__(self) -> int:
        """Return its whole size in bytes."""

    def __iter__(self) -> Iterator[bytes]:
        """Return its blocks, from where it stands."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most *size* bytes."""

    def rewind(self) -> None:
        """Go back to the first byte."""


class Tls(NamedTuple):
    """How an upstream is authenticated, and the gateway to it."""

    verify: bool | str = True  # or the path of a CA bundle, a file or a directory
    certificate: tuple[str, str | None] | None = None  # the files of ours, and of its key


class Upload(NamedTuple):
    """A file that a client sent: its bytes lie in *file*, on disk if there are many."""

    filename: str
    content_type: str
    file: Any  # a binary file, seekable
    size: int


class RoutingOptions(NamedTuple):
    """What the router reads of a deployment; nothing here is a secret or goes upstream."""

    rpm: int | None = None  # requests per minute; None: no limit
    tpm: int | None = None  # tokens per minute
    max_parallel_requests: int | None = None  # in each worker
    order: float | None = None  # lower ones are tried first, None after all others
    tags: tuple[str, ...] = ()
    cooldown_time: float | None = None  # seconds
    retries: int | None = None
    retries_by_kind: Mapping[str, int] | None = None  # of this deployment's own retry_policy
    stream_timeout: float | None = None  # read timeout of a stream, in seconds
    client_settings: tuple[Any, ...] = ()  # configurable_clientside_auth_params


class Deployment(NamedTuple):
    """One upstream model behind a model group, complete: nothing is looked up later."""

    group: str
    provider: str
    model: str
    api_base: str
    id: str = ""
    api_key: str | None = None
    api_version: str | None = None
    timeout: float = 600.0  # read timeout, in seconds
    drop_params: bool = False
    weight: float = 1.0
    settings: Mapping[str, Any] = {}  # the provider's own: azure_ad_token, aws_region_name, ...
    defaults: Mapping[str, Any] = {}  # body parameters for requests that do not say
    prices: Mapping[str, float] = {}  # dollars per unit, by the names of prices.json
    info: Mapping[str, Any] = {}  # model_info of the configuration, for /model/info
    routing: RoutingOptions = RoutingOptions()
    origin: Literal["config", "client"] = "config"  # client: it is part of a user_config
    from_wildcard: bool = False  # its model is what the client wrote in place of a star
    has_key: bool = True  # false: it lacks a key that its provider needs
    has_client_key: bool = False  # for one request: the credentials are the client's
    has_client_address: bool = False  # for one request: api_base is the client's
    tls: Tls | None = None  # None: as for all upstreams

    def __repr__(self) -> str:
        """Return it without its secrets (key, settings, defaults)."""
        return f"Deployment({self.group!r}, {self.provider!r}, {self.model!r}, id={self.id!r})"


class Call(NamedTuple):
    """One HTTP request, complete, not sent."""

    method: str
    url: str
    headers: dict[str, str]
    data: bytes | SpooledFile = b""
    tls: Tls | None = None

    def __repr__(self) -> str:
        """Return it without its headers, which hold a secret."""
        return f"Call({self.method!r}, {self.url!r})"


class Answer(NamedTuple):
    """What an upstream answered: headers (lower-case names) are here, the body still comes."""

    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes]  # as they arrive; raises GateError when the upstream fails
    close: Callable[[], None]  # ends the call; may be called twice
    finish: Callable[[], None] = lambda: None  # before close, when all that matters has come

    @property
    def content_type(self) -> str:
        """Return the media type alone, lower-case; empty if there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Failure(NamedTuple):
    """A provider's error body in OpenAI's words."""

    message: str
    type: str | None = None
    code: str | None = None
    param: str | None = None
    status: int | None = None  # where the provider's own status would mislead
    members: Mapping[str, Any] = {}  # other members of the error that clients get as they are
    retry_after: float | None = None  # seconds, where the body contains it
    details: tuple[Mapping[str, Any], ...] = ()  # Google's error details, for its own clients


Url: TypeAlias = Callable[[str, Deployment], str]
"""Where a path of a provider's API is, for a deployment. The path has no leading slash, no query
and no escapes."""

Build: TypeAlias = Callable[[Body, Deployment], Call]
Parse: TypeAlias = Callable[[Any, Deployment], Reply]
Stream: TypeAlias = Callable[[Iterator[bytes], Deployment], Events]
Parts: TypeAlias = Callable[[Body, Deployment], list[Body]]
"""One body as those of several calls, made in turn."""

Join: TypeAlias = Callable[[Sequence[Reply]], Reply]
"""The replies to several calls as one."""

Relay: TypeAlias = Callable[[Iterator[bytes], bool, Callable[[Usage], None]], Iterator[bytes]]
"""A stream passed on as bytes: (pieces, whether usage is shown, whom to tell of it) -> blocks of
whole events, up to the end that the wire prescribes. Raises what a Stream raises."""


def passed_on(reply: Any, deployment: Deployment) -> Reply:
    """Return *reply* as it is: the upstream already speaks OpenAI's shape."""
    assert isinstance(reply, dict)
    return reply


def whole_body(body: Body, deployment: Deployment) -> list[Body]:
    """Return *body* alone: one call does it."""
    return [body]


def first_reply(replies: Sequence[Reply]) -> Reply:
    """Return the only reply there is."""
    return replies[0]


def no_web_search(model: str, has_functions: bool) -> bool:
    """Return False: no model of this operation searches the web."""
    return False


def web_search(model: str, has_functions: bool) -> bool:
    """Return True: all models of this operation search the web."""
    return True


def no_usage(report: Mapping[str, Any]) -> Usage:
    """Return nothing: this operation reports no usage."""
    return {}


class Operation(NamedTuple):
    """How one provider performs one operation.

    `build` may raise `errors.InvalidRequest`. `parse` and `stream` may index what the provider's
    API promises: KeyError, TypeError, ValueError and similar errors become a 502 in `dispatch`.
    `stream` stands any cutting of its bytes, raises `errors.UpstreamError` for an error inside
    the stream and `errors.CutShort` when the bytes stop before the end of the
    stream.
    """

    build: Build
    parse: Parse = passed_on
    stream: Stream | None = None  # None: it cannot stream
    usage: Callable[[Mapping[str, Any]], Usage] = no_usage  # of a reply or event in OpenAI's shape
    params: frozenset[str] | None = None  # OpenAI parameters it takes; None: all
    extensions: frozenset[str] | None = None  # Anthropic's members it takes; None: all
    passthrough: bool = False  # its bytes, its endpoint's own wire, are passed on as they came
    stream_filter: Relay | None = None  # how the stream of a native operation is passed on
    split: Parts = whole_body  # the bodies of its calls, where one takes less than OpenAI's
    web_search: Callable[[str, bool], bool] = no_web_search  # does (a model, beside functions)?
    merge: Join = first_reply  # the replies to these
    by_headers: Callable[[Reply, Mapping[str, str]], Reply] | None = None  # completes a reply
    instead: Callable[[Body], Operation | None] | None = None  # for bodies that this one refuses


class Login(NamedTuple):
    """How an upstream gives an access token for a deployment's credentials.

    By a call and its JSON answer (the token, the seconds it lives), or by a library of `logins`.
    """

    needed: Callable[[Deployment], bool]  # no token or key is given already
    call: Callable[[Deployment], Call] | None = None
    token: Callable[[Any], tuple[str, float]] | None = None
    library: str = ""


class ModelListing(NamedTuple):
    """How an upstream lists its models."""

    call: Callable[[Deployment], Call]
    names: Callable[[Any], Iterable[str]] | None  # of its JSON answer; None: not those to request


class NativeApi(NamedTuple):
    """A provider's own API, which its clients reach below a prefix of the gateway's paths."""

    prefixes: tuple[str, ...]
    url: Url
    model: re.Pattern[str] = re.compile(r"(?!)()")  # finds a model's name in a path
    # whose errors and events its clients read; "message": `{"message": ...}`, as AWS writes them
    family: Literal["openai", "anthropic", "google", "message"] = "openai"


class Provider(NamedTuple):
    """A kind of upstream: where it is, how it is authorized, what it can do."""

    name: str
    base_url: Callable[[Mapping[str, Any]], str]  # of the settings, api_base among them, or ""
    authorize: Callable[[Call, Deployment], Call]
    failure: Callable[[Any], Failure]  # of a JSON error body
    operations: Mapping[str, Operation]
    env: Mapping[str, tuple[str, ...]] = {}  # setting -> environment variables of its default
    settings: frozenset[str] = frozenset()  # litellm_params that are its own, not the body's
    exclusive_settings: frozenset[str] = frozenset()  # with one, the environment gives no other
    required_settings: tuple[tuple[str, ...], ...] = (
        ("api_key",),
    )  # any of these, all of it, serves
    address_settings: frozenset[str] = frozenset()  # where requests go: never a client's
    files: frozenset[str] = frozenset()  # settings that may be the path of a file in their place
    login: Login | None = None
    for_model: Callable[[Deployment], Provider] | None = None  # for a model that differs
    local_handler: Callable[[Call], Answer] | None = None  # in place of HTTP: it answers by itself
    listing: ModelListing | None = None
    native: NativeApi | None = None
    # it has OpenAI's files, batches, threads and so on, requested with an api-version or without
    resources: Literal["", "plain", "versioned"] = ""
    resource_url: Url | None = None  # where they are; None: below api_base


class MessageRules(NamedTuple):
    """What an OpenAI-compatible upstream accepts in the messages of a chat."""

    reasoning: str | None = "as it is"  # the member for reasoning in the history; None: dropped
    members: frozenset[str] | None = None  # the members of a message; None: any
    cache_marks: bool = False  # `cache_control` on messages, parts and tools
    one_system: bool = True  # one system message, at the beginning; no other role for it
    user_after_tool: bool = True  # a user's message may follow a tool's result
    short_ids: bool = False  # ids of tool calls have nine letters and digits
    prefix: bool = False  # an assistant's last message needs `prefix: true`
