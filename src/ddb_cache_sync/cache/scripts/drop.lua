-- Deletes keys of a layout that is given up, each with its guard.
--
-- Rule: what the stream still keeps is left alone, which a guard shows that has more of its life left than is allowed.
-- Look and deletion are one step, so that a change which is applied meanwhile is not lost with its key.
--
-- KEYS   guard, cache key; again for each key. On a cluster all of one slot.
-- ARGV   for each key: the most milliseconds that its guard may have left; empty: whatever it has
-- Answer the positions, from 1, of the keys that were left alone; 0: none was.
--
-- UNLINK and not DEL: large values are freed outside of the server's main thread.

local kept
for k = 1, #KEYS, 2 do
  local most = ARGV[(k + 1) / 2]
  if most ~= '' and redis.call('PTTL', KEYS[k]) > tonumber(most) then
    kept = kept or {}
    kept[#kept + 1] = (k + 1) / 2
  else
    redis.call('UNLINK', KEYS[k], KEYS[k + 1])
  end
end
return kept or 0
