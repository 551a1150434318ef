"""What limits a workload first, and what it says to do."""

from dataclasses import replace
from pathlib import Path

from ddb_cache_sync.estimate import Workload, estimate, read_prices


def test_a_small_batch_should_be_larger() -> None:
    """Nothing else costs so little."""
    limit = estimate(Workload(batch_size=2)).bottleneck
    assert limit.name == "invocations at once for each shard"
    assert limit.change == "Raise the batch size from 2 to 1,000."


def test_a_shard_whose_batches_are_full_should_have_more_of_them_at_once() -> None:
    """As many as are needed: with that factor it keeps up."""
    slow = Workload(writes_per_second=600, item_bytes=1000, batch_size=1000, round_trip_ms=1000, memory_mb=128)
    found = estimate(slow)
    assert not found.ours.keeps_up
    assert found.bottleneck.change == "Raise the parallelization factor from 1 to 2."
    assert estimate(replace(slow, parallelization=2)).ours.keeps_up


def test_then_it_should_have_more_memory_and_at_last_more_shards(tmp_path: Path) -> None:
    """Where a partition took far more than it does: the table is the limit before that."""
    file = tmp_path / "mine.toml"
    file.write_text("[limit.partition_write_units]\nvalue = 1_000_000\n")
    slow = Workload(writes_per_second=20_000, batch_size=1000, parallelization=10, memory_mb=128, shards=1)
    assert estimate(slow).bottleneck.name == "the table's partitions"
    assert "more memory" in estimate(slow, read_prices(file)).bottleneck.change
    found = estimate(replace(slow, memory_mb=1769, writes_per_second=1_000_000), read_prices(file))
    assert found.bottleneck.change.startswith("Only more shards help, 5 of them")
    assert estimate(replace(found.workload, shards=5), read_prices(file)).ours.keeps_up


def test_partitions_limit_only_where_the_number_of_shards_was_given() -> None:
    """DynamoDB adds them by itself otherwise."""
    assert estimate(Workload(shards=1)).bottleneck.name == "the table's partitions"
    assert estimate(Workload()).bottleneck.name == "the node-based cache's processor time"


def test_a_good_workload_has_no_warnings() -> None:
    """The default one."""
    assert estimate(Workload()).warnings == ()


def test_falling_behind_comes_first_among_the_warnings() -> None:
    """With what is lost, and when."""
    first, *others = estimate(Workload(shards=1, writes_per_second=20_000)).warnings
    assert first.startswith("It falls behind: 5,525 of 20,000 writes a second are applied")
    assert any("20 partitions" in other for other in others)


def test_a_batch_of_large_items_needs_memory_and_time() -> None:
    """More than the smallest function has, and most of Lambda's default time-out, which retries need as well."""
    warnings = " ".join(estimate(Workload(item_bytes=50_000, memory_mb=128, batch_size=1000)).warnings)
    assert "more than the function's 128 MB" in warnings
    assert "set a time-out" in warnings


def test_small_items_that_all_change_are_outweighed_by_their_guards() -> None:
    """Items of 20 B."""
    assert "guards take more memory" in " ".join(estimate(Workload(item_bytes=20)).warnings)
