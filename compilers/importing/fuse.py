"""Fusing of drafts: a norm, an activation or a pool that alone reads a layer becomes a part of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from compilers.importing.drafts import DraftLayer, DraftLink
from netgraph.graph import Identity


def ordered(outputs: Sequence[DraftLayer]) -> list[DraftLayer]:
    """Drafts on which some outputs depend, each behind its sources. Without recursion."""
    found: dict[DraftLayer, None] = {}
    open_drafts: set[DraftLayer] = set()
    waiting = list(reversed(outputs))
    while waiting:
        draft = waiting[-1]
        if draft in found:
            waiting.pop()
        elif draft in open_drafts:
            found[draft] = None
            waiting.pop()
        else:
            open_drafts.add(draft)
            waiting += [link.source for link in reversed(draft.links) if link.source not in found]
    return list(found)


def fused(drafts: Sequence[DraftLayer]) -> tuple[list[DraftLayer], dict[DraftLayer, DraftLayer | None]]:
    """Fuse drafts that read one other draft alone into it.

    Args:
        drafts: drafts, each behind its sources; they are changed.

    Returns:
        The drafts that remain, in their order; and for every given draft the one that has its values, None where no
        draft has them any more.
    """
    readers: dict[DraftLayer, int] = dict.fromkeys(drafts, 0)
    for draft in drafts:
        for link in draft.links:
            readers[link.source] += 1
    holder: dict[DraftLayer, DraftLayer] = {}
    last: dict[DraftLayer, DraftLayer] = {draft: draft for draft in drafts}
    kept = []
    for draft in drafts:
        for link in draft.links:
            link.source = holder.get(link.source, link.source)
        into = draft.links[0].source if len(draft.links) == 1 else None
        if into is None or readers[last[into]] > 1 or not _fits(into, draft, draft.links[0]):
            kept.append(draft)
            continue
        _fuse(into, draft)
        holder[draft], last[into] = into, draft
    values: dict[DraftLayer, DraftLayer | None] = {}
    for draft in drafts:
        into = holder.get(draft, draft)
        values[draft] = into if last[into] is draft else None
    return kept, values


def _stage(draft: DraftLayer) -> int:
    """Last part of a draft: its sum (0), norm (1), activation (2) or pool (3)."""
    if draft.pool is not None:
        return 3
    return 2 if draft.activation != "identity" else int(draft.norm != "none")


def _first(draft: DraftLayer) -> int:
    """First part of a draft behind its sum; 4 where it has none."""
    if draft.norm != "none":
        return 1
    return 2 if draft.activation != "identity" else 3 if draft.pool is not None else 4


def _fits(into: DraftLayer, draft: DraftLayer, link: DraftLink) -> bool:
    """Whether a draft only goes on with the values of another one."""
    straight = (
        link.port == 0
        and link.kind == Identity()
        and into.width == draft.width == len(link.src)
        and bool((link.src == np.arange(draft.width)).all() and (link.dst == np.arange(draft.width)).all())
    )
    takes = into.role == "hidden" and (into.merge is None or into.merge.operates)
    sums = into.merge is None and "bias" not in into.columns and _stage(into) == 0
    plain = draft.merge is None and (sums or "bias" not in draft.columns) and draft.grid == into.output_grid
    return straight and takes and plain and _first(draft) > _stage(into)


def _fuse(into: DraftLayer, draft: DraftLayer) -> None:
    into.role = draft.role
    into.columns.update(draft.columns)
    into.parameters.update(draft.parameters)
    if draft.norm != "none":
        into.norm, into.norm_epsilon, into.norm_momentum = draft.norm, draft.norm_epsilon, draft.norm_momentum
    if draft.activation != "identity":
        into.activation, into.slope = draft.activation, draft.slope
    if draft.pool is not None:
        into.pool = draft.pool


def separated(draft: DraftLayer) -> list[DraftLayer]:
    """Join the links from one source to one port, and read a source again by a layer of wires where they disagree.

    Returns:
        The new layers of wires.

    Cost: O(edges log edges) of sources with several links.
    """
    groups: dict[tuple[DraftLayer, int], list[DraftLink]] = {}
    for link in draft.links:
        groups.setdefault((link.source, link.port), []).append(link)
    made: list[DraftLayer] = []
    links: list[DraftLink] = []
    for (source, _port), given in groups.items():
        joined: list[DraftLink] = []
        for link in given:
            if joined and (together := _joined(joined[0], link)) is not None:
                joined[0] = together
                continue
            if joined:
                again = _again(source, len(made))
                made.append(again)
                link.source = again
            joined.append(link)
        links += joined
    draft.links = links
    return made


def _joined(one: DraftLink, two: DraftLink) -> DraftLink | None:
    """One link with the edges of two, or None where kinds differ or edges coincide."""
    if one.kind != two.kind:
        return None
    columns: Mapping[str, np.ndarray] = {
        name: np.concatenate([getattr(one, name), getattr(two, name)])
        for name in ("src", "dst", "tap", "weight", "parameter", "frozen")
    }
    keys = np.stack([columns[name] for name in ("dst", "src", "tap")])
    order = np.lexsort(keys[::-1])
    if (keys[:, order[1:]] == keys[:, order[:-1]]).all(axis=0).any():
        return None
    return DraftLink(one.source, one.kind, **columns, port=one.port)


def _again(source: DraftLayer, number: int) -> DraftLayer:
    """Layer that has the values of another one by wires."""
    again = DraftLayer(f"{source.name}.again", source.width, source.output_grid)
    rows = np.arange(source.width)
    nothing = np.zeros(source.width, np.int64)
    one = np.ones(source.width)
    again.links = [DraftLink(source, Identity(), rows, rows, nothing, one, np.full(source.width, -1), one.astype(bool))]
    return again
