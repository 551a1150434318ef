-- Brings keys to what was read from the table, each only where the stream has not spoken.
--
-- Rule: where a guard exists a change was applied, and it is at least as new as what was read, or will be followed by
-- what is newer; so a fill never overwrites. It leaves no guard: a change that comes later wins.
--
-- KEYS   guard, cache key; again for each item. On a cluster all of one slot.
-- ARGV   what put() reads, for each item
-- Answer the positions, from 1, of the items that were not filled in; 0: all were.

local stale
local at = 1
for k = 1, #KEYS, 2 do
  local wanted = call('EXISTS', KEYS[k]) == 0
  if not wanted then
    stale = stale or {}
    stale[#stale + 1] = (k + 1) / 2
  end
  at = put(KEYS[k + 1], at, wanted)
end
return stale or 0
