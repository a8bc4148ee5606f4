"""Decode the token ids that LangChain's OpenAIEmbeddings sends instead of text.

They are cl100k_base's, for any model that tiktoken does not know. tiktoken fetches its vocabulary
from the network; the extra [tokens] installs a package whose wheel contains the file; only that
file is read.
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
    """Return the text of the cl100k_base tokens *ids*.

    Raises InvalidRequest for unknown ids, and if the vocabulary is not installed.
    """
    known = _vocabulary()
    try:
        return b"".join([known[id] for id in ids]).decode("utf-8", "replace")
    except KeyError as error:
        raise errors.InvalidRequest(
            f"Token id {error.args[0]} is not in cl100k_base; send 'input' as text.",
            param="input",
        ) from None


@cache
def _vocabulary() -> dict[int, bytes]:
    """Return the bytes of each token: 100,000 of them, read in 0.1 s, kept in 12 MB."""
    found = importlib.util.find_spec(_PACKAGE)
    folders = found.submodule_search_locations if found else None
    if not folders:
        raise errors.InvalidRequest(
            "This model embeds text, but 'input' contains token ids. Send text (LangChain:"
            " check_embedding_ctx_length=False), or ask the operator of this gateway to install"
            " 'llmgate[tokens]', which decodes the tokens of cl100k_base.",
            param="input",
            code="token_ids_not_supported",
        )
    lines = gzip.decompress((Path(folders[0]) / _FILE).read_bytes()).splitlines()
    pairs = (line.partition(b" ") for line in lines)
    return {int(rank): base64.b64decode(token) for token, _, rank in pairs}
