from __future__ import annotations

import errno

import pytest

from llmgate import errors
from llmgate.endpoints.exhausted import exhausted
from llmgate.endpoints.spooled_bodies import StorageFailed


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), errors.OutOfResources),
        (RuntimeError("can't start new thread"), errors.OutOfResources),
        (OSError(errno.EMFILE, "Too many open files"), errors.OutOfResources),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), errors.OutOfResources),
        (OSError(errno.ENOSPC, "No space left on device"), StorageFailed),
        (OSError(errno.EROFS, "Read-only file system"), StorageFailed),
    ],
)
def test_what_ran_out_is_an_error_to_retry(error: Exception, kind: type[errors.GateError]) -> None:
    found = exhausted(error)

    assert isinstance(found, kind)
    assert (found.retry, found.headers) == (True, {"Retry-After": "5"})
    assert found.cause and found.cause.startswith(type(error).__name__)


@pytest.mark.parametrize(
    "error", [RuntimeError("x"), OSError(errno.EPERM, "x"), OSError("x"), ValueError()]
)
def test_other_errors_are_bugs(error: Exception) -> None:
    assert exhausted(error) is None
