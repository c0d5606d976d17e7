"""The colours of every chart and page.

The colours of series are those of Okabe and Ito (2008), which people with any kind of
colour blindness tell apart. The two agents differ in lightness, too, and so in print
without colour. Colours of text reach a contrast of 4.5 to 1 against the background of
their scheme, those of marks 3 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """Colours of one scheme, as `#rrggbb`."""

    background: str
    panel: str
    text: str
    quiet_text: str
    line: str
    # Borders of what can be used.
    control: str
    accent: str
    agent_a: str
    agent_b: str
    # Of the words "A" and "B", and of other text in the colour of an agent.
    agent_a_text: str
    agent_b_text: str
    warning_text: str
    # Of experiments or models that are compared; the ninth begins anew, dashed.
    series: tuple[str, ...]


LIGHT = Palette(
    background="#ffffff",
    panel="#f6f7f9",
    text="#1b1f27",
    quiet_text="#555d6b",
    line="#d5d9e0",
    control="#868e9c",
    accent="#0b5cad",
    agent_a="#0072b2",
    agent_b="#e07b00",
    agent_a_text="#00609a",
    agent_b_text="#954f00",
    warning_text="#a3271b",
    series=(
        "#0072b2",
        "#d55e00",
        "#007f5f",
        "#b0528c",
        "#8c6d00",
        "#2f8fc4",
        "#4d4d4d",
        "#7a3e00",
    ),
)

DARK = Palette(
    background="#14171c",
    panel="#1d2128",
    text="#e8eaee",
    quiet_text="#a9b0bc",
    line="#3a404b",
    control="#727b8a",
    accent="#7ab8ff",
    agent_a="#56b4e9",
    agent_b="#f0a830",
    agent_a_text="#7cc6f0",
    agent_b_text="#f3b752",
    warning_text="#ff9d8f",
    series=(
        "#56b4e9",
        "#f0a830",
        "#2fc79a",
        "#dd93bf",
        "#e3d24a",
        "#9ad0f2",
        "#c4c8cf",
        "#c98a4b",
    ),
)
