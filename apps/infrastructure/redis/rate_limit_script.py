"""The Lua script of `rate_limit`. Imports nothing, so that benchmarks can use it without Django.

Its second key is the version of `cache_invalidation`, which is returned with the result.
"""

ADMIT_SCRIPT = """
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local limit, window, member = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local count = redis.call('ZCARD', KEYS[1])
local admitted = 1
if member ~= '' and not redis.call('ZSCORE', KEYS[1], member) then
  if count < limit then
    redis.call('ZADD', KEYS[1], now, member)
    redis.call('PEXPIRE', KEYS[1], window)
    count = count + 1
  else
    admitted = 0
  end
end
local position = admitted == 1 and 0 or count - limit
local oldest = redis.call('ZRANGE', KEYS[1], position, position, 'WITHSCORES')
local free_at = (oldest[2] and tonumber(oldest[2]) or now) + window
return {admitted, count, free_at, free_at - now, tonumber(redis.call('GET', KEYS[2]) or 0)}
"""
