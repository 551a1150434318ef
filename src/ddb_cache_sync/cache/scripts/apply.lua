-- Applies changes, each only where no newer one was applied before.
--
-- Rule: a change wins over the same or an older version and loses to a newer one. The same version wins, so that a
-- script that stopped half-way is put right by its retry.
--
-- KEYS   guard, cache key; again for each change. On a cluster all of one slot.
-- ARGV   guard TTL in seconds; then for each change: version, and what put() reads
-- Answer the positions, from 1, of the changes that were stale; 0, which costs less than an empty list: all applied.
--
-- Versions are compared as text of digits and colons, where text order is version order: Lua numbers are doubles,
-- for which neighbouring sequence numbers are equal. The guard is set first and put back where it was newer: one
-- command fewer in the common case, and the only one that the server can refuse for want of memory is the first.

local ttl = ARGV[1]
local stale
local at = 2
for k = 1, #KEYS, 2 do
  local version = ARGV[at]
  local last = call('SET', KEYS[k], version, 'EX', ttl, 'GET')
  local newest = not (last and last > version)
  if not newest then
    call('SET', KEYS[k], last, 'EX', ttl)
    stale = stale or {}
    stale[#stale + 1] = (k + 1) / 2
  end
  at = put(KEYS[k + 1], at + 1, newest)
end
return stale or 0
