"""llmgate: a small, exact LLM gateway."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any
from typing import NoReturn

from flask import Flask
from werkzeug.routing import Rule

from llmgate import config
from llmgate import logins
from llmgate.access import assembly
from llmgate.accounting import request_log
from llmgate.config import deployments
from llmgate.dashboard import registration
from llmgate.endpoints import admin_activity
from llmgate.endpoints import admin_keys
from llmgate.endpoints import admin_records
from llmgate.endpoints import admin_spend
from llmgate.endpoints import admin_teams
from llmgate.endpoints import admin_users
from llmgate.endpoints import audio
from llmgate.endpoints import chat
from llmgate.endpoints import common
from llmgate.endpoints import completions
from llmgate.endpoints import embeddings
from llmgate.endpoints import generate
from llmgate.endpoints import generate_models
from llmgate.endpoints import health
from llmgate.endpoints import images
from llmgate.endpoints import messages
from llmgate.endpoints import model_info
from llmgate.endpoints import models
from llmgate.endpoints import moderations
from llmgate.endpoints import ollama
from llmgate.endpoints import ollama_models
from llmgate.endpoints import passthrough
from llmgate.endpoints import rerank
from llmgate.endpoints import resources
from llmgate.endpoints import responses
from llmgate.inbound import admission
from llmgate.inbound import cors
from llmgate.inbound import root_path
from llmgate.llmstudio import chat_log_endpoints
from llmgate.llmstudio import endpoints as engine_endpoints
from llmgate.llmstudio.chat_log import ChatLog
from llmgate.pipeline.policy import Feedback
from llmgate.pipeline.policy import Policies
from llmgate.pipeline.policy import Policy
from llmgate.pipeline.policy import RejectTags
from llmgate.pipeline.policy import RequestLog
from llmgate.pipeline.shapes import Gate
from llmgate.providers import PROVIDERS
from llmgate.routing import load_balancer
from llmgate.routing import routes
from llmgate.storage import places
from llmgate.storage import responses as stored_responses
from llmgate.storage import sqlite_counters
from llmgate.trust import loop_guard
from llmgate.trust import redaction
from llmgate.upstream import oauth
from llmgate.upstream import session as http_session

_BLUEPRINTS = (
    admin_activity.blueprint,
    admin_keys.blueprint,
    admin_records.blueprint,
    admin_spend.blueprint,
    admin_teams.blueprint,
    admin_users.blueprint,
    model_info.blueprint,
    audio.blueprint,
    chat.blueprint,
    completions.blueprint,
    embeddings.blueprint,
    engine_endpoints.blueprint,
    generate.blueprint,
    generate_models.blueprint,
    health.blueprint,
    images.blueprint,
    messages.blueprint,
    models.blueprint,
    moderations.blueprint,
    ollama.blueprint,
    ollama_models.blueprint,
    passthrough.blueprint,
    rerank.blueprint,
    resources.blueprint,
    responses.blueprint,
    chat_log_endpoints.blueprint,
)


def warnings(settings: config.Settings) -> list[str]:
    """Return what an operator should know about *settings* before the first request."""
    found = [*settings.warnings, *assembly.warnings(settings.access)]
    if _is_echo(settings.routes):
        found.append(
            "no model_list is given and no provider's key is set: the built-in echo answers with"
            " the last message; set OPENAI_API_KEY, or write a model_list"
        )
    if _is_unverified(settings):
        found.append(
            "ssl_verify is false: the certificates of upstreams are not verified, and anyone on the"
            " way can read keys and prompts; set it to the path of your CA's certificate"
        )
    if settings.master_key is None:
        found.append(
            "no master key is set: anyone who can reach this port can spend your provider keys;"
            " set LLMGATE_MASTER_KEY (or general_settings.master_key)"
        )
        if settings.tracking:
            found.append(
                "LLMstudio chats are stored, and anyone who can reach this port can read them"
            )
    return found


def _is_unverified(settings: config.Settings) -> bool:
    """Return whether the certificates of all upstreams, or of one, are not verified."""
    own = (each.tls for found in settings.routes.groups.values() for each in found)
    return any(tls is not None and tls.verify is False for tls in (*own, settings.network.tls))


def _is_echo(routes: routes.Routes) -> bool:
    """Return whether only the built-in echo answers, because nothing is configured."""
    return list(routes.groups) == ["*"] and bool(
        PROVIDERS[routes.groups["*"][0].provider].local_handler
    )


class _Route(Rule):
    """A route that matches URLs and never builds them: preparing for that takes a millisecond a
    route at start-up."""

    def _compile_builder(self, append_unknown: bool = True) -> Any:
        return _no_url


def _no_url(route: Rule) -> NoReturn:
    raise LookupError("llmgate builds no URLs from its routes")


class _App(Flask):
    url_rule_class = _Route

    def wsgi_app(self, environ: Any, start_response: Any) -> Any:
        """Serve `/v1//models`, `/v1/v1/models` as `/v1/models`: some base URLs make such paths."""
        path = environ.get("PATH_INFO", "")
        if "//" in path or path.startswith("/v1/v1/"):
            path = re.sub("/{2,}", "/", path)
            environ = {**environ, "PATH_INFO": re.sub("^(/v1)+/", "/v1/", path)}
        return super().wsgi_app(environ, start_response)


def _secrets(settings: config.Settings) -> list[str]:
    """Return every secret in *settings*, to keep them out of the log."""
    others = settings.resource_deployments.every()
    found = [text for each in others for text in redaction.secrets_of(each)]
    return [*deployments.secrets(settings.routes), settings.master_key or "", *found]


def _instance_id(settings: config.Settings) -> str:
    """Return the id of the gateway with these *settings*."""
    deployments = [each for found in settings.routes.groups.values() for each in found]
    return loop_guard.instance_id(deployments, settings.master_key)


def _entry(app: Callable[..., Any], web: config.Web) -> Callable[..., Any]:
    """Return *app* behind what browsers and reverse proxies need, where that is configured."""
    if web.cors:
        app = cors.Cors(app, web.cors)
    return root_path.RootPath(app, web.prefixes) if web.prefixes else app


def _add_stores(app: Flask, settings: config.Settings) -> None:
    """Add to *app* what stores chats and responses, where that is configured."""
    if settings.responses_store:
        database = places.database(settings.access.data_dir, "responses")
        limits = stored_responses.Limits(*settings.responses_store)
        app.extensions["llmgate.responses"] = stored_responses.ResponseStore(database, limits)
    if settings.tracking:
        app.extensions["llmgate.tracking"] = ChatLog(settings.tracking)


def create_app(settings: config.Settings, policies: Iterable[Policy] = ()) -> Flask:
    """Return the WSGI application that *settings* describe, with *policies* besides its own."""
    app = _App("llmgate", static_folder=None)
    app.extensions["llmgate.settings"] = settings
    session = http_session.Session(settings.network)
    admission_control = admission.AdmissionControl(app.wsgi_app, settings.beats)
    own_counters = sqlite_counters.open_store(settings.state_path)
    shared = assembly.shared(settings.access, own_counters)
    parallel = load_balancer.bulkhead(settings.routes, lambda: admission_control.limit)
    balancer = load_balancer.LoadBalancer(settings.router, shared.counters, parallel)
    secrets = _secrets(settings)
    access = assembly.assemble(settings.access, shared, settings.routes.find)
    app.extensions["llmgate.access"] = access
    own: list[Policy] = [
        access.policy,
        Feedback(balancer),
        RequestLog(request_log.writer(secrets, settings.log_prompts)),
    ]
    if not settings.takes_tags:
        own.append(RejectTags())
    app.extensions["llmgate"] = Gate(
        settings.routes,
        session,
        oauth.TokenCache(session, logins.log_ins()),
        balancer,
        settings.router,
        Policies([*own, *policies]),
        settings.allowed,
        _instance_id(settings),
    )
    app.extensions["llmgate.admission"] = admission_control
    app.wsgi_app = _entry(admission_control, settings.web)  # type: ignore[method-assign]
    _add_stores(app, settings)
    for warning in warnings(settings):
        logging.getLogger("llmgate").warning("llmgate: warning: %s", warning)
    common.register(app, settings)
    passthrough.register(app, settings.resource_deployments.targets)
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint)
    registration.register(app, settings, warnings(settings))
    return app
