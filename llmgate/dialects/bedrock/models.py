"""What models at Bedrock support, by their names."""

from __future__ import annotations

from typing import NamedTuple

from llmgate.dialects import leniency
from llmgate.dialects.anthropic import models as claudes
from llmgate.dialects.bedrock import messages as bedrock_messages


class Model(NamedTuple):
    """What a model is, as far as its requests differ from others'."""

    name: str  # lower-case, with its maker: anthropic.claude-sonnet-4-5-20250929-v1:0
    structured: bool | None = None  # whether it takes outputConfig.textFormat; None: by its name

    @property
    def claude(self) -> claudes.Model | None:
        """Return which Claude it is, None for another model."""
        return claudes.model_of(self.name) if "claude" in self.name else None

    @property
    def rules(self) -> bedrock_messages.Rules:
        """Return what it supports in a conversation.

        Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
        https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolResultContentBlock.html
        """
        supported = self.claude is not None or "nova" in self.name
        conversation = leniency.Rules(media_in_results=supported, text_beside_files=True)
        return bedrock_messages.Rules(conversation, cache_points=supported)


def bare(model: str) -> str:
    """Return *model* without the routes that LiteLLM writes before it: converse/, us-east-1/."""
    return model[model.index("arn:") :] if "arn:" in model else model.rpartition("/")[2]
