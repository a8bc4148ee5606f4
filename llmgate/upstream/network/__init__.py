"""Ways to upstreams: pools of connections, proxies, certificates."""
