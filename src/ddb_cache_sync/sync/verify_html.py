"""The report of a verification as a page: one file, no scripts, nothing loaded from anywhere.

Rule: whatever comes from a table or a cache is escaped, and a policy in the page forbids all but its own style.
"""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Final

from ddb_cache_sync.sync.verify_report import hashed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ddb_cache_sync.sync.verify_report import VerifyReport

_MOST_ROWS: Final = 1000

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24 }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top; overflow-wrap: anywhere }
.share { font-size: 2.5rem; font-weight: 600 } .good { color: #176b3a } .bad { color: #a3211b }
.bar { display: inline-block; height: .7rem; background: #a3211b }
"""


def verify_html(report: VerifyReport, *, hash_keys: bool = False) -> str:
    """The page.

    Args:
        report: What was found.
        hash_keys: Show the beginning of each key's SHA-256 in its place.
    """
    low, high = report.interval
    verdict = "good" if report.consistent else "bad"
    sure = f"<p>A sample: of all keys, with 95 % certainty, {low:.4%} to {high:.4%}.</p>" if report.sampled else ""
    counts = {
        "missing": report.missing,
        "stale": report.stale,
        "orphaned": report.orphaned,
        "lookup keys missing": report.lookups_missing,
        "lookup keys stale": report.lookups_stale,
        "lookup keys orphaned": report.lookups_orphaned,
    }
    most = max(1, *counts.values())
    kinds = [
        (kind, f"{count:,}", f'<span class="bar" style="width: {count / most * 20:.2f}rem"></span>')
        for kind, count in counts.items()
    ]
    others = [("in flight", report.in_flight), ("left out", report.left_out), ("failed", report.failed)]
    known = [each.changed_at for each in report.drifts if each.changed_at is not None]
    oldest = f"<p>Oldest last change of a listed key: {_time(min(known))}.</p>" if known else ""
    rows = [
        (
            each.kind.value,
            escape(hashed(each.key) if hash_keys else each.key),
            "" if each.changed_at is None else _time(each.changed_at),
        )
        for each in report.drifts[:_MOST_ROWS]
    ]
    shown = f"<p>{len(rows):,} of {report.drift:,}.</p>" if len(rows) < report.drift else ""
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{escape(report.table)}: table against cache</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(report.table)}: table against cache</h1>",
            f'<p class="share {verdict}">{report.share_consistent:.4%} consistent</p>',
            f"<p>{report.drift:,} of {report.checked:,} keys drifted; {report.items:,} items read.</p>",
            f"<p>From {_time(report.started_at)}, {report.seconds:.1f} s.</p>",
            sure,
            oldest,
            "<h2>By kind</h2>",
            _table(("kind", "keys", ""), kinds),
            _table(("not drift", "keys"), [(name, f"{count:,}") for name, count in others]),
            "<h2>Where</h2>",
            _table(("keys that begin with", "drifted"), [(escape(it), f"{n:,}") for it, n in report.places.items()]),
            *(f"<p>Note: {escape(note)}.</p>" for note in report.notes),
            "<h2>Keys</h2>",
            shown,
            _table(("kind", "key", "last change applied"), rows),
            "</body></html>\n",
        ]
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are HTML already."""
    lines = ["<tr>" + "".join(f"<th>{each}</th>" for each in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{each}</td>" for each in row) + "</tr>" for row in rows]
    return f"<table>{''.join(lines)}</table>"


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
