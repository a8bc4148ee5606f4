"""Turn exceptions of the transport (sockets, TLS, HTTP/1.1) into errors, one message per cause."""

from __future__ import annotations

import ssl

import requests
import urllib3
from urllib3.util.ssl_match_hostname import CertificateError

from llmgate import errors
from llmgate.upstream import http1_head
from llmgate.upstream.network import connections

FAILURES = (
    urllib3.exceptions.HTTPError,
    requests.RequestException,
    OSError,
    EOFError,
    CertificateError,
    http1_head.ProtocolError,
)
"""What a call may raise before a response was read."""

_UNTRUSTED = (urllib3.exceptions.SSLError, ssl.SSLError, CertificateError)
_INVALID_URL = (urllib3.exceptions.LocationValueError, requests.exceptions.InvalidURL)


def before_response(error: Exception, timeout: float, remaining: float) -> errors.GateError:
    """Return the error for an exception before the head of a response was read."""
    if isinstance(error, http1_head.IncompleteError):
        return errors.BadUpstream(f"The upstream's response is incomplete: {error}.")
    if isinstance(error, http1_head.ProtocolError):
        return invalid(error)
    if isinstance(error, OSError) and error.errno in connections.EXHAUSTED:
        return errors.OutOfResources(
            "The gateway has reached a limit of the system (open files, threads or memory). Try"
            " again later.",
            headers={"Retry-After": "1"},
        )
    if isinstance(error, _UNTRUSTED):
        return errors.BadUpstream(
            "The TLS handshake with the upstream failed, or its certificate is not trusted.",
            code="upstream_tls_error",
        )
    if isinstance(error, TimeoutError):
        return timed_out(timeout, remaining)
    return _unreachable(error) or errors.BadUpstream(
        "The upstream closed the connection without sending a response."
    )


def _unreachable(error: Exception) -> errors.Unreachable | None:
    """Return the error if no connection was made."""
    if isinstance(error, urllib3.exceptions.ProxyError):
        return errors.Unreachable(f"{error.args[0]}. Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY.")
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return errors.Unreachable("The upstream's host name could not be resolved.")
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        return errors.Unreachable("Connecting to the upstream timed out.")
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return errors.Unreachable("The connection to the upstream failed. Try again later.")
    if isinstance(error, _INVALID_URL):
        return errors.Unreachable("The upstream's URL is invalid. Check api_base.")
    return None


def timed_out(timeout: float, remaining: float) -> errors.UpstreamTimeout:
    """Return the error for a wait that ended by the *timeout*, or by the request's deadline."""
    if remaining <= 0 or remaining < timeout / 100:
        return errors.UpstreamTimeout(
            "The upstream's response was not complete within the request's time limit."
        )
    return errors.UpstreamTimeout(
        f"The upstream timed out after {timeout:.3g} s without sending data."
    )


def invalid(error: http1_head.ProtocolError) -> errors.BadUpstream:
    """Return the error for a response that is not valid HTTP/1.1."""
    return errors.BadUpstream(f"Invalid HTTP response from the upstream: {error}.")


def incomplete(cause: str) -> errors.CutShort:
    """Return the error for a body that ended early."""
    return errors.CutShort(f"The upstream's response ended before it was complete: {cause}.")
