-- Lets items claim and release lookup keys, which they pass between them.
--
-- Rule: the guard keeps the last word of each item, and the lookup key shows the greatest claim; so what it shows depends
-- on the last words alone, in whatever order they came. An item's word wins over its own same or older one and says
-- nothing about those of others. The greatest claim is the one that expires last, never being the latest; among these the
-- one with the greatest version, then the item with the greatest name.
--
-- KEYS   guard, lookup key; again for each word. On a cluster all of one slot.
-- ARGV   guard TTL and now, both in milliseconds; the most claims, and the most words, that one lookup key may have;
--        then for each word: the item's cache key, its version, "1" to claim or "0" to release, expiry in epoch
--        milliseconds (15 digits, or "~" for never), value
-- Answer the positions, from 1, of the words that were stale; 0: all applied.
--
-- The guard is a hash:
--   w          the words: of each item its length, ":", its name, and the same of its word, which is
--              "+<expiry>|<version>" for a claim and "-<when, epoch ms, 15 digits>|<version>" for a release
--   v:<item>   the value of a claim that is not shown, unless it is the item's own name
-- A word is dropped when no older one can come any more. The guard stays as long as anything that it says can matter:
-- what is shown may have to be taken back years later.
--
-- A script that stopped half-way is put right by its retry: what is shown is worked out anew from the words each time,
-- and the retried word brings its value along.

local ttl, now, most_claims, most_words = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local function words_in(text)
  local words, at = {}, 1
  local function part()
    local colon = string.find(text, ':', at, true)
    local length = tonumber(string.sub(text, at, colon - 1))
    at = colon + length + 1
    return string.sub(text, colon + 1, colon + length)
  end
  while at <= #text do
    local item = part()
    words[item] = part()
  end
  return words
end

local function until_of(word)
  return string.match(word, '^.([^|]*)')
end

local function stays(word)
  local moment = until_of(word)
  return moment == '~' or tonumber(moment) + ttl >= now
end

local function text_of(words)
  local parts = {}
  for item, word in pairs(words) do
    parts[#parts + 1] = #item .. ':' .. item .. #word .. ':' .. word
  end
  return table.concat(parts)
end

local function greatest_of(words)
  local best, best_word
  for item, word in pairs(words) do
    if string.sub(word, 1, 1) == '+' and (not best or word > best_word or (word == best_word and item > best)) then
      best, best_word = item, word
    end
  end
  return best
end

local stale
local at = 5
for k = 1, #KEYS, 2 do
  local guard, key = KEYS[k], KEYS[k + 1]
  local item, version, claims, expiry, value = ARGV[at], ARGV[at + 1], ARGV[at + 2] == '1', ARGV[at + 3], ARGV[at + 4]
  at = at + 5
  local words = words_in(redis.call('HGET', guard, 'w') or '')
  local forgotten, count, claimed = {}, 0, 0
  for other, word in pairs(words) do
    if not stays(word) then
      forgotten[#forgotten + 1] = other
    elseif other ~= item then
      count = count + 1
      if string.sub(word, 1, 1) == '+' then claimed = claimed + 1 end
    end
  end
  for _, other in ipairs(forgotten) do
    words[other] = nil
    redis.call('HDEL', guard, 'v:' .. other)
  end
  local last = words[item]
  if last and string.match(last, '|(.*)$') > version then
    stale = stale or {}
    stale[#stale + 1] = (k + 1) / 2
  elseif count >= most_words or (claims and claimed >= most_claims) then
    return redis.error_reply('TOOMANY items have a word on one lookup key')
  else
    local before = greatest_of(words)
    words[item] = claims and '+' .. expiry .. '|' .. version or string.format('-%015.0f|%s', now, version)
    local after = greatest_of(words)
    if before and before ~= item and before ~= after then
      -- Kept for when it is shown again: nothing else has its value.
      local shown = redis.call('GET', key)
      if shown and shown ~= before then redis.call('HSET', guard, 'v:' .. before, shown) end
    end
    redis.call('HSET', guard, 'w', text_of(words))
    if claims and after ~= item and value ~= item then
      redis.call('HSET', guard, 'v:' .. item, value)
    else
      redis.call('HDEL', guard, 'v:' .. item)
    end
    local ends = after and until_of(words[after])
    if not after or (ends ~= '~' and tonumber(ends) <= now) then
      redis.call('DEL', key)
    elseif after == item or after ~= before or not before then
      redis.call('SET', key, after == item and value or redis.call('HGET', guard, 'v:' .. after) or after)
      redis.call('HDEL', guard, 'v:' .. after)
      if ends ~= '~' then redis.call('PEXPIREAT', key, string.format('%.0f', tonumber(ends))) end
    end
    if ends == '~' then
      redis.call('PERSIST', guard)
    else
      redis.call('PEXPIRE', guard, string.format('%.0f', math.max(0, (tonumber(ends) or 0) - now) + ttl))
    end
  end
end
return stale or 0
