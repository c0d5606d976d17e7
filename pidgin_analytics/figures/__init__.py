"""Figures for papers: what conversations do, drawn from one query each.

A figure is a chart of Altair together with the rows behind it and a caption that says
what it rests on. It is drawn in points, so that text has the size of print, and is
as wide as a column. Agents and groups differ by dash, shape or lightness, not by colour
alone.

Names and words may hold anything. In a chart they are text: what cannot be written in
XML, or would turn text around, is replaced, and long ones are shortened. The rows hold
them as they are.
"""

from pidgin_analytics.figures.drawing import (
    FORMATS,
    WIDTHS,
    Figure,
    chosen_experiments,
    figure,
    plain_text,
)
from pidgin_analytics.figures.kinds import FIGURES
from pidgin_analytics.figures.shared import FigureError

__all__ = [
    "FIGURES",
    "FORMATS",
    "WIDTHS",
    "Figure",
    "FigureError",
    "chosen_experiments",
    "figure",
    "plain_text",
]
