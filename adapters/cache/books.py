"""The books of the cache in Redis: scripts that keep them right, whatever is gone.

What belongs here: which entries there are, their sizes, the order of their use, what was counted.
What does not: when that changes (redis_cache.py).

Entries run out, and a server that is full removes some. The books have no time to live: one whose
maxmemory-policy is allkeys-* removes them too, each of the three by itself. So every script looks
first whether they agree, and takes stock where they do not: what is known to any of them is looked
up and entered anew, as not used for long. An entry that none of them knows is entered when it is
read, or ends with its time.
"""

from __future__ import annotations

# KEYS of every script: order, sizes, counts. ARGV: what entries begin with, now, then its own.
_BOOKS = """
local order, sizes, counts = KEYS[1], KEYS[2], KEYS[3]
local entries, now = ARGV[1], ARGV[2]

local function count(name, by) redis.call('HINCRBY', counts, name, by) end

local function enter(key)
  local size = redis.call('STRLEN', entries .. key)
  count('bytes', size - (redis.call('HGET', sizes, key) or 0))
  redis.call('HSET', sizes, key, size)
  redis.call('ZADD', order, now, key)
end

-- Whether it was still there.
local function forget(key, counter)
  local there = redis.call('DEL', entries .. key) == 1
  count(there and counter or 'expirations', 1)
  count('bytes', 0 - (redis.call('HGET', sizes, key) or 0))
  redis.call('HDEL', sizes, key)
  redis.call('ZREM', order, key)
  return there
end

local function take_stock()
  local size, bytes = {}, 0
  local known = redis.call('HGETALL', sizes)
  for i = 1, #known, 2 do size[known[i]] = known[i + 1] end
  if redis.call('ZCARD', order) ~= #known / 2 then
    for key in pairs(size) do redis.call('ZADD', order, 'NX', 0, key) end
  end
  for _, key in ipairs(redis.call('ZRANGE', order, 0, -1)) do
    -- EXISTS leaves Redis's own order of use alone, STRLEN does not.
    if redis.call('EXISTS', entries .. key) == 0 then
      redis.call('HDEL', sizes, key)
      redis.call('ZREM', order, key)
      count('expirations', 1)
    else
      if not size[key] then
        size[key] = redis.call('STRLEN', entries .. key)
        redis.call('HSET', sizes, key, size[key])
      end
      bytes = bytes + size[key]
    end
  end
  redis.call('HSET', counts, 'bytes', bytes)
end

local keys, bytes = redis.call('ZCARD', order), redis.call('HGET', counts, 'bytes')
if keys ~= redis.call('HLEN', sizes) or not bytes or (keys == 0 and bytes ~= '0') then
  take_stock()
end
"""

# ARGV: key, whether its reader found it.
USED = f"""{_BOOKS}
local key = ARGV[3]
count(ARGV[4] == '1' and 'hits' or 'misses', 1)
local known = redis.call('ZSCORE', order, key)
-- Another process may have put or removed it since.
if redis.call('EXISTS', entries .. key) == 0 then
  if known then forget(key) end
elseif known then
  redis.call('ZADD', order, now, key)
else
  enter(key)
end
"""

# ARGV: key, content, milliseconds, keys and bytes at most.
PUT = f"""{_BOOKS}
redis.call('SET', entries .. ARGV[3], ARGV[4], 'PX', ARGV[5])
enter(ARGV[3])
while redis.call('ZCARD', order) > tonumber(ARGV[6])
    or tonumber(redis.call('HGET', counts, 'bytes')) > tonumber(ARGV[7]) do
  local oldest = redis.call('ZRANGE', order, 0, 0)[1]
  if not oldest then break end
  forget(oldest, 'evictions')
end
"""

# ARGV: counter, prefixes of keys. Returns how many entries it removed.
DROP = f"""{_BOOKS}
local gone = 0
for _, key in ipairs(redis.call('ZRANGE', order, 0, -1)) do
  for i = 4, #ARGV do
    if string.sub(key, 1, #ARGV[i]) == ARGV[i] then
      if forget(key, ARGV[3]) then gone = gone + 1 end
      break
    end
  end
end
return gone
"""

# ARGV: whether to start the numbers anew. Returns the entries that are there, names and numbers.
METRICS = f"""{_BOOKS}
take_stock()
local told = {{redis.call('ZCARD', order), redis.call('HGETALL', counts)}}
if ARGV[3] == '1' then
  local there = redis.call('HGET', counts, 'bytes')
  redis.call('DEL', counts)
  redis.call('HSET', counts, 'bytes', there)
end
return told
"""

# KEYS: mark of a loader. ARGV: token.
RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"
