"""Broken replies, retries, deadlines, shards and the function: what talks to others."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_CONTRACT: Final = ("tests/contract/test_cache.py", "-k", "valkey")
_REPLIES: Final = ("tests/faults/test_replies.py",)
_FUNCTION: Final = ("tests/test_aws_lambda.py",)
_SIMULATION: Final = "tests/simulation/test_simulation.py::test_a_million_deliveries_lose_nothing[0]"

IN_SHELL: Final = (
    # Replies, retries, deadlines.
    Mutant(
        "replies are not looked at",
        "cache/rounds.py",
        "    for position in reply:\n        results[position - 1] = STALE\n",
        "",
        _CONTRACT,
    ),
    Mutant(
        "a reply that makes no sense is success",
        "cache/rounds.py",
        "        return None\n    results: list[Any]",
        "        reply = []\n    results: list[Any]",
        _REPLIES,
    ),
    Mutant(
        "an error reply is success",
        "cache/rounds.py",
        "results = None if isinstance(reply, Exception) else call.how.results(len(call.writes), reply)",
        "results = call.how.results(len(call.writes), [] if isinstance(reply, Exception) else reply)",
        _REPLIES,
    ),
    Mutant(
        "a refusal is swallowed",
        "cache/rounds.py",
        "        if self._refused is not None:\n            raise",
        "        if False:\n            raise",
        _REPLIES,
    ),
    Mutant(
        "what has to be sent again is forgotten",
        "cache/rounds.py",
        "        self.again.append(Call(call.how, call.first_place, call.writes))",
        "        self.settled |= dict.fromkeys(range(call.first_place, call.first_place + len(call.writes)), APPLIED)",
        _REPLIES,
    ),
    Mutant(
        "one unfit key fails those that go with it",
        "cache/rounds.py",
        "case Fault.COMMAND if len(call.writes) > 1:",
        "case Fault.COMMAND if False:",
        _REPLIES,
    ),
    Mutant("a full cache is no passing trouble", "cache/replies.py", '"OOM", ', "", _REPLIES),
    Mutant(
        "the deadline is ignored",
        "cache/backoff.py",
        "if self.monotonic() + seconds >= deadline:",
        "if False:",
        (*_REPLIES, "-k", "given_up or end_before", "--timeout", "20"),
    ),
    Mutant(
        "a cache that can't be reached is no error",
        "cache/applier.py",
        "                    raise CacheUnavailable(",
        "                    return [STALE] * (len(results) + sum(len(each.writes) for each in latest.again))\n"
        "                    raise CacheUnavailable(",
        _REPLIES,
    ),
    Mutant(
        "the function's time-out is not kept",
        "aws_lambda.py",
        "time.monotonic() + max(remaining_ms - margin_ms, remaining_ms / 2) / 1000",
        "time.monotonic() + remaining_ms / 1000",
        _FUNCTION,
    ),
    Mutant(
        "a failing cache is swallowed",
        "aws_lambda.py",
        "    report = replicator.apply(records, deadline=deadline)\n",
        "    try:\n        report = replicator.apply(records, deadline=deadline)\n    except Exception:\n"
        '        return {"batchItemFailures": []}\n',
        (*_FUNCTION, _SIMULATION),
    ),
)
