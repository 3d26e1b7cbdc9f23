"""Widget for notebooks: an explorer page whose chosen edge or vertex the notebook can read. Needs anywidget."""

from __future__ import annotations

from functools import cache
from typing import Any

from netgraph.errors import OptionError, not_installed

_SCRIPT = """
function render({ model, el }) {
  const frame = document.createElement("iframe");
  frame.srcdoc = model.get("page");
  frame.sandbox = "allow-scripts";
  frame.title = model.get("title");
  frame.style.cssText = `width:100%;height:${model.get("height")}px;border:0`;
  const hear = (event) => {
    if (event.source !== frame.contentWindow || event.data?.netgraph !== "chosen") return;
    model.set("chosen", event.data.chosen);
    model.save_changes();
  };
  window.addEventListener("message", hear);
  el.append(frame);
  return () => window.removeEventListener("message", hear);
}
export default { render };
"""


def make_widget(page: str, title: str, height: int) -> Any:
    """Make the widget of a page.

    Args:
        page: the page as HTML.
        title: name of the frame for screen readers.
        height: height of the frame in pixels.

    Raises:
        OptionError: when the package anywidget is not installed.
    """
    return _widget_class()(page=page, title=title, height=height)


@cache
def _widget_class() -> Any:
    """Class of the widget; `chosen` is None, or kind, id and graph of the chosen edge, vertex or layer."""
    try:
        import anywidget
        import traitlets
    except ImportError:
        raise OptionError(not_installed("A widget needs", "anywidget", "notebook")) from None
    synced: dict[str, Any] = {
        "page": traitlets.Unicode(),
        "title": traitlets.Unicode(),
        "height": traitlets.Int(),
        "chosen": traitlets.Dict(allow_none=True, default_value=None),
    }
    traits = {name: trait.tag(sync=True) for name, trait in synced.items()}
    return type("ExplorerWidget", (anywidget.AnyWidget,), {"_esm": _SCRIPT, **traits})
