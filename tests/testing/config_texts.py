"""Configurations as operators write them: whole ones, and faults with what is said of them."""

from __future__ import annotations

BALANCED = """
model_list:
  - model_name: chat
    litellm_params:
      model: azure/chat-eu
      api_base: https://eu.example.openai.azure.com/
      api_key: os.environ/AZURE_EU_KEY
      api_version: "2025-02-01-preview"
      rpm: 6
      timeout: os.environ/AZURE_TIMEOUT
    model_info:
      id: eu-1
      base_model: azure/gpt-4o
      mode: chat
      version: 2
  - model_name: chat
    litellm_params:
      model: gpt-4o
      api_key: sk-123
      organization: org-1
      temperature: 0.2
      max_tokens: 20
      extra_headers: {"X-Team": "a"}
      tags: [paid]
      order: 2
      weight: 0.5
      drop_params: true
      additional_drop_params: ["response_format"]
      input_cost_per_token: 1e-6
      output_cost_per_token: 0.00000002
      top_k: 5
    model_info:
  - model_name: "*"
    litellm_params:
      model: "*"
litellm_settings:
  drop_params: True
  num_retries: 3
  request_timeout: 10
  json_logs: true
  set_verbose: False
general_settings:
  master_key: os.environ/MASTER_KEY
  completion_model: chat
  max_request_size_mb: 20
router_settings:
  routing_strategy: simple-shuffle
  model_group_alias: {"gpt-4": "chat", "hid": {"model": "chat"}}
  num_retries: 2
  timeout: 30
llmgate_settings:
  log_prompts: false
  max_body_mb: 32
  max_upload_mb: 100.5
environment_variables:
  REGION: eu
  REDIS_PORT: 6379
  DEBUG: true
include:
  - more.yaml
"""

GROWN = """
model_list:
  - model_name: claude
    litellm_params:
      model: anthropic/claude-sonnet-4-5
      api_key: os.environ/ANTHROPIC_API_KEY
      configurable_clientside_auth_params: ["api_key", {"api_base": "^https://a.example$"}]
      max_parallel_requests: 4
      cache_control_injection_points: [{"location": "message", "role": "system"}]
    model_info:
      access_groups: ["beta"]
      supports_vision: true
  - model_name: embed
    litellm_params: {model: bedrock/amazon.titan-embed-text-v1, aws_region_name: us-west-2}
    model_info: {mode: embedding}
    rpm: 10
litellm_settings:
  callbacks: ["otel"]
  success_callback: ["langfuse"]
  failure_callback: []
  cache: true
  cache_params: {type: redis, host: localhost, port: 6379, ttl: 600}
  fallbacks: [{"claude": ["embed"]}]
  context_window_fallbacks: null
  turn_off_message_logging: true
general_settings:
  master_key: sk-1234
  database_url: os.environ/DATABASE_URL
  store_model_in_db: true
  alerting: ["slack"]
  alerting_threshold: 300
  proxy_batch_write_at: 60
  database_connection_pool_limit: 10
  allowed_routes: ["openai_routes"]
  pass_through_endpoints:
    - path: /v1/search
      target: https://api.example.com/v1/search
      headers: {Authorization: os.environ/RERANK}
      auth: false
  allow_client_side_credentials: true
router_settings:
  routing_strategy: latency-based-routing
  routing_strategy_args: {ttl: 60}
  model_group_alias: {"gpt-4": {"model": "claude", "hidden": true}}
  redis_host: localhost
  redis_port: 6379
  enable_pre_call_checks: true
  allowed_fails: 3
  cooldown_time: 30
  retry_policy: {RateLimitErrorRetries: 3}
guardrails:
  - guardrail_name: pii
    litellm_params: {guardrail: presidio, mode: pre_call}
files_settings:
  - {custom_llm_provider: azure, api_key: os.environ/K, api_base: https://a.example}
mcp_servers: {zapier: {url: os.environ/ZAPIER}}
callback_settings: {otel: {message_logging: false}}
credential_list: []
"""

UNSERVED = [
    "model_list[0].litellm_params.cache_control_injection_points",
    "litellm_settings.callbacks",
    "litellm_settings.success_callback",
    "litellm_settings.cache",
    "litellm_settings.cache_params",
    "litellm_settings.turn_off_message_logging",
    "general_settings.database_url",
    "general_settings.store_model_in_db",
    "general_settings.alerting",
    "general_settings.alerting_threshold",
    "general_settings.proxy_batch_write_at",
    "general_settings.database_connection_pool_limit",
    "general_settings.allowed_routes",
    "general_settings.pass_through_endpoints[0].auth",
    "router_settings.redis_host",
    "router_settings.redis_port",
    "guardrails",
    "mcp_servers",
    "callback_settings",
]


FAULTS: list[tuple[str, str, str]] = [
    (
        "modle_list: []",
        "modle_list",
        "Unknown parameter: 'modle_list'. Did you mean 'model_list'?",
    ),
    (
        "general_settings: {master_kye: sk-1}",
        "general_settings.master_kye",
        "Unknown parameter: 'general_settings.master_kye'. Did you mean 'master_key'?",
    ),
    (
        "litellm_settings: {drop_param: true}",
        "litellm_settings.drop_param",
        "Unknown parameter: 'litellm_settings.drop_param'. Did you mean 'drop_params'?",
    ),
    (
        "router_settings: {xyzzy: 1}",
        "router_settings.xyzzy",
        "Unknown parameter: 'router_settings.xyzzy'. Remove it, or correct its name or its place.",
    ),
    (
        "llmgate_settings: {on: 1}",
        "llmgate_settings.True",
        "Unknown parameter: 'llmgate_settings.True'. Remove it, or correct its name or its place.",
    ),
    (
        "model_list: [{model_name: a, litellm_parms: {model: b}, litellm_params: {model: b}}]",
        "model_list[0].litellm_parms",
        "Unknown parameter: 'model_list[0].litellm_parms'. Did you mean 'litellm_params'?",
    ),
    (
        "model_list: [{model_name: a}]",
        "model_list[0].litellm_params",
        "Missing required parameter: 'model_list[0].litellm_params'. It must be an object.",
    ),
    (
        "model_list: [{model_name: a, litellm_params: {api_key: b}}]",
        "model_list[0].litellm_params.model",
        "Missing required parameter: 'model_list[0].litellm_params.model'. It must be a string"
        " such as openai/gpt-4o.",
    ),
    (
        "model_list: {model_name: a}",
        "model_list",
        "Invalid type for 'model_list': expected an array, but got an object.",
    ),
    (
        "- model_name: a",
        "",
        "Invalid type for the configuration: expected an object, but got an array.",
    ),
    (
        "general_settings: {master_key: 1234}",
        "general_settings.master_key",
        "Invalid type for 'general_settings.master_key': expected a string, or no such key at"
        " all for an open gate, but got an integer.",
    ),
    (
        "general_settings: {master_key: }",
        "general_settings.master_key",
        "Invalid type for 'general_settings.master_key': expected a string, or no such key at"
        " all for an open gate, but got null.",
    ),
    (
        "model_list: [{model_name: a, litellm_params: {model: b, api_version: 2024-02-01}}]",
        "model_list[0].litellm_params.api_version",
        "Invalid type for 'model_list[0].litellm_params.api_version': expected a string (in"
        " quotes, if it looks like anything else), but got a date (put it in quotes).",
    ),
    (
        "router_settings: {timeout: soon}",
        "router_settings.timeout",
        "Invalid value for 'router_settings.timeout': expected a number of at least 0.",
    ),
    (
        "router_settings: {num_retries: 1.5}",
        "router_settings.num_retries",
        "Invalid type for 'router_settings.num_retries': expected a whole number of at least"
        " 0, but got a number.",
    ),
    (
        "litellm_settings: {drop_params: sometimes}",
        "litellm_settings.drop_params",
        "Invalid value for 'litellm_settings.drop_params': expected true or false.",
    ),
    (
        "llmgate_settings: {max_body_mb: 0}",
        "llmgate_settings.max_body_mb",
        "Invalid value for 'llmgate_settings.max_body_mb': expected more than 0.",
    ),
    (
        "environment_variables: {A: [b]}",
        "environment_variables.A",
        "Invalid type for 'environment_variables.A': expected a string, a number or a boolean,"
        " but got an array.",
    ),
    (
        "model_list: [{model_name: a, litellm_params: {model: b, input_cost_per_token: free}}]",
        "model_list[0].litellm_params.input_cost_per_token",
        "Invalid value for 'model_list[0].litellm_params.input_cost_per_token': expected a"
        " number of at least 0.",
    ),
]
