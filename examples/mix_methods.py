"""Grow one network by two methods: SENN adds layers and vertices while it is small, SSONN splits edges later on."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from compilers import lift
from compilers.training import NothingSelected, Rewritten, TrainingData, TrainSettings, begin, train
from netgraph.criteria import TopK
from netgraph.methods import Expand, Limits, Method, PruneToBudget, SennOptions, Split, Start, Thresholds, senn_start
from netgraph.methods.senn import SearchOptions
from netgraph.rules import SplitEdges
from netgraph.schedules import EveryEpochs
from netgraph.viz import draw


def main() -> None:
    # region mix
    x, y = load_digits(return_X_y=True)
    x_train, x_valid, y_train, y_valid = train_test_split(x / 16, y, test_size=0.25, stratify=y, random_state=0)
    data = TrainingData.from_arrays(x_train, y_train, x_valid, y_valid, task="classification")

    start = senn_start(SennOptions(widths="4"), Start(shape=(64,), outputs=10, domain=(0, 1), seed=0))
    expand = Expand(  # SENN, until half of the run is over
        thresholds=Thresholds(tau=0.02, alpha=1e-3, layer_cost=4.0),
        limits=Limits(max_width=24, max_layers=2),
        cooldown=3,
        until=0.5,
        at_once=4,
        search=SearchOptions(chains=20, steps=40),
        samples=512,
    )
    split = Split(  # SSONN, on whatever is there by then
        selection=TopK(40), trigger=EveryEpochs(18), rule=SplitEdges(cross="none", signed="pair"), expansions=1
    )
    prune = PruneToBudget(edges=900, start=0.7, end=0.9, scope="all")
    method = Method("senn, then ssonn", (expand, split, prune))
    # endregion mix

    grown: list[str] = []
    proofs: list[float] = []

    def report(event: object) -> None:
        if isinstance(event, Rewritten):
            print(f"epoch {event.epoch}: {event.proposal.reason}; {event.result.certificate.brief()}")
            if event.result.graph.num_edges > event.before.num_edges:
                grown.append(event.proposal.part)
                proofs.append(event.result.certificate.measured.relative)
        elif isinstance(event, NothingSelected) and event.proposal.part == "expand":
            print(f"epoch {event.epoch}: {event.proposal.reason}\n  {event.proposal.announcement}")

    settings = TrainSettings(epochs=30, batch_size=32, learning_rate=4e-3)
    state = train(begin(start, settings, data.device), data, settings, method, [report])
    network = lift(state.net)
    draw(network, detail="layers").save("mix_methods.svg")
    accuracy = state.history[-1]["val_accuracy"]
    print(f"{network!r}: validation accuracy {accuracy:.3f}")
    assert {"expand", "split"} <= set(grown)
    assert max(proofs) < 1e-6
    assert network.num_edges <= 900
    assert accuracy > 0.93


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
