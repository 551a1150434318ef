-- Brings keys to what the table was found to hold, each only where its guard is still what it was before.
--
-- Rule: the guard was read first, and the item after it, consistently. Where the guard has not moved since, the item is
-- at least as new as all that was applied. What comes later is newer than what is left in the guard, and wins.
--
-- KEYS   guard, cache key; again for each key. On a cluster all of one slot.
-- ARGV   guard TTL in seconds; then for each key: what the guard held, what it is to hold (both empty where there is no
--        guard), and what put() reads
-- Answer the positions, from 1, of the keys whose guard has moved; 0: all were repaired.
--
-- A repair whose reply was lost finds a guard that has moved, by itself: whoever asks again looks at the key anew.

local ttl = ARGV[1]
local moved
local at = 2
for k = 1, #KEYS, 2 do
  local wanted = (call('GET', KEYS[k]) or '') == ARGV[at]
  if not wanted then
    moved = moved or {}
    moved[#moved + 1] = (k + 1) / 2
  elseif ARGV[at + 1] ~= '' then
    call('SET', KEYS[k], ARGV[at + 1], 'EX', ttl)
  end
  at = put(KEYS[k + 1], at + 2, wanted)
end
return moved or 0
