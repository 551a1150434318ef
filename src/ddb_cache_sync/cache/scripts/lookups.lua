-- Lets items claim and release lookup keys, which they pass between them.
--
-- Rule: the guard keeps the last word of each item, and the lookup key shows the claim with the greatest version; so
-- what it shows depends on the last words alone, in whatever order they came. An item's word wins over its own same or
-- older one and says nothing about those of others.
--
-- KEYS   guard, lookup key; again for each word. On a cluster all of one slot.
-- ARGV   guard TTL in seconds, now in epoch seconds, the most items that may have a word on one lookup key; then for
--        each word: the item's cache key, its version, "1" to claim or "0" to release, expiry in epoch milliseconds or
--        "", value
-- Answer the positions, from 1, of the words that were stale; empty: all applied.
--
-- The guard is a hash:
--   w:<item>   "+<version>" claims, "-<version>" released
--   t:<item>   when it released, epoch seconds: the word is dropped when no older one can come any more
--   v:<item>   "<expiry>:<value>" of a claim that is not shown
-- A script that stopped half-way is put right by its retry: what is shown is worked out anew from the words each time.
-- The guard stays as long as what is shown, which may have to be taken back years later.

local ttl, now, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local function words_of(guard)
  local words, count = {}, 0
  local all = redis.call('HGETALL', guard)
  local released = {}
  for i = 1, #all, 2 do
    local kind, item = string.sub(all[i], 1, 2), string.sub(all[i], 3)
    if kind == 'w:' then
      words[item] = all[i + 1]
      count = count + 1
    elseif kind == 't:' then
      released[item] = tonumber(all[i + 1])
    end
  end
  for item, at in pairs(released) do
    if at + ttl < now then
      redis.call('HDEL', guard, 'w:' .. item, 't:' .. item)
      words[item] = nil
      count = count - 1
    end
  end
  return words, count
end

local function shown_of(words)
  local best, best_word
  for item, word in pairs(words) do
    if string.sub(word, 1, 1) == '+' and (not best or word > best_word or (word == best_word and item > best)) then
      best, best_word = item, word
    end
  end
  return best
end

local function show(key, stored)
  local colon = string.find(stored, ':', 1, true)
  redis.call('SET', key, string.sub(stored, colon + 1))
  if colon > 1 then redis.call('PEXPIREAT', key, string.sub(stored, 1, colon - 1)) end
end

local stale = {}
local at = 4
for k = 1, #KEYS, 2 do
  local guard, key = KEYS[k], KEYS[k + 1]
  local item, version, claims = ARGV[at], ARGV[at + 1], ARGV[at + 2] == '1'
  local stored = ARGV[at + 3] .. ':' .. ARGV[at + 4]
  at = at + 5
  local words, count = words_of(guard)
  local last = words[item]
  if last and string.sub(last, 2) > version then
    stale[#stale + 1] = (k + 1) / 2
  elseif not last and count >= most then
    return redis.error_reply('TOOMANY items have a word on one lookup key')
  else
    local before = shown_of(words)
    if before and before ~= item and redis.call('HEXISTS', guard, 'v:' .. before) == 0 then
      -- Kept in case that it is shown no more, or again: nothing else has its value.
      local value = redis.call('GET', key)
      if value then
        local left = redis.call('PTTL', key)
        redis.call('HSET', guard, 'v:' .. before, (left > 0 and string.format('%.0f', now * 1000 + left) or '') .. ':' .. value)
      end
    end
    if claims then
      words[item] = '+' .. version
      redis.call('HSET', guard, 'w:' .. item, words[item], 'v:' .. item, stored)
      redis.call('HDEL', guard, 't:' .. item)
    else
      words[item] = '-' .. version
      redis.call('HSET', guard, 'w:' .. item, words[item], 't:' .. item, ARGV[2])
      redis.call('HDEL', guard, 'v:' .. item)
    end
    local after = shown_of(words)
    if after then
      local kept = redis.call('HGET', guard, 'v:' .. after)
      if kept then
        show(key, kept)
        redis.call('HDEL', guard, 'v:' .. after)
      end
      local left = redis.call('PTTL', key)
      if left == -1 then
        redis.call('PERSIST', guard)
      else
        redis.call('EXPIRE', guard, math.ceil(math.max(left, 0) / 1000) + ttl)
      end
    else
      redis.call('DEL', key)
      redis.call('EXPIRE', guard, ttl)
    end
  end
end
return stale
