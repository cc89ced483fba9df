"""The Lua script of `rate_limit`. Imports nothing, so that benchmarks can use it without Django.

KEYS: the window, the version of `cache_invalidation`, and the counter of a ceiling if there is one.
ARGV: the limit, the window in ms, the request's key ('' only looks), and the ceiling and its ms.

Returns {admitted, requests that count, when a position frees, in how many ms the request may pass,
version, whether the ceiling refused it}. A request counts for both or for neither.
"""

ADMIT_SCRIPT = """
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local limit, window, member = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local count = redis.call('ZCARD', KEYS[1])
local admitted, at_ceiling = 1, 0
if member ~= '' and not redis.call('ZSCORE', KEYS[1], member) then
  local counted = KEYS[3] and tonumber(redis.call('GET', KEYS[3]) or 0)
  if counted and counted >= tonumber(ARGV[4]) then
    admitted, at_ceiling = 0, 1
  elseif count < limit then
    redis.call('ZADD', KEYS[1], now, member)
    redis.call('PEXPIRE', KEYS[1], window)
    count = count + 1
    if counted and redis.call('INCR', KEYS[3]) == 1 then
      redis.call('PEXPIRE', KEYS[3], ARGV[5])
    end
  else
    admitted = 0
  end
end
local position = count - limit
if admitted == 1 or position < 0 then position = 0 end
local oldest = redis.call('ZRANGE', KEYS[1], position, position, 'WITHSCORES')
local free_at = (oldest[2] and tonumber(oldest[2]) or now) + window
local wait = free_at - now
if at_ceiling == 1 then
  wait = math.max(count >= limit and wait or 0, redis.call('PTTL', KEYS[3]))
end
return {admitted, count, free_at, wait, tonumber(redis.call('GET', KEYS[2]) or 0), at_ceiling}
"""
