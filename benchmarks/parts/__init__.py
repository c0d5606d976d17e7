"""The parts of a run, each of which adds ratios and figures to the results."""

from collections.abc import Callable

from benchmarks.measuring import Bench
from benchmarks.parts.builds import builds, noop, refresh
from benchmarks.parts.lake import catalog, lake
from benchmarks.parts.metrics import memory, metrics
from benchmarks.parts.queries import queries, search
from benchmarks.parts.storage import archive, sizes
from benchmarks.parts.watching import watch

# In the order in which they run: archive, watch and refresh change their corpora.
PARTS: dict[str, Callable[[Bench], None]] = {
    "metrics": metrics,
    "builds": builds,
    "queries": queries,
    "search": search,
    "bytes": sizes,
    "noop": noop,
    "memory": memory,
    "archive": archive,
    "watch": watch,
    "refresh": refresh,
    "lake": lake,
    "catalog": catalog,
}
