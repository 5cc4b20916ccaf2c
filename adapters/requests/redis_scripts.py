"""What runs inside Redis for the request budget: each script is one step that nobody sees half.

What belongs here: the scripts. What does not: who calls them (redis_store.py).

Keys of an account: its mark (`at`, `wall`, and the latest `wall` so far with its `at`), its windows
by the end of their newest grant, its breaker, and one sorted set per window whose members are
granted requests and whose scores are the instants at which they are forgotten. The time is the
server's own, so that clocks of machines do not matter; where it was set back, the mark goes on from
it, never back itself, and counts from the latest time shown when it is put right (see
`adapters.requests.shared_time`). That it was set forward nobody can tell here: each machine's own
count holds its requests back then.
"""

_NOW = """
local function written(instant) return string.format('%.0f', instant) end
local function present(mark, given)
  local wall = tonumber(given)
  if not wall then
    local told = redis.call('TIME')
    wall = tonumber(told[1]) * 1000000 + tonumber(told[2])
  end
  local known = redis.call('HMGET', mark, 'at', 'wall', 'top', 'at_top')
  local at, top, at_top = wall, wall, wall
  if known[1] then
    local before, seen = tonumber(known[1]), tonumber(known[2])
    top, at_top = tonumber(known[3] or seen), tonumber(known[4] or before)
    if wall < top then
      at = before + math.max(0, wall - seen)
    else
      at = math.max(before, at_top + wall - top)
      top, at_top = wall, at
    end
  end
  redis.call('HSET', mark, 'at', written(at), 'wall', written(wall),
    'top', written(top), 'at_top', written(at_top))
  return at
end
"""

TAKE = (
    _NOW
    + """
local now = present(KEYS[1], ARGV[1])
local receipt, hold = ARGV[2], tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', written(now))
local worst, latest = 0, 0
for i = 3, #KEYS do
  local base = 4 + (i - 3) * 5
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', written(now))
  local excess = redis.call('ZCARD', KEYS[i]) + tonumber(ARGV[base + 2]) - tonumber(ARGV[base])
  if excess > 0 then
    local blocking = redis.call('ZRANGE', KEYS[i], excess - 1, excess - 1, 'WITHSCORES')
    local free = math.min(tonumber(blocking[2]), now + tonumber(ARGV[base + 1]))
    if free > latest then worst, latest = i - 2, free end
  end
end
if worst > 0 then return {worst, written(latest), written(now)} end
for i = 3, #KEYS do
  local base = 4 + (i - 3) * 5
  local ends = now + tonumber(ARGV[base + 1]) + hold
  for unit = 1, tonumber(ARGV[base + 2]) do
    redis.call('ZADD', KEYS[i], written(ends), receipt .. ':' .. unit)
  end
  redis.call('ZADD', KEYS[2], written(ends), ARGV[base + 3])
  if ARGV[base + 4] ~= '0' then redis.call('PEXPIRE', KEYS[i], ARGV[base + 4]) end
end
return {0, written(now), written(now)}
"""
)
"""KEYS: mark, windows, then each window of the claims. ARGV: wall clock or '', receipt, how long
grants are held beyond their windows, then per window: limit, length, cost, name with its limit,
milliseconds to keep it or 0. Returns {0, now, now}, or {number of the claim that waits longest,
until when, now}."""

SETTLE = (
    _NOW
    + """
local now = present(KEYS[1], ARGV[1])
for i = 2, #KEYS do
  local base = 3 + (i - 2) * 2
  local ends = now + tonumber(ARGV[base])
  for unit = 1, tonumber(ARGV[base + 1]) do
    local member = ARGV[2] .. ':' .. unit
    local known = redis.call('ZSCORE', KEYS[i], member)
    if known and tonumber(known) > ends then
      redis.call('ZADD', KEYS[i], written(ends), member)
    end
  end
end
"""
)
"""KEYS: mark, then the windows. ARGV: wall clock or '', receipt, then length and cost of each."""

GIVE_BACK = """
for i = 1, #KEYS do
  for unit = 1, tonumber(ARGV[i + 1]) do
    redis.call('ZREM', KEYS[i], ARGV[1] .. ':' .. unit)
  end
end
"""
"""KEYS: the windows. ARGV: receipt, then the cost in each window."""

LOOK = (
    _NOW
    + """
local now = present(KEYS[1], ARGV[1])
local found = {written(now), redis.call('GET', KEYS[3]) or ''}
if ARGV[2] == '' then return found end
for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local window = ARGV[2] .. member:match('^(.*)\\31[0-9]+$')
  redis.call('ZREMRANGEBYSCORE', window, '-inf', written(now))
  local first = redis.call('ZRANGE', window, 0, 0, 'WITHSCORES')
  if first[2] then
    table.insert(found, member)
    table.insert(found, redis.call('ZCARD', window))
    table.insert(found, written(tonumber(first[2])))
  end
end
return found
"""
)
"""KEYS: mark, windows, breaker. ARGV: wall clock or '', what keys of windows begin with or ''.
Returns now, the breaker, then name with limit, number and end of the oldest of each window."""
