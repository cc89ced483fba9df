"""The Lua scripts of `host_turns`. All times are milliseconds by Redis's clock.

KEYS: a hash (next_at: when the host may be asked again; lease, lease_until: the request under way;
arrivals: a counter), the queue (visitor → arrival), and when each visitor has to be back.
"""

TAKE_SCRIPT = """
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local visitor, token = ARGV[1], ARGV[2]
local interval, lease = tonumber(ARGV[3]), tonumber(ARGV[4])
local grace, least = tonumber(ARGV[5]), tonumber(ARGV[6])
for _, absent in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now)) do
  redis.call('ZREM', KEYS[2], absent)
  redis.call('ZREM', KEYS[3], absent)
end
if not redis.call('ZSCORE', KEYS[2], visitor) then
  redis.call('ZADD', KEYS[2], redis.call('HINCRBY', KEYS[1], 'arrivals', 1), visitor)
end
local rank = redis.call('ZRANK', KEYS[2], visitor)
local next_at = tonumber(redis.call('HGET', KEYS[1], 'next_at') or 0)
local is_leased = tonumber(redis.call('HGET', KEYS[1], 'lease_until') or 0) > now
  and redis.call('HGET', KEYS[1], 'lease') ~= token
local wait = math.max(next_at - now, 0)
if is_leased then wait = math.max(wait, interval) end
wait = wait + rank * interval
if wait == 0 and rank == 0 and not is_leased then
  redis.call('ZREM', KEYS[2], visitor)
  redis.call('ZREM', KEYS[3], visitor)
  redis.call('HSET', KEYS[1], 'lease', token, 'lease_until', now + lease)
else
  wait = math.max(wait, least)
  redis.call('ZADD', KEYS[3], now + wait + grace, visitor)
end
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, lease + math.max(next_at - now, 0) + wait + grace)
end
return wait
"""
"""ARGV: visitor, token, interval, lease, grace, least wait. Returns 0, or how long to wait.

Whoever has the lease takes it over: a process that was killed has not ended it.
"""

END_SCRIPT = """
if redis.call('HGET', KEYS[1], 'lease') == ARGV[1] then
  local now = redis.call('TIME')
  now = now[1] * 1000 + math.floor(now[2] / 1000)
  redis.call('HSET', KEYS[1], 'next_at', now + ARGV[2], 'lease', '', 'lease_until', 0)
  redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[2])))
end
return 0
"""
"""ARGV: token, pause. Does nothing if the lease has passed to another."""
