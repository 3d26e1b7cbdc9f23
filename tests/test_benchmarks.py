"""The benchmarks at tiny sizes: they run, peers compute what is said, and records hold what is in the tables."""

import importlib
import json
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import torch

import netgraph as ng
from benchmarks import (
    bottlenecks,
    common,
    conv,
    growth,
    growth_schedule,
    large,
    layers,
    natural,
    networks,
    peers,
    soundness,
    sparse,
    stages,
    static,
    statistics,
    steps,
    transformers,
)


@pytest.fixture(autouse=True)
def short_turns(monkeypatch):
    monkeypatch.setattr(common, "SECONDS_OF_A_TURN", 0.0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["scale", "proofs", "grown", "dyadic", "ssonn_ablation"])
def test_a_benchmark_can_be_imported(name):
    assert callable(importlib.import_module(f"benchmarks.{name}").main)


def test_no_difference_exceeds_its_bound():
    tally = soundness.Tally()
    soundness.run(60, 0, tally)
    assert tally.pairs >= 20
    assert {level for _, level in tally.levels} >= {"exact", "bounded"}
    assert 0 < tally.closest <= 1 + 1e-6


def test_planted_bottlenecks_are_counted_by_position():
    name = "first of three"
    runs = [bottlenecks.one("digits", 200, 1, name, seed) for seed in (0, 1)]
    places = list(bottlenecks.records(runs, name, 1))
    assert [place["planted"] for place in places] == ["yes", "", ""] * 3
    total = bottlenecks.total(runs, name, 1)
    for counted, suffix in (("found", ""), ("widened", "_widened")):
        times = [int(place[counted].split()[0]) for place in places]
        assert total["hits" + suffix] == pytest.approx(sum(times[::3]) / 6)
        assert total["others" + suffix] == pytest.approx((sum(times) - sum(times[::3])) / 12)


def test_grown_and_static_networks_end_with_the_same_architecture(tmp_path, monkeypatch):
    json_file = tmp_path / "static.json"
    options = ["--set=delta_acc=9", "--set=delta_stop=-9", "--set=window=1", "--set=until=0.7", f"--json={json_file}"]
    short = ["static", "digits", "--samples=200", "--epochs=4", "--seeds=1", "--only=level", "--jobs=1"]
    monkeypatch.setattr(sys, "argv", [*short, *options])
    static.main()
    one, everything = next(iter(json.loads(json_file.read_text())["tables"].values()))
    assert one["edges"] > one["start_edges"]
    assert {k: v for k, v in one.items() if k not in ("configuration", "start")}.items() <= everything.items()
    (run,) = map(json.loads, json_file.with_suffix(".runs.jsonl").read_text().splitlines())
    assert run["grown_flops"] < run["static_flops"]
    assert one["flops_ratio"] == pytest.approx(run["grown_flops"] / run["static_flops"])
    assert {growth["certificate"] for growth in run["growth"]} == {"exact"}
    static.main()  # has nothing left to run
    assert len(json_file.with_suffix(".runs.jsonl").read_text().splitlines()) == 1
    monkeypatch.setattr(sys, "argv", [*short, *options, "--set=tau=0.5"])
    static.main()  # other options are other runs
    assert len(json_file.with_suffix(".runs.jsonl").read_text().splitlines()) == 2


def test_without_gromo_the_benchmark_beside_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("sys.argv", ["peers"])
    monkeypatch.setattr(peers.metadata, "version", lambda name: (_ for _ in ()).throw(PackageNotFoundError(name)))
    with pytest.raises(SystemExit, match="make bench-peers"):
        peers.main()


def test_netgraph_networks_beside_gromo_are_as_large_as_those_of_torch_and_grow():
    for ours, theirs in ((peers.netgraph_stack, peers.torch_stack), (peers.netgraph_graph, peers.SkipNet)):
        assert sum(p.numel() for p in ours().parameters()) == sum(p.numel() for p in theirs().parameters())
    batch = torch.randn(4, 784), torch.randint(10, (4,))
    run = peers.Run.of(peers.netgraph_stack())
    run.step(batch)
    for grow in (partial(peers.netgraph_random, None), peers.netgraph_informed):
        before = run.net(batch[0])
        run = grow(run, [batch])
        torch.testing.assert_close(run.net(batch[0]), before)
        run.step(batch)
    assert [len(layer) for layer in run.net.graph.layers.values()] == [784, 320, 120, 10]


def test_competitors_are_called_in_turns():
    calls = []
    times = common.compare([lambda: calls.append("a"), lambda: calls.append("b")], rounds=2)
    assert times.shape == (2, 2)
    assert "".join(calls[-4:]) == "abba"
    assert common.ratio(np.array([1.0, 2.0, 9.0]), np.array([1.0, 4.0, 3.0])) == 1


def test_a_report_writes_the_records_of_its_tables(tmp_path, capsys):
    report = common.Report("name")
    columns = [common.Column("who", "who"), common.Column("edges", "edges", ","), common.Column("ms", "ms", ".2f")]
    report.add("title", columns, [{"who": "a", "edges": 12_345, "ms": 0.5}, {"who": "b", "ms": None}])
    report.finish(tmp_path / "sub" / "name.json")
    content = json.loads((tmp_path / "sub" / "name.json").read_text())
    assert content["tables"]["title"] == [{"who": "a", "edges": 12_345, "ms": 0.5}, {"who": "b", "ms": None}]
    assert {"benchmark", "date", "machine"} < content.keys()
    assert {"12,345", "0.50", "-"} < set(capsys.readouterr().out.split())


def test_the_ladders_are_those_of_the_readme():
    assert networks.ladder(100, 80).num_edges == 79_840
    assert networks.dense_like(networks.ladder(100, 80))[0] == "dense 784-101-10"


def test_steps():
    cases = [
        steps.ladder_case(4, 6, sublayers=2, inputs=12, masked=True),
        steps.plain_case([12, 5, 10]),
        *steps.grown_cases(1, 200, 150, inputs=12),
    ]
    records = [record for case in cases for record in steps.measure(case, 1, batch=4)]
    assert [r["peer"].split()[0] for r in records] == ["dense", "masked", "the", "dense", "dense"]
    assert records[0]["edges"] == 2 * 4 * 6 + 12 * 10 + 2 * 4 * 10


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
@pytest.mark.parametrize(
    ("make", "peers", "absent"),
    [
        (lambda d: layers.one_layer(16, d), layers.MATRIX_PEERS, "torch-sparse"),
        (lambda d: layers.one_convolution(3, 5, d), layers.CONVOLUTION_PEERS, None),
    ],
)
def test_layers(make, peers, absent, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_sparse", None)
    notes = []
    records = layers.measure(make, peers, (0.3, 1.0), 1, batch=4, note=notes.append)
    assert [(r["density"], r["input_gradients"]) for r in records] == [
        (d, k) for d in (0.3, 1.0) for k in ("no", "yes")
    ]
    headings = [column.heading for column in layers.columns(records, tuple(peers))]
    assert [f"{peer}, ms" in headings for peer in peers] == [peer != absent for peer in peers]
    assert len(notes) == (absent is not None)


@pytest.mark.filterwarnings("ignore")
def test_torch_sparse_is_a_peer_where_it_is_installed():
    pytest.importorskip("torch_sparse")
    peers = {"torch-sparse": layers.MATRIX_PEERS["torch-sparse"]}
    (record, _) = layers.measure(lambda d: layers.one_layer(16, d), peers, (0.3,), 1, batch=4)
    assert record["torch-sparse ms"] > 0


def test_a_slow_peer_is_left_out_from_there_on(monkeypatch):
    monkeypatch.setattr(layers, "SECONDS_AT_MOST", 0.0)
    notes = []
    peers = {"masked": layers.MATRIX_PEERS["masked"]}
    records = layers.measure(lambda d: layers.one_layer(8, d), peers, (0.5, 1.0), 1, batch=2, note=notes.append)
    assert not any("masked ms" in record for record in records)
    assert len(notes) == 1
    assert "from a density of 0.5 on" in notes[0]


@pytest.mark.parametrize("density", [1.0, 0.3])
def test_sparse(density):
    records = sparse.measure(density, 1, sizes=(12, 20, 16, 4), samples=30, batch=8)
    assert [record["measured"] for record in records] == ["steps", "epoch"]
    assert {record["edges"] for record in records} == {round(density * 12 * 20) + round(density * 20 * 16) + 16 * 4}
    for name in ("ours_s", "masked_s", "dense_s"):
        assert 0 < records[0][name] < records[1][name]


@pytest.mark.parametrize(
    ("graph", "peer"),
    [
        (ng.resnet(8, width=2, input_size=(3, 8, 8)), conv.resnet(8, 2)),
        (ng.vgg(11, width=1), conv.vgg(11, 1)),
    ],
)
def test_conv(graph, peer):
    record = conv.measure("name", graph, peer, 1, batch=2)
    assert record["parameters"] == graph.num_parameters


def test_growth_schedule():
    request = {
        "data": "digits", "model": "mlp", "budget": 1, "densities": (0.3,),
        "assignments": {"widths": "12,8", "start_density": "0.15"},
    }  # fmt: skip
    variants = {"a": {"every": "1"}, "b": {"every": "1", "ratio": "1000.0"}}
    results = [{"variant": v, "outcome": growth_schedule.one(request, o, 0)} for v, o in variants.items()]
    often, once = growth_schedule.summaries(results, variants)
    assert often["steps"] == often["epochs"] > once["steps"] == once["epochs"] == 1
    assert 0 < once["rough"] < often["rough"] < often["cost"]
    assert 0.1 < often["test"] < 1


def test_another_function_is_noticed():
    with pytest.raises(RuntimeError, match="Linear differs from the graph"):
        networks.check_same(torch.nn.Linear(4, 2), torch.nn.Linear(4, 2), torch.rand(3, 4))


def test_statistics():
    records = statistics.measure("name", networks.ladder(4, 6, sublayers=2, inputs=12), 1, batch=4)
    assert [record["statistic"] for record in records] == [label for label, _ in statistics.REQUESTS]


def test_growth():
    graph = networks.ladder(4, 6, sublayers=2, inputs=12)
    records, after = growth.measure(graph, 5, 1)
    assert after["none"] == graph.num_edges + 5 < after["selected"]
    assert {"lift", "migrate", "first step after", "whole, with the probe"} < {record["stage"] for record in records}


def test_natural():
    record = natural.measure((2, 3, 2), "rational", 6, 1)
    assert (record["parameters"], record["taken"]) == (26, "direct")
    assert record["iterations"] > 1
    assert {"adam_ms", "direct_ms", "cg_ms"} < record.keys()
    assert natural.measure((1, 2, 1), "relu", 3, 1)["batch"] == 3


def test_large():
    for case in (large.Case(12, 10, 120), large.Case(30, 20, 90)):
        records = large.measure(case, 1, batch=4)
        assert {record["edges"] for record in records} == {case.edges}
        assert [record["stage"] for record in records][-2:] == ["lift", "all"]


def test_stages():
    def build():
        return ng.gpt(7, tokens=4, width=8, depth=1, heads=2)

    batch = torch.randint(7, (2, 4)), torch.randint(7, (2, 4))
    records = stages.measure(stages.Model("tiny", build, lambda: batch, "block1.mlp"))
    assert [record["stage"] for record in records][-2:] == ["replay backwards", "undo"]
    assert {record["edges"] for record in records} == {build().num_edges}


def test_a_main_writes_its_file(tmp_path, monkeypatch):
    tiny = networks.ladder(4, 6, sublayers=2, inputs=12)
    monkeypatch.setattr(statistics, "ladder", lambda width, parents: tiny)
    statistics.main(["--rounds", "1", "--threads", "1", "--json", str(tmp_path / "s.json")])
    (records,) = json.loads((tmp_path / "s.json").read_text())["tables"].values()
    assert len(records) == 2 * len(statistics.REQUESTS)


@pytest.mark.parametrize("symbols", [0, 7])
def test_transformers(symbols):
    sizes = transformers.Sizes(batch=2, tokens=5, width=8, heads=2, depth=2, symbols=symbols)
    (record,) = transformers.measure("tiny", sizes, [1], 1)
    assert record["parameters"] < 2000
    assert 0 < record["torch_mb"] < 1
    assert 0 < record["ours_mb"] < 1
