"""What each error reply does: to the commands concerned, to the others, and in the end."""

import logging
import time

import pytest
import redis
from tests.cache.support import SECRET, getter, held, write, writes
from tests.faults.conftest import Faulty

from ddb_cache_sync.cache.applier import cache_of
from ddb_cache_sync.cache.topology import Standalone
from ddb_cache_sync.core.outcomes import Outcome
from ddb_cache_sync.errors import CacheError, CacheUnavailable

pytestmark = pytest.mark.servers

MANY = 3 * Standalone.keys_per_script
FIRST, SECOND, THIRD = (slice(n * Standalone.keys_per_script, (n + 1) * Standalone.keys_per_script) for n in range(3))

# The text as servers say it; what is asked again is what it answers.
TRANSIENT = {
    "NOSCRIPT": "-NOSCRIPT No matching script.",
    "TRYAGAIN": "-TRYAGAIN Multiple keys request during rehashing of slot",
    "READONLY": "-READONLY You can't write against a read only replica.",
    "CLUSTERDOWN": "-CLUSTERDOWN Hash slot not served",
    "MASTERDOWN": "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "OOM": "-OOM command not allowed when used memory > 'maxmemory'.",
    "BUSY": "-BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "MISCONF": "-MISCONF Errors writing to the AOF file: No space left on device",
    "NOREPLICAS": "-NOREPLICAS Not enough good replicas to write.",
}
# In Redis 6.2 and before, what a command inside a script answers is told like this.
INSIDE_SCRIPT = "-ERR Error running script (call to f_0): @user_script:22: @user_script: 22: -{} and so on"


@pytest.mark.parametrize("code", TRANSIENT)
def test_what_will_pass_is_sent_again_for_its_own_command_only(faulty: Faulty, code: str) -> None:
    """The commands before and after it are applied and not sent again."""
    fault = faulty.proxy.answer(TRANSIENT[code], first=2)
    sent = writes(MANY)
    assert faulty.cache.apply(sent) == [Outcome.APPLIED] * MANY
    assert fault.fired == 1
    times = [faulty.proxy.keys[each.key.encode()] for each in sent]
    assert (set(times[FIRST]), set(times[SECOND]), set(times[THIRD])) == ({1}, {2}, {1})
    assert held(getter(faulty.server), sent)


def test_loading_is_waited_for(faulty: Faulty) -> None:
    """What was answered before is not sent again; redis-py closes the connection on it, so what came after is."""
    fault = faulty.proxy.answer("-LOADING Valkey is loading the dataset in memory", first=2)
    sent = writes(MANY)
    assert faulty.cache.apply(sent) == [Outcome.APPLIED] * MANY
    assert fault.fired == 1
    assert {faulty.proxy.keys[each.key.encode()] for each in sent[FIRST]} == {1}
    assert len(faulty.waits.bounds) == 1
    assert held(getter(faulty.server), sent)


def test_a_missing_script_is_loaded_at_once(faulty: Faulty) -> None:
    """Nobody waits for that, and it is loaded once, however many calls missed it."""
    fault = faulty.proxy.answer(TRANSIENT["NOSCRIPT"], times=3)
    faulty.cache.apply(writes(MANY))
    assert fault.fired == 3
    assert faulty.proxy.commands["SCRIPT"] == 1
    assert faulty.waits.bounds == []


def test_a_script_that_stays_missing_is_waited_for(faulty: Faulty) -> None:
    """A node that loses it again and again is not hammered."""
    fault = faulty.proxy.answer(TRANSIENT["NOSCRIPT"], times=4)
    assert faulty.cache.apply([write("k")]) == [Outcome.APPLIED]
    assert fault.fired == 4
    assert len(faulty.waits.bounds) == 2


@pytest.mark.parametrize("code", ["OOM", "MISCONF", "READONLY"])
def test_an_error_inside_a_script_is_known_by_its_code_on_old_servers_too(faulty: Faulty, code: str) -> None:
    """Up to Redis 6.2 the code stands in the midst of the text."""
    fault = faulty.proxy.answer(INSIDE_SCRIPT.format(code))
    assert faulty.cache.apply(writes(3)) == [Outcome.APPLIED] * 3
    assert fault.fired == 1
    assert len(faulty.waits.bounds) == 1


def test_the_waits_double_up_to_their_longest_and_end_before_the_deadline(faulty: Faulty) -> None:
    """With a random number of 1 each wait is its bound; full jitter takes any part of it."""
    faulty.proxy.answer(TRANSIENT["OOM"], times=1000)
    with pytest.raises(CacheUnavailable, match="OOM"):
        faulty.cache.apply(writes(3), faulty.waits.monotonic() + 12)
    assert faulty.waits.bounds == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2, 2, 2, 2]


@pytest.mark.parametrize("code", [*TRANSIENT, "LOADING"])
def test_what_does_not_pass_is_given_up_at_the_deadline(faulty: Faulty, code: str) -> None:
    """Then the batch has to be delivered again."""
    fault = faulty.proxy.answer(TRANSIENT.get(code, f"-{code} and so on"), times=10_000)
    began = faulty.waits.monotonic()
    with pytest.raises(CacheUnavailable, match=code) as raised:
        faulty.cache.apply(writes(3), began + 3)
    assert fault.fired > 1
    assert faulty.waits.monotonic() - began < 4
    assert raised.value.hint


def test_real_time_is_kept_too(faulty: Faulty) -> None:
    """With nothing of the clock replaced."""
    faulty.proxy.answer(TRANSIENT["OOM"], times=10_000)
    began = time.monotonic()
    with redis.Redis(port=faulty.proxy.port) as client, pytest.raises(CacheUnavailable):
        cache_of(client, 60).apply(writes(3), began + 0.5)
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    "text",
    [
        "-MOVED 866 10.0.0.1:6379",
        "-ASK 866 10.0.0.1:6379",
        "-ERR MOVED 866 10.0.0.1:6379",
        "-CROSSSLOT Keys in request",
    ],
)
def test_a_redirection_of_a_client_for_one_server_says_what_to_do(faulty: Faulty, text: str) -> None:
    """It is a cluster, and the client does not know it: no retry will help."""
    fault = faulty.proxy.answer(text)
    with pytest.raises(CacheError, match="cluster=true") as raised:
        faulty.cache.apply(writes(3))
    assert not isinstance(raised.value, CacheUnavailable)
    assert (fault.fired, faulty.waits.bounds) == (1, [])


REFUSALS = {
    "NOPERM": "-NOPERM User default has no permissions to run the 'evalsha' command",
    "NOAUTH": "-NOAUTH Authentication required.",
    "WRONGPASS": "-WRONGPASS invalid username-password pair or user is disabled.",
    "inside a script, Redis 6.2": INSIDE_SCRIPT.replace(
        "-{} and so on", "The user executing the script can't run this"
    ),
    "inside a script, Redis 7.0": "-ERR The user executing the script can't run this command or subcommand",
    "inside a script, later": "-ERR ACL failure in script: User app has no permissions to run the 'del' command",
}


@pytest.mark.parametrize("text", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_comes_out_at_once(faulty: Faulty, text: str) -> None:
    """Trying again would not help; the hint names permissions."""
    fault = faulty.proxy.answer(text, times=99)
    with pytest.raises(CacheError, match="permissions") as raised:
        faulty.cache.apply(writes(3))
    assert not isinstance(raised.value, CacheUnavailable)
    assert (fault.fired, faulty.waits.bounds) == (1, [])


def test_an_error_that_nobody_knows_concerns_the_writes_that_it_answers_alone(faulty: Faulty) -> None:
    """They are sent one by one; those that are refused then are failed, all others applied."""
    whole_call = faulty.proxy.answer("-ERR something new", first=2)
    one_write = faulty.proxy.answer("-ERR something new", key=b"k30")
    sent = writes(MANY)
    results = faulty.cache.apply(sent)
    assert (whole_call.fired, one_write.fired) == (1, 1)
    assert isinstance(results[30], CacheError)
    assert [result for place, result in enumerate(results) if place != 30] == [Outcome.APPLIED] * (MANY - 1)
    assert {faulty.proxy.keys[each.key.encode()] for each in [*sent[FIRST], *sent[THIRD]]} == {1}
    assert held(getter(faulty.server), sent[:30] + sent[31:])


@pytest.mark.parametrize("text", ["+OK", ":1", ":-1", "$-1", "*0", "*1\r\n$3\r\nabc", "#f"])
def test_a_reply_that_makes_no_sense_is_no_success(faulty: Faulty, text: str) -> None:
    """Whatever stands between us and the cache: what it did not say is not done."""
    fault = faulty.proxy.answer(text, times=99)
    [result] = faulty.cache.apply([write("k")])
    assert fault.fired >= 1
    assert isinstance(result, CacheError)


@pytest.mark.parametrize("code", [*TRANSIENT, "LOADING", "NOPERM", "WRONGTYPE", "ERR"])
def test_no_error_or_log_holds_contents(faulty: Faulty, caplog: pytest.LogCaptureFixture, code: str) -> None:
    """Not even where the server repeats the command in its error text."""
    caplog.set_level(logging.DEBUG, logger="ddb_cache_sync")
    faulty.proxy.answer(f"-{code} args beginning with: {SECRET.decode()}", times=10_000)
    try:
        [result] = faulty.cache.apply([write("k")], faulty.waits.monotonic() + 1)
    except CacheError as error:
        result = error
    assert isinstance(result, CacheError)
    seen: list[object] = [result]
    while isinstance(seen[-1], BaseException) and (below := seen[-1].__cause__ or seen[-1].__context__):
        seen.append(below)
    texts = [f"{each} {each!r} {vars(each)}" for each in seen]
    assert SECRET.decode() not in "\n".join([*texts, caplog.text])
