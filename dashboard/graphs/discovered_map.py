"""The discovered map: how often event types came directly after one another, and after how long, as a drawing."""

from __future__ import annotations

from dashboard.graphs import discovered_scene, figure
from dashboard.graphs.discovered import Shown
from dashboard.graphs.discovered_scene import Overlay
from dashboard.graphs.graph import Drawing


def discovered_figure(part: Shown, overlay: Overlay, *, compared: bool = False) -> Drawing:
    """`compared`: its words say what changed."""
    scene = discovered_scene.scene(part, overlay, compared=compared)
    return figure.drawing(scene, discovered_scene.table(part, compared=compared))
