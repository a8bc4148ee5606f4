"""What every request needs: where it may go, and how."""

from __future__ import annotations

from typing import NamedTuple

from llmgate.pipeline.policy import Policies
from llmgate.routing.load_balancer import LoadBalancer
from llmgate.routing.router_settings import RouterSettings
from llmgate.routing.routes import Routes
from llmgate.trust import client_credentials
from llmgate.upstream import oauth
from llmgate.upstream import session as http_session


class Gate(NamedTuple):
    """The parts of an app that requests share."""

    routes: Routes
    session: http_session.Sender
    tokens: oauth.TokenCache
    load_balancer: LoadBalancer
    settings: RouterSettings = RouterSettings()
    policies: Policies = Policies()
    allowed: client_credentials.Allowed = client_credentials.Allowed()
