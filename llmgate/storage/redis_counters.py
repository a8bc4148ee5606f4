"""Counters in Redis, shared by all machines: windows, cooldowns and leases, never money.

Imported only when a server is configured. A server that cannot be used must not hold up requests:
after a failure the counters of this machine take its place for some seconds.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

import redis
from redis import backoff
from redis import retry

from llmgate.storage.breaker import Breaker
from llmgate.storage.counters import RateLimit
from llmgate.storage.counters import Store
from llmgate.storage.leases import Full
from llmgate.storage.leases import Leases
from llmgate.storage.leases import Wanted

_LOG = logging.getLogger("llmgate")
_PATIENCE = 0.08  # seconds for a connection or an answer
_LEASE_SECONDS = 900  # after which a lease counts as that of a dead process
_OF_VALUES = ("value is not", "would overflow", "WRONGTYPE")  # in errors of a server that works
_MOST_LATE = 4096  # leases to end once the server can be used
_FRESH = 0.1  # seconds that a list of cooldowns is used

# All times are the server's. A window is a hash: r<second> and t<second>.
_TAKE = """
local now = tonumber(redis.call('time')[1])
local requests, tokens, freed = 0, 0, {}
local all = redis.call('hgetall', KEYS[1])
for i = 1, #all, 2 do
  local kind, second, n = all[i]:sub(1, 1), tonumber(all[i]:sub(2)), tonumber(all[i + 1])
  if second < now - 60 then redis.call('hdel', KEYS[1], all[i])
  else
    freed[second] = freed[second] or {0, 0}
    if kind == 'r' then requests = requests + n; freed[second][1] = n
    else tokens = tokens + n; freed[second][2] = n end
  end
end
local most, limit, size = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local needed = size
if limit >= 0 and size > limit then needed = limit end
local function room()
  return (most < 0 or requests < most) and (limit < 0 or tokens + needed <= limit)
end
if room() then
  redis.call('hincrby', KEYS[1], 'r' .. now, 1)
  redis.call('hincrby', KEYS[1], 't' .. now, size)
  redis.call('expire', KEYS[1], 120)
  return 0
end
local seconds = {}
for second in pairs(freed) do seconds[#seconds + 1] = second end
table.sort(seconds)
for _, second in ipairs(seconds) do
  requests, tokens = requests - freed[second][1], tokens - freed[second][2]
  if room() then return math.max(1, second + 61 - now) end
end
return 60
"""
_ADD = """
redis.call('hincrby', KEYS[1], 't' .. redis.call('time')[1], ARGV[1])
return redis.call('expire', KEYS[1], 120)
"""
_USED = """
local now, found = tonumber(redis.call('time')[1]), {0, 0}
local all = redis.call('hgetall', KEYS[1])
for i = 1, #all, 2 do
  if tonumber(all[i]:sub(2)) >= now - 60 then
    local at = all[i]:sub(1, 1) == 'r' and 1 or 2
    found[at] = found[at] + tonumber(all[i + 1])
  end
end
return found
"""
_LEASE = """
local now = tonumber(redis.call('time')[1])
for i = 1, #KEYS do
  redis.call('zremrangebyscore', KEYS[i], '-inf', now)
  if redis.call('zcard', KEYS[i]) >= tonumber(ARGV[i + 2]) then return i end
end
for i = 1, #KEYS do
  redis.call('zadd', KEYS[i], now + ARGV[2], ARGV[1])
  redis.call('expire', KEYS[i], ARGV[2])
end
return 0
"""
_RELEASE = "for i = 1, #KEYS do redis.call('zrem', KEYS[i], ARGV[i]) end return 1"
_START_COOLDOWN = """
local time = redis.call('time')
local ends = time[1] + time[2] / 1000000 + ARGV[2]
local known = tonumber(redis.call('zscore', KEYS[1], ARGV[1]) or 0)
return redis.call('zadd', KEYS[1], math.max(ends, known), ARGV[1])
"""
_COOLDOWNS = """
local time = redis.call('time')
local now, found = time[1] + time[2] / 1000000, {}
redis.call('zremrangebyscore', KEYS[1], '-inf', now)
local all = redis.call('zrange', KEYS[1], 0, -1, 'withscores')
for i = 1, #all, 2 do
  found[#found + 1] = all[i]
  found[#found + 1] = tostring(all[i + 1] - now)
end
return found
"""
_COOLDOWN_KEY = "{llmgate}:cooldowns"  # the braces keep all keys on one node of a cluster


class Server:
    """The Redis server at *url*, or what stands in while it cannot be used."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=_PATIENCE,
            socket_connect_timeout=_PATIENCE,
            retry=retry.Retry(backoff.NoBackoff(), 0),
            decode_responses=True,
        )
        self._scripts = {text: self._client.register_script(text) for text in _SCRIPTS}
        self._breaker = Breaker()

    def is_usable(self) -> bool:
        """Return whether the server did not fail a short time ago."""
        return not self._breaker.is_open()

    def run(self, text: str, keys: list[str], given: list[str | int | float]) -> Any:
        """Return what the script *text* returns; None while the server cannot be used."""
        if self._breaker.is_open():
            return None
        try:
            found = self._scripts[text](keys, given)
        except (redis.RedisError, OSError) as error:
            self._failed(error)
            return None
        if self._breaker.succeeded():
            _LOG.warning("llmgate: limits and cooldowns are shared again by all machines")
        return found

    def _failed(self, error: Exception) -> None:
        """Log *error*, and do not use the server for a while, unless it is about one value."""
        if isinstance(error, redis.ResponseError) and any(
            each in str(error) for each in _OF_VALUES
        ):
            _LOG.warning("llmgate: warning: a counter in Redis cannot be changed: %s", error)
        elif self._breaker.failed():
            _LOG.warning(
                "llmgate: warning: limits and cooldowns apply per machine, because Redis"
                " cannot be used: %s; see REDIS_URL",
                error,
            )


_SCRIPTS = (_TAKE, _ADD, _USED, _LEASE, _RELEASE, _START_COOLDOWN, _COOLDOWNS)


class RedisStore:
    """A `Store` on *server*; *fallback* takes its place while it cannot be used.

    The times that are given are on this machine's monotonic clock; windows use the server's.
    """

    def __init__(self, server: Server, fallback: Store) -> None:
        self._server, self._fallback = server, fallback
        self._known: tuple[float, Mapping[str, float]] = (0.0, {})  # cooldowns, and until when

    def take(self, name: str, limit: RateLimit, tokens: int, now: float) -> float:
        most = -1 if limit.requests is None else limit.requests
        size = -1 if limit.tokens is None else limit.tokens
        wait = self._server.run(_TAKE, [_window(name)], [most, size, tokens])
        return self._fallback.take(name, limit, tokens, now) if wait is None else float(wait)

    def add(self, name: str, tokens: int, now: float) -> None:
        if self._server.run(_ADD, [_window(name)], [tokens]) is None:
            self._fallback.add(name, tokens, now)

    def used(self, name: str, now: float) -> tuple[int, int]:
        found = self._server.run(_USED, [_window(name)], [])
        return self._fallback.used(name, now) if found is None else (int(found[0]), int(found[1]))

    def start_cooldown(self, name: str, until: float) -> None:
        self._fallback.start_cooldown(name, until)
        seconds = until - time.monotonic()
        self._server.run(_START_COOLDOWN, [_COOLDOWN_KEY], [name, seconds])
        self._known = (0.0, {})

    def cooldowns(self) -> Mapping[str, float]:
        fresh_until, known = self._known
        now = time.monotonic()
        if now < fresh_until:
            return known
        found = self._server.run(_COOLDOWNS, [_COOLDOWN_KEY], [])
        if found is None:
            return self._fallback.cooldowns()
        known = {
            name: now + float(left) for name, left in zip(found[::2], found[1::2], strict=True)
        }
        self._known = (now + _FRESH, known)
        return known


class RedisLeases:
    """Leases on *server*, over all machines; *fallback* has those of this one."""

    def __init__(self, server: Server, fallback: Leases) -> None:
        self._server, self._fallback = server, fallback
        self._names: dict[str, list[str]] = {}
        # keys and ids of leases that may be on the server, though their requests ended
        self._late: deque[tuple[str, str]] = deque(maxlen=_MOST_LATE)

    def take(self, id: str, wanted: list[Wanted], now: int) -> None:
        """Take a lease for the request *id* under each name; raises Full, and takes none."""
        if not self._server.is_usable():
            return self._fallback.take(id, wanted, now)
        if self._late:
            self._end([])
        keys = [_lease(each.name) for each in wanted]
        full = self._server.run(_LEASE, keys, [id, _LEASE_SECONDS, *(w.limit for w in wanted)])
        if full is None:
            self._late.extend((key, id) for key in keys)  # only the answer may be lost
            return self._fallback.take(id, wanted, now)
        if full:
            raise Full(*wanted[full - 1])
        self._names[id] = keys
        return None

    def release(self, id: str) -> None:
        """End the leases of the request *id*."""
        keys = self._names.pop(id, None)
        if keys is None:
            self._fallback.release(id)
        else:
            self._end([(key, id) for key in keys])

    def _end(self, leases: list[tuple[str, str]]) -> None:
        """End *leases* and those that could not be ended before, or keep them for later."""
        with contextlib.suppress(IndexError):  # another thread may take them, too
            while self._late:
                leases.append(self._late.popleft())
        if self._server.run(_RELEASE, [key for key, _ in leases], [id for _, id in leases]) is None:
            self._late.extend(leases)


def _window(name: str) -> str:
    """Return the key of the window of *name*."""
    return f"{{llmgate}}:window:{name}"


def _lease(name: str) -> str:
    """Return the key of the leases under *name*."""
    return f"{{llmgate}}:lease:{name}"
