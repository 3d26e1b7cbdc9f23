"""Certificates: proved statements on how far a rewrite changes the outputs of a graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from netgraph.columns import FrozenDict
from netgraph.storage import Entries, Flag, Items, Maybe, Number, Record, Row, ShapeError, Text, Whole
from netgraph.tables import Table

Kind = Literal["exact", "bounded", "unknown"]
Level = Literal["exact", "exact up to rounding", "bounded", "unknown"]
LEVELS: tuple[Level, ...] = ("exact", "exact up to rounding", "bounded", "unknown")
"""All levels, from the strongest statement to none."""

_BOUND, _END = Number(finite=False, low=0, words=True), Number(finite=False, words=True)


EVAL_MODE = " in eval mode"
"""End of the text of an assumption on a norm; the label of the norm stands before it."""


class _CertificateShape(Record):
    def check(self, value: Any) -> None:
        """Raise `ShapeError` unless the value has this shape, with a bound where its kind is "bounded"."""
        super().check(value)
        if value["kind"] == "bounded" and value["bound"] is None:
            raise ShapeError(None, "a number, since the kind is bounded").at("bound")


CERTIFICATE_SHAPE = _CertificateShape(
    {
        "kind": Text(get_args(Kind)),
        "reason": Text(),
        "bound": Maybe(Number(low=0)),
        "bounds": Entries(Items(_BOUND)),
        "rounding": Flag(),
        "layers": Entries(_BOUND),
        "domain": Entries(Row((_END, _END))),
        "assumptions": Items(Text()),
        "stopped": Items(Text()),
        "measured": Maybe(
            Record({"change": _BOUND, "relative": _BOUND, "samples": Whole(), "bound": Maybe(_BOUND)}),
        ),
    }
)
"""Shape of the value that `Certificate.to_json` returns."""


@dataclass(frozen=True)
class Measurement:
    """Largest change of an output on a probe batch, in float64.

    Attributes:
        change: largest absolute change of any output.
        relative: largest ratio of an output's absolute change to the range of this output on the probe.
        samples: number of samples of the probe batch.
        bound: largest ratio of an output's proved bound to the range of this output on the probe, or None when no
            bound was given.
    """

    change: float
    relative: float
    samples: int
    bound: float | None = None


@dataclass(frozen=True)
class Certificate:
    """Proved statement on the change of the outputs, `|old(x) - new(x)|`, for every input x in the domain.

    Attributes:
        kind: "exact" (the outputs are equal, in real arithmetic on the weights as stored), "bounded" (no output
            changes by more than `bound`) or "unknown" (nothing is proved, or only for some of the outputs).
        reason: reason for the kind, as a clause.
        bound: upper bound on the change of any output; 0 when exact, None when unknown.
        bounds: upper bound on the change of each vertex of the output layers, by layer name; infinite where nothing
            is proved.
        rounding: whether the rounding of the stored weights explains the whole bound.
        layers: upper bound on the change of any vertex of a layer, by layer name, for the layers in which a vertex
            changes.
        domain: (lowest, highest) value of each input layer for which the statement holds, by layer name.
        assumptions: further conditions under which the statement holds, such as "batch norm in eval mode".
        stopped: places at which a change enters, the first few in topological order.
        measured: change on a probe batch, as evidence beside the proof, or None when it was not measured.
    """

    kind: Kind
    reason: str
    bound: float | None = None
    bounds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    rounding: bool = False
    layers: Mapping[str, float] = field(default_factory=dict)
    domain: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    measured: Measurement | None = None

    def __post_init__(self) -> None:
        for name in ("bounds", "layers", "domain"):
            object.__setattr__(self, name, FrozenDict(getattr(self, name)))

    @property
    def level(self) -> Level:
        """Level of the statement: the kind, or "exact up to rounding" for a bound that rounding explains."""
        return "exact up to rounding" if self.kind == "bounded" and self.rounding else self.kind

    @property
    def eval_only(self) -> bool:
        """Whether the statement holds in eval mode only, since a norm couples the samples of a batch in train mode."""
        return any(text.endswith(EVAL_MODE) for text in self.assumptions)

    def satisfies(self, required: Level | float | None) -> bool:
        """Whether the certificate is at least as strong as a required level or bound; True without a requirement."""
        if required is None:
            return True
        if isinstance(required, str):
            return LEVELS.index(self.level) <= LEVELS.index(required)
        return self.bound is not None and self.bound <= required

    def __str__(self) -> str:
        if self.kind == "exact":
            text = f"exact: no output changes, because {self.reason}"
        elif self.kind == "bounded":
            assert self.bound is not None
            most = f"{rounded_up(self.bound)}{self._share()}"
            text = f"{self.level}: no output changes by more than {most}, because {self.reason}"
        else:
            text = f"unknown: {self.reason}"
        if self.kind != "unknown" and self.domain:
            text += "; for " + ", ".join(f"{k} in {_interval(*v)}" for k, v in self.domain.items())
        if self.assumptions:
            text += "; provided " + " and ".join(self.assumptions)
        if self.stopped:
            text += "; changes enter at " + ", ".join(self.stopped)
        if self.measured is None:
            return text
        m = self.measured
        return f"{text}; measured {m.change:.2g} ({m.relative:.2g} of an output's range) on {m.samples:,} samples"

    def _repr_html_(self) -> str:
        """HTML table of the level, bound, reason, domain, assumptions, places of change and measurement."""
        rows: list[tuple[str, str]] = [("because" if self.kind != "unknown" else "why not more", self.reason)]
        if self.kind == "bounded":
            assert self.bound is not None
            rows.insert(0, ("no output changes by more than", f"{rounded_up(self.bound)}{self._share()}"))
        if self.kind != "unknown" and self.domain:
            rows.append(("for inputs", ", ".join(f"{k} in {_interval(*v)}" for k, v in self.domain.items())))
        rows += [("provided", " and ".join(self.assumptions))] if self.assumptions else []
        rows += [("changes enter at", ", ".join(self.stopped))] if self.stopped else []
        if (m := self.measured) is not None:
            evidence = f"{m.change:.2g} ({m.relative:.2g} of an output's range) on {m.samples:,} samples"
            rows.append(("measured", evidence))
        return Table("", ["certificate", self.level], rows).html()

    def brief(self) -> str:
        """Short text of level, bound, assumptions and measurement, relative to the output range where it is known."""
        text: str = self.level
        if self.kind == "bounded":
            assert self.bound is not None
            share = self.measured.bound if self.measured else None
            text += f", at most {rounded_up(self.bound)}" + (
                f" ({rounded_up(share)} of the range)" if share is not None else ""
            )
        if self.assumptions:
            text += ", " + ", ".join(self.assumptions)
        return text + (f"; measured {self.measured.relative:.1e} of the range" if self.measured else "")

    def _share(self) -> str:
        share = self.measured.bound if self.measured else None
        return f" ({rounded_up(share)} of its range)" if share is not None else ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a JSON file. Infinite numbers become strings, since JSON has no infinity."""
        return {
            "kind": self.kind,
            "reason": self.reason,
            "bound": self.bound,
            "bounds": {name: [_number(b) for b in values] for name, values in self.bounds.items()},
            "rounding": self.rounding,
            "layers": {name: _number(b) for name, b in self.layers.items()},
            "domain": {name: [_number(v) for v in pair] for name, pair in self.domain.items()},
            "assumptions": list(self.assumptions),
            "stopped": list(self.stopped),
            "measured": {name: _plain(v) for name, v in vars(self.measured).items()} if self.measured else None,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Certificate:
        """Build a certificate from the values that `to_json` returned; they must have the shape `CERTIFICATE_SHAPE`."""
        measured = values["measured"]
        bounds = {name: tuple(float(b) for b in own) for name, own in values["bounds"].items()}
        domain = {name: (float(low), float(high)) for name, (low, high) in values["domain"].items()}
        plain = {name: values[name] for name in ("kind", "reason", "bound", "rounding")}
        return cls(
            **plain,
            bounds=bounds,
            layers={name: float(b) for name, b in values["layers"].items()},
            domain=domain,
            assumptions=tuple(map(str, values["assumptions"])),
            stopped=tuple(map(str, values["stopped"])),
            measured=_measurement(measured) if measured else None,
        )


def _plain(value: float | None) -> float | int | str | None:
    return value if value is None or isinstance(value, int) else _number(value)


def _measurement(values: Mapping[str, Any]) -> Measurement:
    bound = values["bound"]
    return Measurement(
        float(values["change"]),
        float(values["relative"]),
        int(values["samples"]),
        None if bound is None else float(bound),
    )


def _number(value: float) -> float | str:
    return float(value) if math.isfinite(value) else str(float(value))


def rounded_up(value: float, digits: int = 3, form: Literal["g", "e"] = "g") -> str:
    """Text of a bound with a few digits, rounded up, so that the text is an upper bound too.

    Args:
        value: the bound, at least 0.
        digits: number of significant digits.
        form: "g" for the shorter of decimal and exponent notation, "e" for exponent notation.
    """
    style = f".{digits - (form == 'e')}{form}"
    text = format(value, style)
    if value == 0 or not math.isfinite(value) or float(text) >= value:
        return text
    step = 10.0 ** (math.floor(math.log10(value)) - digits + 1)
    return format(value + step / 2, style)


def _interval(low: float, high: float) -> str:
    return f"{'(' if math.isinf(low) else '['}{low:g}, {high:g}{')' if math.isinf(high) else ']'}"
