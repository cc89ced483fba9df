"""The Lua script of `rate_limit`. Imports nothing, so that benchmarks can use it without Django.

KEYS: the window, the version of `cache_invalidation`, and the counter of each ceiling.
ARGV: the limit, the window in ms, the request's key ('' only looks), and for each ceiling its
number, its ms and how much the request adds.

Returns {admitted, requests that count, when a position frees, in how many ms the request may pass,
version, which ceiling refused it, from 1 on}. A request counts for all of them or for none.
"""

ADMIT_SCRIPT = """
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local limit, window, member = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local count = redis.call('ZCARD', KEYS[1])
local admitted, at_ceiling = 1, 0
if member ~= '' and not redis.call('ZSCORE', KEYS[1], member) then
  for i = 3, #KEYS do
    if tonumber(redis.call('GET', KEYS[i]) or 0) >= tonumber(ARGV[3 * i - 5]) then
      at_ceiling = i - 2
    end
  end
  if at_ceiling > 0 or count >= limit then
    admitted = 0
  else
    redis.call('ZADD', KEYS[1], now, member)
    redis.call('PEXPIRE', KEYS[1], window)
    count = count + 1
    for i = 3, #KEYS do
      local added = ARGV[3 * i - 3]
      if redis.call('INCRBY', KEYS[i], added) == tonumber(added) then
        redis.call('PEXPIRE', KEYS[i], ARGV[3 * i - 4])
      end
    end
  end
end
local position = count - limit
if admitted == 1 or position < 0 then position = 0 end
local oldest = redis.call('ZRANGE', KEYS[1], position, position, 'WITHSCORES')
local free_at = (oldest[2] and tonumber(oldest[2]) or now) + window
local wait = free_at - now
if at_ceiling > 0 then
  wait = math.max(count >= limit and wait or 0, redis.call('PTTL', KEYS[at_ceiling + 2]))
end
return {admitted, count, free_at, wait, tonumber(redis.call('GET', KEYS[2]) or 0), at_ceiling}
"""
