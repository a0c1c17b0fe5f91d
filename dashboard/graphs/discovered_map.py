"""The discovered map: how often event types came directly after one another, and after how long, as a drawing."""

from __future__ import annotations

from dashboard.graphs import discovered_scene, figure
from dashboard.graphs.discovered import Discovered, Shown, shown
from dashboard.graphs.discovered_scene import Overlay
from dashboard.graphs.graph import Drawing


def discovered_figure(
    graph: Discovered, overlay: Overlay, detail: int | None = None, *, compared: bool = False
) -> tuple[Drawing, Shown]:
    """As much of it as `detail` (0 to 100) says, and what that is. `compared`: its words say what changed."""
    part = shown(graph, detail)
    scene = discovered_scene.scene(part, overlay, compared=compared)
    return figure.drawing(scene, discovered_scene.table(part, compared=compared)), part
