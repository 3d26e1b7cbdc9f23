"""All that records or transforms tensors is refused, and torch.compile runs a network as it is."""

import copy
import warnings
from contextlib import suppress

import pytest
import torch
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx

from compilers import lower
from netgraph.errors import CompileError
from netgraph.graph import mlp

X = torch.linspace(-1, 1, 32).reshape(8, 4)


def fresh(norm="none"):
    return lower(mlp([4, 6, 3], domain=(-1, 1), seed=1, norm=norm))


def warm():
    net = fresh()
    net(X).sum().backward()
    net.zero_grad()
    return net


def frozen(net):
    return net.requires_grad_(False)


def traced(net):
    return torch.jit.trace(net, X, check_trace=False)


RECORDERS = {
    "torch.jit.trace": traced,
    "torch.jit.trace with its check": lambda net: torch.jit.trace(net, X),
    "torch.jit.trace of a module": lambda net: torch.jit.trace_module(net, {"forward": X}),
    "torch.jit.trace around": lambda net: traced(torch.nn.Sequential(torch.nn.Linear(4, 4), net)),
    "torch.jit.trace without gradients": torch.no_grad()(traced),
    "torch.jit.trace of a derivative": lambda net: torch.jit.trace(lambda x: net.jvp(x)[0], X, check_trace=False),
    "torch.jit.script": torch.jit.script,
    "torch.jit.script around": lambda net: torch.jit.script(torch.nn.Sequential(net)),
    "torch.export": lambda net: torch.export.export(net, (X,)),
    "torch.export around": lambda net: torch.export.export(torch.nn.Sequential(net), (X,)),
    "torch.fx.symbolic_trace": torch.fx.symbolic_trace,
    "make_fx": lambda net: make_fx(net)(X),
    "make_fx without gradients": lambda net: torch.no_grad()(make_fx(net))(X),
}
TRANSFORMS = {
    "torch.func vmap": lambda net: torch.func.vmap(net)(X[:, None]),
    "torch.func vmap without gradients": lambda net: torch.no_grad()(torch.func.vmap(net))(X[:, None]),
    "torch.func jvp": lambda net: torch.func.jvp(net, (X,), (X,)),
    "torch.func jvp of a frozen net": lambda net: torch.func.jvp(frozen(net), (X,), (X,)),
    "torch.func jacrev": lambda net: torch.func.jacrev(net)(X),
    "torch.func grad": lambda net: torch.func.grad(
        lambda p: torch.func.functional_call(net, p, (X,)).sum()
    )(dict(net.named_parameters())),
    "forward-mode differentiation": lambda net: forward_mode(net, X),
    "forward-mode differentiation of a frozen net": lambda net: forward_mode(frozen(net), X),
}  # fmt: skip


def forward_mode(net, x):
    with forward_ad.dual_level():
        return net(forward_ad.make_dual(x, x))


@pytest.mark.filterwarnings("ignore")  # torch's own, of deprecation
@pytest.mark.parametrize("make", [fresh, warm])
@pytest.mark.parametrize("name", [*RECORDERS, *TRANSFORMS])
def test_a_network_is_neither_recorded_nor_transformed(name, make):
    net = make()
    expected = net(X).detach()
    what = " ".join(name.split()[:2]) if name.startswith("forward") else name.split()[0]
    remedy = r"to_module\(lift.*to_onnx\(lift" if name in RECORDERS else "net.jvp, net.vjp"
    with pytest.raises(CompileError, match=rf"{what}.*{remedy}"):
        {**RECORDERS, **TRANSFORMS}[name](net)
    assert torch.equal(net(X), expected)


@pytest.mark.filterwarnings("ignore")
def test_onnx_by_tracing_is_refused(tmp_path):
    with pytest.raises(CompileError, match=r"torch\.onnx\.export"):
        torch.onnx.export(fresh(), (X,), str(tmp_path / "net.onnx"), dynamo=False)
    assert not list(tmp_path.iterdir())


def trained(backend):
    """Weights after steps at two batch sizes, of a network between layers, and the outputs then."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), fresh(norm="batch"), torch.nn.Linear(3, 2))
    run = model if backend is None else torch.compile(model, backend=backend)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for size in (8, 8, 5):
        optimizer.zero_grad()
        run(X[:size]).square().mean().backward()
        optimizer.step()
    return [p.detach() for p in model.parameters()], run(X).detach(), model[1].running


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_around_it_trains_to_the_same_weights(backend):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (mine, outputs, running), (theirs, expected, same) = trained(backend), trained(None)
    torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(running, same)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [fresh, warm])
def test_compiled_by_itself_it_gives_the_same_values(make):
    net = make()
    found = torch.compile(net, backend="eager")(X)
    assert torch.equal(found, net(X))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [fresh, warm])
def test_compiled_whole_it_is_refused_by_torch_or_gives_the_same_values(make):
    net = make()
    # Torch may remember that it runs the network as it is; else it says that it cannot look inside.
    with suppress(torch._dynamo.exc.Unsupported):
        assert torch.equal(torch.compile(net, backend="eager", fullgraph=True)(X), net(X))
    assert torch.equal(torch.compile(net, backend="eager")(X), net(X))


def test_parameters_of_others_are_taken_where_there_is_no_transform():
    net, other = fresh(), fresh()
    with torch.no_grad():
        other.weights.mul_(2)
    found = torch.func.functional_call(net, dict(other.named_parameters()), (X,))
    assert torch.equal(found, other(X))


def test_a_copy_takes_along_what_a_user_put_on_a_network():
    net = fresh()
    net.register_buffer("scale", torch.ones(2))
    net.gain, net.head = torch.nn.Parameter(torch.ones(3)), torch.nn.Linear(3, 1)
    other = copy.deepcopy(net)
    for name in ("scale", "gain"):
        assert torch.equal(getattr(other, name), getattr(net, name))
        assert getattr(other, name) is not getattr(net, name)
    assert other.head.weight is not net.head.weight
    assert other.state_dict().keys() == net.state_dict().keys()


def test_replicas_have_buffers_of_their_own():
    net = fresh()
    replica = net._replicate_for_data_parallel()
    assert replica._executor is not net._executor
    net.request("edge_gradients")
    with pytest.raises(CompileError, match="DataParallel"):
        net._replicate_for_data_parallel()
