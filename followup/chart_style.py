"""Colours, fonts and greys of every figure, on white and on dark pages."""

from typing import Any

# The PDF embeds the vendored Inter under names of its own; pages find Inter itself.
FONT = "'Registry Sans', 'Registry Sans Extended', Inter, 'DejaVu Sans', sans-serif"

# Okabe and Ito, Color Universal Design (2008): told apart by people with every common colour vision.
BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
ORANGE = "#E69F00"
SKY = "#56B4E9"
PURPLE = "#CC79A7"


def chart_config(*, dark: bool = False) -> dict[str, Any]:
    """Fonts and greys; a dark page replaces `spec["config"]` of a figure with the dark one."""
    ink, quiet, grid = ("#e6ebf1", "#a9b4c0", "#323c48") if dark else ("#1b2430", "#56616e", "#e3e7ec")
    sizes = {"labelFontSize": 10, "titleFontSize": 10}
    lines = {"gridColor": grid, "domainColor": quiet, "tickColor": quiet, "tickSize": 4}
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "axis": {"labelColor": quiet, "titleColor": ink, "titleFontWeight": 600, "titlePadding": 8}
        | sizes
        | lines,
        "axisX": {"grid": False},
        "axisY": {"domain": False, "ticks": False},
        "legend": {"labelColor": ink, "titleColor": ink, "symbolSize": 80} | sizes,
        "style": {
            "note": {"fontSize": 9, "font": FONT},
            "label": {"fontSize": 10, "fontWeight": 600, "font": FONT},
            "infusion-line": {"strokeDash": [1, 3], "strokeWidth": 1},
            "baseline": {"strokeDash": [6, 3], "strokeWidth": 1},
            "today": {"strokeWidth": 1.2},
        },
        "rule": {"color": quiet},
        "text": {"color": ink},
        "point": {"color": ink},
    }
