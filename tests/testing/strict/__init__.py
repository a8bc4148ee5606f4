"""Scripted upstreams that refuse what the real APIs refuse, one module per wire.

    with StrictUpstream() as up:
        up.errands["claude"] = Errand("Read", ({"file_path": "a"}, {"file_path": "b"}), ("x", "y"))
        ...  # a client asks a gateway whose deployment is at `up.base("claude")`
        assert up.refused["claude"] == []

Each plays a model that calls a tool twice and then answers with what the results contained. A
request is checked by the types of the provider's own SDK, in which no member is unknown, and by
the rules that its documentation states; the sources are cited where the rules are.
"""
