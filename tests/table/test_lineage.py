from ddb_cache_sync.table.lineage import Shard, ShardLineage

PARENT, CHILD, OTHER = Shard("p", None, closed=True), Shard("c", "p", closed=False), Shard("o", None, closed=False)


def taken(lineage: ShardLineage) -> list[str]:
    return [shard.shard_id for shard in lineage.take_ready()]


def test_a_child_is_read_only_after_its_parent_is_finished() -> None:
    """A shard without a parent waits for nobody."""
    lineage = ShardLineage()
    lineage.update([CHILD, PARENT, OTHER])
    assert taken(lineage) == ["p", "o"]
    assert taken(lineage) == []
    assert lineage.waiting
    lineage.finish("p")
    assert taken(lineage) == ["c"]
    assert not lineage.waiting


def test_a_parent_that_is_listed_no_longer_counts_as_finished() -> None:
    """It was trimmed away, and nothing of it is left to read."""
    lineage = ShardLineage()
    lineage.update([CHILD])
    assert taken(lineage) == ["c"]


def test_a_parent_still_being_read_holds_its_child_even_when_listed_no_longer() -> None:
    """What was read of it may not be finished yet."""
    lineage = ShardLineage()
    lineage.update([PARENT])
    assert taken(lineage) == ["p"]
    lineage.update([CHILD])
    assert taken(lineage) == []
    lineage.finish("p")
    assert taken(lineage) == ["c"]


def test_a_shard_that_appears_later_is_read_and_a_finished_one_is_not_read_again() -> None:
    """Each shard is given out once, however often it is listed."""
    lineage = ShardLineage()
    lineage.update([PARENT])
    taken(lineage)
    lineage.finish("p")
    lineage.update([PARENT, CHILD])
    assert taken(lineage) == ["c"]
    lineage.update([PARENT, CHILD])
    assert taken(lineage) == []


def test_a_chain_of_shards_is_read_one_after_the_other() -> None:
    """A grandchild waits for its parent even though its grandparent is finished."""
    lineage = ShardLineage()
    lineage.update([Shard("g", "c", closed=False), CHILD, PARENT])
    order = []
    while ready := taken(lineage):
        order += ready
        lineage.finish(ready[0])
    assert order == ["p", "c", "g"]
