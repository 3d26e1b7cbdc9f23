"""Grow a small network on the digits of scikit-learn, in Python instead of on the command line."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import netgraph as ng
from compilers import lift
from compilers.training import EpochEnded, Rewritten, TrainingData, TrainSettings, begin, evaluate, train
from netgraph.methods import SsonnOptions, ssonn


def main() -> None:
    # region grow
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x / 16, y, test_size=0.2, stratify=y, random_state=0)
    data = TrainingData.from_arrays(x_train[150:], y_train[150:], x_train[:150], y_train[:150], task="classification")

    start = ng.mlp([64, 10], domain=(0, 1))
    settings = TrainSettings(epochs=20, batch_size=32, learning_rate=4e-3)
    method = ssonn(start, SsonnOptions(expansions=1, plateau=0.2, final_edges=3_000, peak_edges=12_000))

    def report(event):
        if isinstance(event, Rewritten):
            print(f"epoch {event.epoch}: {event.result!r}, {event.result.certificate.kind}")
        elif isinstance(event, EpochEnded) and event.epoch % 5 == 0:
            print(f"epoch {event.epoch}: validation accuracy {event.metrics['val_accuracy']:.3f}")

    state = train(begin(start, settings, data.device), data, settings, method, [report])
    grown = lift(state.net)
    # endregion grow

    test = evaluate(state.net, torch.tensor(x_test, dtype=torch.float32), torch.tensor(y_test), "classification")
    ng.viz.draw(grown, detail="layers").save("grow_digits.svg")
    print(f"test accuracy {test['accuracy']:.3f} with {grown!r}")
    assert test["accuracy"] > 0.93
    assert grown.num_edges <= 3_000


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
