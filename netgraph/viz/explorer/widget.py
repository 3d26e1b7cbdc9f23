"""Widget for notebooks: an explorer page whose chosen edge or vertex the notebook can read. Needs anywidget."""

from __future__ import annotations

from netgraph.errors import OptionError, not_installed

try:
    import anywidget
    import traitlets
except ImportError:
    raise OptionError(not_installed("A widget needs", "anywidget", "notebook")) from None

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


class ExplorerWidget(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget has no types here
    """Explorer page in a notebook.

    Attributes:
        page: the page as HTML.
        title: name of the frame for screen readers.
        height: height of the frame in pixels.
        chosen: None, or kind, id and graph of the chosen edge, vertex or layer.
    """

    _esm = _SCRIPT
    page = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int().tag(sync=True)
    chosen = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)


def make_widget(page: str, title: str, height: int) -> ExplorerWidget:
    """Make the widget of a page."""
    return ExplorerWidget(page=page, title=title, height=height)
