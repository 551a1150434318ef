-- Claims a missing key for the one reader that is to load it.
--
-- Rule: the key's absence, the guard and the lease are looked at in one step. So a reader that is granted the lease
-- loads what nobody has stored yet, and knows what the guard held before it read the table.
--
-- KEYS   guard, cache key, lease; all of one slot
-- ARGV   the reader's token; how long the lease lasts, milliseconds
-- Answer what it came to ("granted", "busy", "cached"), what the guard holds, the token of the lease's holder; both
--        texts are empty where there is none.
--
-- The same token is granted the lease again: a reader whose reply was lost asks once more.

if redis.call('EXISTS', KEYS[2]) == 1 then
  return {'cached', '', ''}
end
local version = redis.call('GET', KEYS[1]) or ''
local holder = redis.call('GET', KEYS[3])
if holder and holder ~= ARGV[1] then
  return {'busy', version, holder}
end
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
return {'granted', version, ARGV[1]}
