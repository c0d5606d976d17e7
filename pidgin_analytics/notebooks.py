"""A Jupyter notebook of one experiment, which runs from its first cell to its last.

Pidgin's own notebook is for Jupyter, too, so this one opens where people look for it.
It asks the warehouse each time it is run, instead of carrying data of the day it was
made. An id is in its code only as a literal, and a name only as escaped text.
"""

from __future__ import annotations

import json
import re
import textwrap
from typing import Any

from pidgin_analytics.figures import FigureError, chosen_experiments, plain_text
from pidgin_analytics.warehouse import Snapshot

Cell = dict[str, Any]

SETUP = """
from pidgin_analytics import Warehouse
from pidgin_analytics.figures import FigureError, figure

WAREHOUSE = {warehouse}
EXPERIMENT = {experiment}

# Only read, so that builds may go on meanwhile; run a cell again after one.
warehouse = Warehouse(WAREHOUSE)


def show(name, **options):
    # A figure with its caption, or the reason why there is none.
    try:
        return figure(warehouse, name, [EXPERIMENT], **options)
    except FigureError as error:
        return str(error)
"""

CONVERSATIONS = '''
conversations = warehouse.pandas(
    """
    select
        conversation_id,
        model_pair,
        status,
        end_reason,
        turn_count,
        spoken_turn_count,
        round(mean_convergence_balanced, 3) as mean_convergence,
        round(final_convergence_balanced, 3) as final_convergence,
        round(convergence_velocity, 4) as change_per_turn,
        round(cost_usd, 4) as cost_usd,
        incident_count
    from analysis.conversations
    where experiment_id = ?
    order by started_at, conversation_id
    """,
    [EXPERIMENT],
)
conversations
'''

PATTERNS = '''
warehouse.pandas(
    """
    select
        conversation_id,
        loop_turn,
        farewell_loop_turn,
        gratitude_spiral_turn,
        silence_turn,
        symbol_ending_turn,
        vocabulary_collapse_turn,
        echo_chamber_turn,
        symbolic_phase_turn,
        compression_phase_turn
    from analysis.conversations
    where experiment_id = ?
    order by started_at, conversation_id
    """,
    [EXPERIMENT],
)
'''

INCIDENTS = '''
warehouse.pandas(
    """
    select incident_type, agent_id, count(*) as incidents
    from incidents
    where experiment_id = ?
    group by incident_type, agent_id
    order by incidents desc, incident_type, agent_id
    """,
    [EXPERIMENT],
)
'''

TURNS = """
turns = warehouse.pandas(
    "select * from analysis.turns where experiment_id = ?"
    " order by conversation_id, turn_number",
    [EXPERIMENT],
)
turns.describe()
"""

SAVE = """
made = show("convergence", width="single")
made if isinstance(made, str) else made.data
"""


def notebook(warehouse: Snapshot, experiment: str, path: str | None) -> tuple[str, str]:
    """Write a notebook of one experiment.

    Args:
        warehouse: What holds the experiment.
        experiment: Its id or name.
        path: The file of the warehouse, which the notebook opens; None for what the
            environment names when it is run.

    Returns:
        The experiment's id, and the notebook as JSON.

    Raises:
        FigureError: There is no such experiment, or there are several of this name.
    """
    found = chosen_experiments(warehouse, [experiment])
    if len(found) > 1:
        ids = ", ".join(one for one, _ in found)
        raise FigureError(
            f"There are {len(found)} experiments of this name; say which by its id:"
            f" {ids}."
        )
    ((experiment_id, name),) = found
    cells = [
        _markdown(
            f"# {markdown_text(name or experiment_id)}\n\nExperiment"
            f" {markdown_text(experiment_id)}. Each cell queries the warehouse when it"
            " is run. The kernel must be the project's environment."
        ),
        _code(
            SETUP.format(
                warehouse=python_literal(path), experiment=python_literal(experiment_id)
            )
        ),
        _markdown("## How did it go?\n\nA row per conversation."),
        _code(CONVERSATIONS),
        _markdown(
            "## Do they become more similar?\n\nThe conversation is the unit: turns of"
            " one conversation depend on each other."
        ),
        _code('show("convergence")'),
        _code('show("convergence-each")'),
        _code('show("start-and-end")'),
        _markdown("## What do they say?"),
        _code('show("vocabulary")'),
        _code('show("style")'),
        _code('show("words")'),
        _markdown(
            "## Who adapts to whom?\n\nAdopted words, not the column `alignment_gain`."
        ),
        _code('show("alignment")'),
        _markdown(
            "## Circles, goodbyes, silence: since when?\n\nEmpty if a pattern was not"
            " found."
        ),
        _code('show("patterns")'),
        _code(PATTERNS),
        _markdown("## What did it cost, and what went wrong?"),
        _code('show("tokens-and-cost")'),
        _code('show("response-times")'),
        _code(INCIDENTS),
        _markdown(
            "## Continue from here\n\nAll columns of all turns as a data frame. The"
            " project's `docs/questions.md` has more questions with their SQL."
        ),
        _code(TURNS),
        _markdown(
            'The data behind a figure. `made.drawn("pdf")` is the figure as a file,'
            " `made.csv()` its rows, `made.caption` its caption."
        ),
        _code(SAVE),
    ]
    document = {
        "cells": [
            cell | {"id": f"cell-{number}"} for number, cell in enumerate(cells, 1)
        ],
        "metadata": {
            "kernelspec": {
                "display_name": "Python 3",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return experiment_id, json.dumps(document, indent=1) + "\n"


def python_literal(text: str | None) -> str:
    """Write a text as Python does, in plain ASCII.

    Args:
        text: Text from outside, or None.

    Returns:
        A literal of exactly this.
    """
    return ascii(text)


def markdown_text(text: str) -> str:
    """Write a text so that Markdown and HTML show it as it is.

    Args:
        text: Text from outside.

    Returns:
        One line of Markdown.
    """
    return re.sub(r"[^\w ]|_", lambda found: f"&#{ord(found[0])};", plain_text(text))


def file_name(experiment_id: str) -> str:
    """Name the file of a notebook.

    Args:
        experiment_id: Its experiment, whose id may hold anything.

    Returns:
        A name without folders, of letters that every system takes.
    """
    return (re.sub(r"[^A-Za-z0-9_-]+", "_", experiment_id)[:80] or "_") + ".ipynb"


def _markdown(text: str) -> Cell:
    return {"cell_type": "markdown", "metadata": {}, "source": _lines(text)}


def _code(text: str) -> Cell:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": _lines(text),
    }


def _lines(text: str) -> list[str]:
    """Split a source as the format has it."""
    return textwrap.dedent(text).strip("\n").splitlines(keepends=True)
