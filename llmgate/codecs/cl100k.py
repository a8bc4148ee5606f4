"""Texts out of the token ids that LangChain's OpenAIEmbeddings sends in place of text.

They are cl100k_base's, for any model that tiktoken does not know. tiktoken fetches its vocabulary
from the network; the extra [tokens] installs a package that has the file in its wheel, of which
nothing but that file is read.
"""

from __future__ import annotations

import base64
import gzip
import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from llmgate import errors

_PACKAGE = "bpe_openai"
_FILE = "data/cl100k_base.tiktoken.gz"


def text(ids: Iterable[int]) -> str:
    """Return the text of which cl100k_base makes the tokens *ids*.

    Raises InvalidRequest for what are no such ids, and where the vocabulary is not installed.
    """
    known = _vocabulary()
    try:
        return b"".join([known[id] for id in ids]).decode("utf-8", "replace")
    except KeyError as error:
        raise errors.InvalidRequest(
            f"{error.args[0]} is no token of cl100k_base, as which this model reads token ids: send"
            " 'input' as text.",
            param="input",
        ) from None


@cache
def _vocabulary() -> dict[int, bytes]:
    """Return the bytes of each token: 100,000 of them, read in 0.1 s, kept in 12 MB."""
    found = importlib.util.find_spec(_PACKAGE)
    folders = found.submodule_search_locations if found else None
    if not folders:
        raise errors.InvalidRequest(
            "This model embeds text, and 'input' has token ids. Send text (LangChain:"
            " check_embedding_ctx_length=False), or have the operator of this gateway install"
            " 'llmgate[tokens]', which knows the tokens of cl100k_base.",
            param="input",
            code="token_ids_not_supported",
        )
    lines = gzip.decompress((Path(folders[0]) / _FILE).read_bytes()).splitlines()
    pairs = (line.partition(b" ") for line in lines)
    return {int(rank): base64.b64decode(token) for token, _, rank in pairs}
