"""Broken scripts: the guard, values, fills, repairs, leases and lookup keys."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_CONTRACT: Final = ("tests/contract/test_cache.py", "-k", "valkey or guard_expires")
_REPAIRS: Final = ("tests/contract/test_inspectable_cache.py", "-k", "valkey or repair_leaves")
_READERS: Final = ("tests/contract/test_readable_cache.py", "-k", "valkey")
_APPLY: Final = "cache/scripts/apply.lua"

IN_SCRIPTS: Final = (
    Mutant("the same version is stale", _APPLY, "last > version", "last >= version", _CONTRACT),
    Mutant("versions are compared by their length", _APPLY, "last > version", "#last > #version", _CONTRACT),
    Mutant(
        "sequence numbers are compared as Lua's numbers",
        _APPLY,
        "last > version",
        "tonumber(string.match(last, '%d+$')) > tonumber(string.match(version, '%d+$'))",
        _CONTRACT,
    ),
    Mutant("the newest never wins", _APPLY, "not (last and last > version)", "not last", _CONTRACT),
    Mutant("every change wins", _APPLY, "not (last and last > version)", "true", _CONTRACT),
    Mutant("a newer guard is not put back", _APPLY, "    call('SET', KEYS[k], last, 'EX', ttl)\n", "", _CONTRACT),
    Mutant("a guard put back never expires", _APPLY, "KEYS[k], last, 'EX', ttl", "KEYS[k], last", _CONTRACT),
    Mutant("a guard never expires", _APPLY, "version, 'EX', ttl, 'GET'", "version, 'GET'", _CONTRACT),
    Mutant(
        "a removal leaves no guard",
        _APPLY,
        "  at = put(",
        "  if ARGV[at + 1] == 'delete' then call('DEL', KEYS[k]) end\n  at = put(",
        _CONTRACT,
    ),
    Mutant("what is stale is written", _APPLY, "at + 1, newest)", "at + 1, true)", _CONTRACT),
    Mutant("what is stale is not reported", _APPLY, "    stale[#stale + 1] = (k + 1) / 2\n", "", _CONTRACT),
    Mutant("a removal deletes nothing", "cache/scripts/put.lua", "call('DEL', key) end", "end", _CONTRACT),
    Mutant(
        "a value never expires",
        "cache/scripts/put.lua",
        "  if expiry ~= '' then call('PEXPIREAT', key, expiry) end\n",
        "",
        _CONTRACT,
    ),
    Mutant("a backfill overwrites", "cache/scripts/fill.lua", "KEYS[k]) == 0", "KEYS[k]) >= 0", _CONTRACT),
    Mutant(
        "a backfill leaves a guard",
        "cache/scripts/fill.lua",
        "  at = put(",
        "  if wanted then call('SET', KEYS[k], '9') end\n  at = put(",
        _CONTRACT,
    ),
    Mutant("a repair overwrites", "cache/scripts/repair.lua", "or '') == ARGV[at]", "or '') ~= nil", _REPAIRS),
    Mutant(
        "a repair leaves a guard where there was none",
        "cache/scripts/repair.lua",
        "elseif ARGV[at + 1] ~= '' then",
        "else",
        _REPAIRS,
    ),
    Mutant(
        "a guard that a repair leaves never expires",
        "cache/scripts/repair.lua",
        "ARGV[at + 1], 'EX', ttl",
        "ARGV[at + 1]",
        _REPAIRS,
    ),
    Mutant(
        "a reader overwrites",
        "cache/scripts/fill_unmoved.lua",
        "local wanted = unmoved and ",
        "local wanted = ",
        _READERS,
    ),
    Mutant(
        "a lease is granted twice",
        "cache/scripts/claim.lua",
        "if holder and holder ~= ARGV[1] then",
        "if false then",
        _READERS,
    ),
    Mutant(
        "a word on a lookup key is stale when it comes again",
        "cache/scripts/lookups.lua",
        "'|(.*)$') > version",
        "'|(.*)$') >= version",
        ("tests/contract/test_cache.py", "tests/convergence/test_lookup_keys.py", "-k", "valkey or server"),
    ),
    Mutant(
        "the least claim of a lookup key is shown",
        "cache/scripts/lookups.lua",
        "or word > best_word or",
        "or word < best_word or",
        _CONTRACT,
    ),
)
