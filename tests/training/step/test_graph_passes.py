"""Every pass over the graph of a step against the step as traced: the same bits, or the rounding that the pass tells of."""

from functools import cache
from itertools import chain

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from stabaudit.config import Choice, RunConfig, Training
from stabaudit.errors import UsageError
from stabaudit.families.base import Family
from stabaudit.training.build import builder
from stabaudit.training.step import graph_passes as passes
from stabaudit.training.step import memory_passes as placement
from stabaudit.training.step.matmul import Products, choose_products
from stabaudit.training.step.operations import changes_something
from stabaudit.training.step.restarts import Restarts, Rows
from stabaudit.training.step.trace import Inputs, trace

pytestmark = pytest.mark.slow

aten = torch.ops.aten
B = 32


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Traced:
    """A step as traced, the tensors that it takes, and what it gives."""

    def __init__(self, family, architecture, options, seeds, shape=(6,)):
        config = RunConfig(
            family=Choice(name=family),
            dataset=Choice(name="made"),
            architecture=Choice(name=architecture, options=options),
            likelihood=Choice(name="gaussian"),
            latent_dim=3,
            restarts=1,
            training=Training(epochs=1, batch_size=B),
        )
        generator = torch.Generator().manual_seed(0)
        rows = Rows(torch.randn(64, *shape, generator=generator), torch.rand(64, 2, generator=generator))
        self.restarts = Restarts(builder(config, shape, 2, 64), seeds, rows, config.training)
        self.restarts._noise.draw(1)
        x, u = (of[:B].expand(len(seeds), *of[:B].shape).contiguous() for of in (rows.x, rows.u))
        if len(seeds) == 1:
            x, u = x[0], u[0]
        self.inputs = Inputs(x, u, self.restarts._noise.step(0), torch.tensor(0.5))
        self.parameters = self.restarts._as_stepped(self.restarts._parameters)
        self.buffers = self.restarts._as_stepped(self.restarts._buffers)
        self.expected = self.run(self.module())

    @property
    def state(self):
        return [*self.parameters.values(), *self.buffers.values()]

    def module(self):
        """The step, traced anew."""
        r = self.restarts
        return trace(r.family.train(), r.terms, self.parameters, self.buffers, self.inputs, grouped=len(r) > 1)

    def run(self, module):
        """Gradients, loss terms and buffers after a step with the traced step's arguments; parameters and buffers stay."""
        state = [torch.empty_strided(t.shape, t.stride(), dtype=t.dtype).copy_(t) for t in self.state]
        module.recompile()
        return [*module(*state, *self.inputs.flat()), *state[len(self.parameters) :]]

    def bound(self, module):
        """Tensors that stay in memory by placeholder, and those of them that nobody changes."""
        graph = module.graph
        bound = dict(zip(graph.find_nodes(op="placeholder"), self.state, strict=False))
        made = {node: getattr(module, node.target) for node in graph.find_nodes(op="get_attr")}
        unchanging = made | dict(list(bound.items())[len(self.parameters) :])
        return bound | unchanging, unchanging.keys()


CASES = {
    "vae": ("vae", "mlp", {"widths": [16, 12], "dropout": 0.2}, [1, 2]),
    "vae alone": ("vae", "mlp", {"widths": [16, 12], "dropout": 0.2}, [1]),
    "ivae": ("ivae", "mlp", {"widths": [16, 12], "activation": "elu"}, [1, 2, 3]),
    "vade": ("vade", "mlp", {"widths": [16]}, [1, 2]),
    "conv alone": ("vae", "conv", {"channels": [3, 4, 5, 6]}, [1], (1, 8, 8)),
}
WIDE = ("vae", "mlp", {"widths": [300, 300], "dropout": 0.0}, [1])  # its products are large


@cache
def traced(name):
    return Traced(*CASES[name])


@pytest.fixture(params=CASES)
def case(request):
    return traced(request.param)


def targets(graph):
    return [node.target for node in graph.nodes if node.op == "call_function"]


def same(found, expected):
    return len(found) == len(expected) and all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_traced_step_is_the_step(case):
    """torch.autograd on the same family, batch and noise, restart by restart."""
    from torch.func import functional_call

    from stabaudit.families.base import Batch
    from stabaudit.training.step.noise import Replay

    r = case.restarts
    for row in range(len(r)):
        parameters = {name: value[row].clone().requires_grad_() for name, value in r._parameters.items()}
        buffers = {name: value[row].clone() for name, value in r._buffers.items()}
        x, u, *noise, progress = case.inputs.flat()
        if len(r) > 1:
            x, u, noise = x[row], u[row], [n[row] for n in noise]
        values = functional_call(r.family.train(), (parameters, buffers), (Batch(x, u, Replay(noise), progress),))
        gradients = torch.autograd.grad(values["loss"], list(parameters.values()))
        expected = [*gradients, torch.stack([values[name].detach() for name in r.terms]), *buffers.values()]
        found = [of if len(r) == 1 else of[row] for of in case.expected]
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_dropping_copies_keeps_the_bits(case):
    module = case.module()
    before = len(module.graph.nodes)
    passes.drop_copies(module.graph)
    assert len(module.graph.nodes) < 0.9 * before
    assert same(case.run(module), case.expected)


@pytest.mark.parametrize("name", ["vae", "ivae", "vade"])
def test_adding_the_bias_in_the_product_rounds_once_less(name):
    case = traced(name)
    module = case.module()
    passes.drop_copies(module.graph)  # views stand between the two before
    before = targets(module.graph)
    passes.add_bias_in_product(module.graph)
    after = targets(module.graph)
    fused = after.count(aten.baddbmm.default)
    assert fused >= 4
    assert before.count(aten.bmm.default) - after.count(aten.bmm.default) == fused
    for a, b in zip(case.run(module), case.expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "operation", "place"),
    [
        ("vae", aten.leaky_relu_backward.default, 3),
        ("ivae", aten.elu_backward.default, 4),
        ("conv alone", aten.elu_backward.default, 4),
    ],
)
def test_reading_results_changes_the_slope_of_elu_by_its_rounding(name, operation, place):
    case = traced(name)
    module = case.module()
    passes.read_results(module.graph)
    nodes = [node for node in module.graph.nodes if node.target is operation]
    assert nodes
    assert all(node.args[place] is True for node in nodes)
    found = case.run(module)
    if operation is aten.leaky_relu_backward.default:
        assert same(found, case.expected)
    for a, b in zip(found, case.expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_folding_keeps_the_bits(case):
    module = case.module()
    before = len(targets(module.graph))
    known = passes.fold(module.graph, *case.bound(module))
    assert len(targets(module.graph)) < before
    module.recompile()
    kept = [buffer.clone() for buffer in case.buffers.values()]
    try:
        found = [*module(*known, *case.inputs.flat()), *(buffer.clone() for buffer in case.buffers.values())]
    finally:
        for buffer, value in zip(case.buffers.values(), kept, strict=True):
            buffer.copy_(value)
    assert same(found, case.expected)


def test_merging_equal_operations_keeps_the_bits(case):
    module = case.module()
    before = len(targets(module.graph))
    passes.merge_equal(module.graph)
    assert len(targets(module.graph)) < before
    assert same(case.run(module), case.expected)


def test_numbers_as_tensors_keep_the_bits(case):
    module = case.module()
    known = [*case.state, *case.inputs.flat()]
    count = len(known)
    passes.numbers_as_tensors(module.graph, known)
    assert len(known) > count
    assert same(case.run(Appended(module, known[count:])), case.expected)


class Appended:
    """A module with arguments of its own after the others."""

    def __init__(self, module, added):
        self.module, self.added = module, added
        self.recompile = module.recompile

    def __call__(self, *tensors):
        return self.module(*tensors, *self.added)


def test_matching_layouts_gives_gradients_the_strides_of_their_parameters_and_keeps_the_bits(case):
    module = case.module()
    parameters = list(case.parameters.values())
    placement.match_layout(module.graph, parameters)
    found = case.run(module)
    assert same(found, case.expected)
    for gradient, parameter in zip(found, parameters, strict=False):
        # What torch's fused Adam insists on for CUDA (ATen/native/ForeachUtils.h): sizes, and strides of more than one place.
        assert gradient.shape == parameter.shape
        assert placement.strides_of(gradient) == placement.strides_of(parameter)


def test_the_optimiser_updates_blocks_of_the_shape_of_their_gradients(case):
    blocks = [block[0] for block in case.restarts._adam._blocks]
    assert [block.shape for block in blocks] == [parameter.shape for parameter in case.parameters.values()]
    assert [block.data_ptr() for block in blocks] == [parameter.data_ptr() for parameter in case.parameters.values()]


def test_writing_over_arguments_keeps_the_bits(case):
    module = case.module()
    before = sum(map(changes_something, module.graph.nodes))
    placement.write_over(module.graph)
    assert sum(map(changes_something, module.graph.nodes)) > before
    arguments = [t.clone() for t in case.inputs.flat()]
    assert same(case.run(module), case.expected)
    assert same(case.inputs.flat(), arguments)


def test_torchs_own_bindings_keep_the_bits(case):
    module = case.module()
    passes.bind_kernels(module.graph)
    assert not any(isinstance(t, torch._ops.OpOverload) and "bmm" in str(t) for t in targets(module.graph))
    assert same(case.run(module), case.expected)


@pytest.mark.parametrize("together", [0, 2**19])
def test_early_updates_are_those_of_the_end(case, monkeypatch, together):
    """Plain gradient descent, in place: nobody may read a weight that has been updated."""
    monkeypatch.setattr(placement, "UPDATED_TOGETHER", together)
    module = case.module()
    parameters = [p.clone(memory_format=torch.preserve_format) for p in case.parameters.values()]
    calls = []

    def update(numbers, gradients):
        calls.append(list(numbers))
        for number, gradient in zip(numbers, gradients, strict=True):
            parameters[number].sub_(gradient, alpha=0.1)

    buffers = [buffer.clone() for buffer in case.buffers.values()]
    placement.update_early(module.graph, [*parameters, *buffers], parameters, update)
    module.recompile()
    terms = module(*parameters, *buffers, *case.inputs.flat())
    count = len(parameters)
    assert torch.equal(terms[0] if isinstance(terms, tuple) else terms, case.expected[count])
    assert sorted(chain(*calls)) == list(range(count))
    assert (len(calls) == 1) == (together == 2**19 and sum(p.nbytes for p in parameters) < 2**19)
    for updated, before, gradient in zip(parameters, case.parameters.values(), case.expected, strict=False):
        assert torch.equal(updated, before.clone().sub_(gradient, alpha=0.1))


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch has no oneDNN here")
@pytest.mark.parametrize(("products", "tolerance"), [(Products("onednn"), 1e-5), (Products(precision="bf16"), 3e-2)])
def test_other_products_give_the_same_within_their_rounding(products, tolerance):
    case = Traced(*WIDE)
    module = case.module()
    passes.drop_copies(module.graph)
    before = targets(module.graph)
    choose_products(module.graph, products)
    assert targets(module.graph) != before
    found = case.run(module)
    for a, b in zip(found, case.expected, strict=True):
        assert a.dtype == b.dtype
        assert (a - b).norm() <= tolerance * b.norm()
    if products.precision == "bf16":  # it does round
        assert any((a - b).norm() > 1e-4 * b.norm() for a, b in zip(found, case.expected, strict=True))


# ----------------------------------------------------------------------------------------------- graphs that no family has so far


def through(function, *tensors, by):
    """A function's results on tensors as they are and after passes; tensors are cloned before each."""
    module = make_fx(function)(*(t.clone() for t in tensors))
    expected = module(*(t.clone() for t in tensors))
    for each in by:
        each(module.graph)
    module.recompile()
    return module, module(*(t.clone() for t in tensors)), expected


def test_a_neutral_copy_of_what_is_written_later_stays():
    def function(running):
        before = running * 1
        running.add_(2)
        return before + running

    _, found, expected = through(function, torch.ones(3), by=[passes.drop_copies, passes.merge_equal])
    assert torch.equal(found, expected)
    assert found.tolist() == [4, 4, 4]


def test_a_product_with_what_is_written_later_stays_where_it_is():
    def function(a, b, bias):
        product = torch.bmm(a, b)
        a.zero_()
        return bias + product

    module, found, expected = through(
        function, torch.ones(2, 3, 4), torch.ones(2, 4, 5), torch.ones(2, 1, 5), by=[passes.add_bias_in_product]
    )
    assert torch.equal(found, expected)
    assert aten.bmm.default in targets(module.graph)


def test_a_result_that_is_written_over_is_not_read():
    def function(x):
        y = aten.leaky_relu(x, 0.1)
        slope = aten.leaky_relu_backward(torch.ones_like(x), x, 0.1, False)
        y.fill_(1)
        return y, slope, aten.leaky_relu_backward(torch.ones_like(x), x, 0.1, False)

    module, found, expected = through(function, torch.tensor([-1.0, 1.0]), by=[passes.read_results])
    assert same(found, expected)
    assert all(node.args[3] is False for node in module.graph.nodes if node.target is aten.leaky_relu_backward.default)


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b, bias: torch.addmm(bias, a, b, alpha=0.5),
        lambda a, b, _: torch.addmm(a @ b, a, b),
        lambda a, b, _: torch.mm(a.double(), b.double()),
    ],
    ids=["scaled", "a bias for every row", "float64"],
)
@pytest.mark.parametrize("products", [Products("onednn"), Products(precision="bf16")], ids=str)
def test_only_linear_layers_go_to_onednn_and_float64_stays(function, products):
    a, b, bias = (torch.randn(*shape, generator=torch.Generator().manual_seed(1)) for shape in ((128, 128), (128, 128), (128,)))
    _, found, expected = through(function, a, b, bias, by=[lambda graph: choose_products(graph, products)])
    assert found.dtype == expected.dtype
    assert (found - expected).norm() <= (1e-2 if products.precision == "bf16" else 1e-6) * expected.norm()
    if found.dtype == torch.float64:
        assert torch.equal(found, expected)


@pytest.mark.parametrize("seeds", [[1], [1, 2]])
def test_a_family_with_random_numbers_of_its_own_is_refused(seeds):
    """Folding would draw them once, merging would make two draws one, and no seed decides them."""

    class Careless(Family):
        def __init__(self):
            super().__init__()
            self.shift = torch.nn.Parameter(torch.zeros(6))

        def loss(self, batch):
            return {"loss": (batch.x + self.shift + torch.randn(6)).square().mean()}

        def encode(self, x, u):
            raise NotImplementedError

    rows = Rows(torch.ones(64, 6), torch.zeros(64, 0))
    restarts = Restarts(Careless, seeds, rows, Training(steps=1, batch_size=B))
    with pytest.raises(UsageError, match=r"the loss of family 'Careless' draws random numbers of its own by aten\.randn"):
        restarts.train_epoch()
