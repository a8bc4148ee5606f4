"""Errors of the system that no code nearer to them expects: what ran out, for the client to retry.

Without this they would be 500 "internal error", which clients do not retry.
"""

from __future__ import annotations

import errno

from llmgate import errors
from llmgate.endpoints.spooled_bodies import StorageFailed

_RETRY_AFTER = {"Retry-After": "5"}
_LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN)
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


def exhausted(error: BaseException) -> errors.GateError | None:
    """Return the error for a client if *error* means that the system ran out of something."""
    found, cause = _of(error), f"{type(error).__name__}: {error}".rstrip(": ")
    if found is not None:
        found.cause = cause
    return found


def _of(error: BaseException) -> errors.GateError | None:
    number = error.errno if isinstance(error, OSError) else None
    if number in _DISK:
        return StorageFailed(
            "The gateway cannot write to its disk. Try again later.", headers=_RETRY_AFTER
        )
    is_thread = isinstance(error, RuntimeError) and "start new thread" in str(error)
    if isinstance(error, MemoryError) or is_thread or number in _LIMITS:
        return errors.OutOfResources(
            "The gateway has reached a limit of the system (memory, threads or open files). Try"
            " again later.",
            headers=_RETRY_AFTER,
        )
    return None
