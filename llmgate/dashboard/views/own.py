"""/ui/mine: what the holder of a key may know of it."""

from __future__ import annotations

from flask import Response

from llmgate.dashboard import frame
from llmgate.dashboard import logins
from llmgate.dashboard import money
from llmgate.dashboard import snippets
from llmgate.endpoints import auth
from llmgate.endpoints import common


@frame.page("/mine", logins.HOLDER)
def mine() -> Response:
    """Show the key's budgets, limits and models, and how to use it."""
    who = frame.principal()
    if who.member is None:
        return frame.go("/ui")
    office, key = auth.access().office, who.member.key
    routes, policy = common.gate().routes, auth.access().policy
    member = who.member
    models = [name for name in routes.names() if policy.allows_model(member, name)]
    return frame.render(
        "mine.html",
        "My usage",
        {
            "key": key,
            "accounts": money.of_member(office, member),
            "limits": [rules for rules in (key.rules, member.team, member.user) if rules],
            "models": models,
            "sessions": logins.logins().count(who),
            "snippets_of": snippets.of_key(None, models[0] if models else "gpt-4o"),
        },
    )
