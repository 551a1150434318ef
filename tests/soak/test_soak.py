"""The long run's frame: figures that outlive a cut, a plot, an exit code; the rounds have tests of their own."""

import random
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import redis
from benchmarks.publish import replaced
from tests.pipeline_faults.kinds import Kind
from tests.pipeline_faults.pipeline import Pipeline
from tests.pipeline_faults.plans import Plan
from tests.soak import __main__ as program
from tests.soak.figures import Figures, Sample, added
from tests.soak.plot import svg
from tests.soak.publish import thinned

from ddb_cache_sync.local.embedded import EmbeddedCluster


def figures(**others: object) -> Figures:
    """Figures of a run of ten minutes."""
    samples = [Sample(60.0 * n, 1000 * n, 900 * n, 7 * n, 100 + n, 140.0) for n in range(11)]
    made = Figures("a", 100, 100, seconds=600, applies=10_000, faults=dict.fromkeys(Kind, 2), samples=samples)
    return replace(made, **others)  # type: ignore[arg-type]


def test_figures_are_read_as_they_were_written(tmp_path: Path) -> None:
    """A run can be gone on with."""
    figures().write(tmp_path / "f.json")
    assert Figures.read(tmp_path / "f.json") == figures()
    assert [path.name for path in tmp_path.iterdir()] == ["f.json"]


def test_faults_counted_in_pieces_do_not_swell_the_number() -> None:
    """A guard each, or an item each, says nothing of how often something struck."""
    assert figures().struck == 2 * len(Kind) - 2 * 3


def test_the_plot_shows_rate_and_verdict() -> None:
    """As XML, whatever a run came to."""
    for each in (figures(), figures(samples=[], faults={}), figures(divergent=1)):
        texts = [element.text or "" for element in ET.fromstring(svg(each)).iter()]
        assert any("10,000 guarded applies" in text for text in texts)
        assert any("DIVERGED" in text for text in texts) == bool(each.divergent)


def test_counts_of_two_parts_are_added() -> None:
    """By name."""
    assert added({"a": 1, "b": 2}, {"b": 3, "c": 4}) == {"a": 1, "b": 5, "c": 4}


def test_what_is_published_has_no_more_samples_than_a_plot_can_show() -> None:
    """The first and the last among them."""
    many = figures(samples=[Sample(n, n, n, n, n, n) for n in range(1001)])
    kept = thinned(many).samples
    assert len(kept) <= 121
    assert (kept[0].seconds, kept[-1].seconds) == (0, 1000)


def test_a_page_without_a_place_is_not_spoilt() -> None:
    """It is said instead."""
    text = "a\n<!-- figures: x -->\nold\n<!-- end: x -->\nb"
    assert replaced(text, "x", "new") == text.replace("old", "new")
    for broken in ("a", text.replace("end: x", "end: y")):
        with pytest.raises(AssertionError, match="place for x"):
            replaced(broken, "x", "new")


@pytest.mark.servers
@pytest.mark.xdist_group("cluster")
@pytest.mark.timeout(120)
def test_a_run_goes_on_where_it_was_cut_and_fails_once_a_key_diverges(
    cluster: EmbeddedCluster, cluster_client: redis.RedisCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three parts of a run: a round, another, and one that finds a wrong key."""
    path = tmp_path / "soak.json"
    plan = Plan(records=300, page=100, batch_size=100)
    monkeypatch.setattr(program, "drawn_plan", lambda *_: plan)
    now = Figures("a", 50, 300)
    for part in range(1, 3):
        program.soak(cluster, now, minutes=1, applies=now.applies + 1, path=path)
        assert (now.rounds, now.divergent, now.complete) == (part, 0, True)
        assert now.changes >= 300 * part
        assert len(now.held) == part
        cluster_client.flushall(target_nodes=redis.RedisCluster.PRIMARIES)
        now = Figures.read(path)

    def spoil(pipeline: Pipeline, number: int, plan: Plan) -> None:
        key = random.Random(number).randrange(50)
        cluster_client.set(f"u:{key:07d}", b"{}")
        pipeline.compare(number)

    monkeypatch.setattr(Pipeline, "run", spoil)
    program.soak(cluster, now, minutes=1, applies=now.applies + 10**9, path=path)
    now = Figures.read(path)
    assert (now.rounds, now.divergent, now.complete) == (2, 1, False)
    assert "1 keys diverge" in now.problem
    with pytest.raises(SystemExit):
        program.main(["--resume", "--json", str(path)])
