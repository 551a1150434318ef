"""The formulas, with numbers that can be followed with a pencil: the default workload unless said otherwise."""

import pytest

from ddb_cache_sync.estimate import Workload, estimate

MONTH = 730 * 3600


def test_a_table_has_a_partition_for_each_10_gb_and_each_1000_write_units() -> None:
    """The larger number counts; an item of 600 B takes one unit, one of 1,025 B two."""
    assert estimate(Workload(items=16_666_666)).shards == 1
    assert estimate(Workload(items=16_666_667)).shards == 2
    assert estimate(Workload(writes_per_second=1001)).shards == 2
    assert estimate(Workload(writes_per_second=1000, item_bytes=1025)).shards == 2
    assert estimate(Workload(writes_per_second=1001, shards=1)).shards == 1


def test_it_says_when_another_shard_is_needed() -> None:
    """By size and by writes."""
    found = estimate(Workload(items=20_000_000))
    assert (found.shards, found.items_that_fit, found.writes_that_fit) == (2, 33_333_333, 2000.0)


def test_an_invocation_gets_what_was_written_since_the_last_poll() -> None:
    """Four polls a second; no less than one record, no more than the batch size."""
    assert estimate(Workload(writes_per_second=200)).ours.batch_records == 50
    assert estimate(Workload(writes_per_second=2)).ours.batch_records == 1
    assert estimate(Workload(writes_per_second=1000)).ours.batch_records == 100
    assert estimate(Workload(writes_per_second=200, parallelization=5)).ours.batch_records == 10


def test_a_window_gathers_more() -> None:
    """Two seconds of 40 writes each."""
    assert estimate(Workload(writes_per_second=40, window_seconds=2)).ours.batch_records == 80


def test_the_payload_limit_cuts_a_batch_of_large_items() -> None:
    """6,291,456 / (450 + 1.38 * 100,000) = 45.4."""
    found = estimate(Workload(item_bytes=100_000, writes_per_second=900, batch_size=1000))
    assert found.ours.batch_records_at_most == 45
    assert "about 45 records" in " ".join(found.warnings)


def test_processor_time_is_longer_on_a_share_of_a_processor() -> None:
    """1 + 0.14 + 100 * (8 + 16.2 + 0.012 * 1278) / 1000 = 5.0936 ms of a vCPU, and a round trip of 0.5 ms."""
    assert estimate(Workload(memory_mb=1769)).ours.duration_ms == pytest.approx(5.5936)
    assert estimate(Workload(memory_mb=512)).ours.duration_ms == pytest.approx(5.0936 * 1769 / 512 + 0.5)
    assert estimate(Workload(memory_mb=10_240)).ours.duration_ms == pytest.approx(5.5936), "one thread"


def test_the_original_waits_for_each_record() -> None:
    """1 + 0.1 + 0.012 * 1.278 ms of a vCPU, and a round trip, for one record."""
    original = estimate(Workload(memory_mb=1769)).original
    assert (original.batch_records, original.batch_records_at_most) == (1, 1)
    assert original.duration_ms == pytest.approx(1.615336)
    assert original.invocations_per_second == 1000


def test_a_shard_has_no_more_invocations_at_once_than_the_factor() -> None:
    """Nor an account more than 1,000."""
    assert estimate(Workload(shards=7, parallelization=4)).ours.invocations_at_most == 28
    assert estimate(Workload(shards=700, parallelization=10)).ours.invocations_at_most == 1000


def test_it_keeps_up_with_full_batches_one_after_the_other() -> None:
    """100 records in 5.5936 ms."""
    ours = estimate(Workload(memory_mb=1769)).ours
    assert ours.writes_per_second_at_most == pytest.approx(100 / 0.0055936)
    assert ours.concurrency == pytest.approx(10 * 0.0055936)
    assert ours.keeps_up


def test_what_falls_behind_loses_records_when_the_stream_forgets_them() -> None:
    """619 of 1,000 writes a second: each hour it is 0.381 h further behind, so 24 h after 63 h."""
    original = estimate(Workload(memory_mb=1769)).original
    assert not original.keeps_up
    assert original.lag_seconds is None
    assert original.writes_per_second_at_most == pytest.approx(619.07, abs=0.01)
    assert original.hours_until_loss == pytest.approx(24 / (1 - 0.61907), abs=0.01)


def test_lag_is_window_poll_and_two_invocations() -> None:
    """A window of 3 s that 100 records, at 50/s, do not end early; one of 3 s that 1,000/s end after 0.1 s."""
    slow = estimate(Workload(writes_per_second=20, window_seconds=3)).ours
    assert slow.lag_seconds == pytest.approx(3 + 0.25 + 2 * slow.duration_ms / 1000)
    fast = estimate(Workload(window_seconds=3)).ours
    assert fast.lag_seconds == pytest.approx(0.1 + 0.25 + 2 * fast.duration_ms / 1000)


def test_a_script_costs_its_time_or_what_it_moves() -> None:
    """6.6 µs are 2.2 ECPUs; 10,000 B, two keys of 20 B and 160 B are 9.96 KiB. A SET costs what it moves."""
    small, large = estimate(Workload()), estimate(Workload(item_bytes=10_000))
    assert small.ours.ecpus_per_second == pytest.approx(1000 * 6.6 / 3)
    assert small.original.ecpus_per_second == 1000
    assert large.ours.ecpus_per_second == pytest.approx(1000 * 10_200 / 1024)
    assert large.original.ecpus_per_second == pytest.approx(1000 * 10_055 / 1024)


def test_guards_are_as_many_as_items_changed_in_25_hours() -> None:
    """125 B for a key of 20 B; the original has none."""
    assert estimate(Workload(writes_per_second=1)).ours.guard_bytes == 90_000 * 125
    found = estimate(Workload(writes_per_second=1000))
    assert found.ours.guard_bytes == 1_000_000 * 125
    assert found.ours.memory_bytes == 1_000_000 * (20 + 600 + 50 + 125)
    assert found.original.memory_bytes == 1_000_000 * (20 + 600 + 50)


def test_nodes_are_chosen_for_memory_and_for_processor_time() -> None:
    """9.8 GiB of a node are for items; half of its thread is for writes: 48,077 of 10.4 µs each."""
    assert estimate(Workload()).ours.primaries == 1
    assert estimate(Workload(items=14_000_000)).ours.primaries == 2
    assert estimate(Workload(writes_per_second=49_000)).ours.primaries == 2


def test_a_month_has_730_hours() -> None:
    """10 invocations a second of 512 MB, 795 MB stored, two nodes."""
    found = estimate(Workload())
    cost, duration = found.ours.cost, found.ours.duration_ms
    assert cost.requests == pytest.approx(10 * MONTH / 1e6 * 0.20)
    assert cost.duration == pytest.approx(10 * MONTH * 0.5 * (duration + 0.5) / 1000 * 0.0000133334)
    assert cost.logs == pytest.approx(10 * MONTH * 350 / 1e9 * 0.50)
    assert cost.ecpus == pytest.approx(1000 * 6.6 / 3 * MONTH / 1e6 * 0.0023)
    assert cost.storage == pytest.approx(0.795 * 730 * 0.084)
    assert cost.nodes == pytest.approx(2 * 730 * 0.1752)
    assert cost.serverless == pytest.approx(cost.requests + cost.duration + cost.logs + cost.ecpus + cost.storage)
    assert cost.node_based == pytest.approx(cost.requests + cost.duration + cost.logs + cost.nodes)


def test_a_small_serverless_cache_pays_for_100_mb() -> None:
    """However little it holds."""
    assert estimate(Workload(items=10, writes_per_second=1)).ours.cost.storage == pytest.approx(0.1 * 730 * 0.084)
