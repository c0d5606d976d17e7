"""The kinds of figures, a module each: its query, its chart and its caption.

A query is the only definition of what its figure shows: means, intervals and counts are
computed there and drawn as they are. All take `$experiments`, a list of ids, and those
that name them `$labels`, a list of the same length. `$recorded` says whether the score
is the one that Pidgin recorded instead of the balanced one, and `$by_model` whether
groups are pairs of models instead of experiments.

The conversation is the unit. Intervals are t-intervals over conversations, one value
of each: the mean, plus and minus `$t_quantiles[n - 1]` times the standard error. An
interval of one conversation is NULL.

Sums run in the order of their values, so that the last digit is the same every time.
Single conversations are among the rows up to `$shown` of them, and as panels or lines
of their own up to `$panels`: more could not be told apart.

Charts and captions are made from the rows of the query. Nothing is computed for them
that a figure states: charts place what the rows hold.
"""

from pidgin_analytics.figures.kinds import (
    alignment,
    comparison,
    convergence,
    convergence_each,
    difference,
    patterns,
    response_times,
    start_and_end,
    style,
    tokens_and_cost,
    vocabulary,
    words,
)
from pidgin_analytics.figures.shared import Kind

# In the order in which they are listed.
FIGURES: dict[str, Kind] = {
    "convergence": convergence.KIND,
    "convergence-each": convergence_each.KIND,
    "comparison": comparison.KIND,
    "difference": difference.KIND,
    "start-and-end": start_and_end.KIND,
    "vocabulary": vocabulary.KIND,
    "style": style.KIND,
    "words": words.KIND,
    "alignment": alignment.KIND,
    "patterns": patterns.KIND,
    "tokens-and-cost": tokens_and_cost.KIND,
    "response-times": response_times.KIND,
}
