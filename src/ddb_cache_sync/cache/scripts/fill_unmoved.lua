-- Stores an item that a reader has read from the table, and ends the reader's lease.
--
-- Rule: only where the guard holds what it held when the key was claimed, which was before the table was read. Each
-- change that was applied by then was in the table already, so what was read is at least as new; a change applied since
-- has moved the guard; a change yet to come finds the key and wins, since no guard is left.
--
-- A key that exists meanwhile is left as it is. Somebody stored it under the same guard: the stream (the same version
-- once more), a backfill or another reader. Whatever it does not show yet is still to come from the stream, so it is as
-- right as ours; and ours may have been read earlier, so that overwriting could show readers an older item after a
-- newer one.
--
-- KEYS   guard, cache key, lease; all of one slot
-- ARGV   the reader's token; what the guard held, empty where there was none; then what put() reads
-- Answer the position 1 if nothing was stored; 0: it was.
--
-- The lease is ended if it is still this reader's: it may have run out, and be another's by now.

local unmoved = (call('GET', KEYS[1]) or '') == ARGV[2]
local wanted = unmoved and call('EXISTS', KEYS[2]) == 0
put(KEYS[2], 3, wanted)
if call('GET', KEYS[3]) == ARGV[1] then
  call('DEL', KEYS[3])
end
return wanted and 0 or { 1 }
