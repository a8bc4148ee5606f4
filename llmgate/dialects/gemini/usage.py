"""What Google's answers count: tokens used, and how probable each token was.

Source: https://ai.google.dev/api/generate-content#UsageMetadata
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any


def usage(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return OpenAI's usage for Google's usageMetadata; counts of zero are left out there."""
    prompt = raw.get("promptTokenCount", 0) + raw.get("toolUsePromptTokenCount", 0)
    written, thought = raw.get("candidatesTokenCount", 0), raw.get("thoughtsTokenCount", 0)
    # some models count thoughts among the candidates' tokens
    completion = written if raw.get("totalTokenCount") == prompt + written else written + thought
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": raw.get("cachedContentTokenCount", 0),
            "audio_tokens": _audio(raw.get("promptTokensDetails")),
        },
        "completion_tokens_details": {
            "reasoning_tokens": thought,
            "audio_tokens": _audio(raw.get("candidatesTokensDetails")),
        },
    }


def _audio(details: Iterable[Mapping[str, Any]] | None) -> int:
    """Return the tokens of sound among *details*, which are by modality."""
    return sum(
        detail.get("tokenCount", 0) for detail in details or () if detail.get("modality") == "AUDIO"
    )


def logprobs(raw: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the log probabilities of a candidate, None without any."""
    result = raw.get("logprobsResult")
    if not result:
        return None
    chosen = result.get("chosenCandidates") or []
    top = result.get("topCandidates") or [{}] * len(chosen)
    content = [
        {**_token(token), "top_logprobs": [_token(other) for other in rivals.get("candidates", ())]}
        for token, rivals in zip(chosen, top, strict=False)
    ]
    return {"content": content, "refusal": None}


def _token(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return one token and its log probability."""
    token = raw.get("token", "")
    return {
        "token": token,
        "logprob": raw.get("logProbability", 0.0),
        "bytes": list(token.encode("utf-8", "surrogatepass")),
    }
