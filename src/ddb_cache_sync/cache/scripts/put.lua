-- Brings one key to what the arguments say. Goes before each script that does so.
--
-- put(key, at, wanted) reads the arguments from `at` on, carries them out if `wanted`, and gives where the next begin:
--
--   "set" value                          a string
--   "delete"                             nothing
--   "put" condition expiry n values...   condition: "cached" (only where the key exists) or "" (always); expiry: epoch
--                                        milliseconds, or "" for none: a cached key then keeps its own; one value: a
--                                        string; more: fields and contents of a hash, in turn
--
-- Whatever type the key had before is replaced.

local KEYS, ARGV, call = KEYS, ARGV, redis.call -- globals are looked up by name, each time they are named

local function put(key, at, wanted)
  local what = ARGV[at]
  if what == 'set' then
    if wanted then call('SET', key, ARGV[at + 1]) end
    return at + 2
  elseif what == 'delete' then
    if wanted then call('DEL', key) end
    return at + 1
  end
  local cached, expiry, n = ARGV[at + 1] == 'cached', ARGV[at + 2], tonumber(ARGV[at + 3])
  local first, last = at + 4, at + 3 + n
  if not wanted then
    return last + 1
  elseif n == 1 and cached and expiry == '' then
    call('SET', key, ARGV[first], 'XX', 'KEEPTTL')
  elseif n == 1 then
    call('SET', key, ARGV[first], unpack(cached and { 'XX' } or {}))
  end
  local left = n > 1 and cached and call('PTTL', key) or -1
  if n > 1 and left ~= -2 then
    call('DEL', key)
    -- In steps, since a call takes no more than some thousand values from the stack.
    for from = first, last, 1000 do
      call('HSET', key, unpack(ARGV, from, math.min(from + 999, last)))
    end
    if left > 0 then call('PEXPIRE', key, left) end
  end
  if expiry ~= '' then call('PEXPIREAT', key, expiry) end
  return last + 1
end
