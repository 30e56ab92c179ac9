"""Methods on feature maps, against values worked out by hand from their equations."""

import math

import pytest
import torch
from torch import nn, tensor

from spikewright.base.errors import InputError
from spikewright.distillation.base import BatchOutputs, NetworkShapes
from spikewright.distillation.features import to_unit
from spikewright.distillation.kdsnn import Blur, BlurredKD
from spikewright.distillation.methods import METHODS, parse_spec
from spikewright.distillation.regularizers import ActivationRegularization, SpikeCountPenalty
from spikewright.student.student import StudentOutput

# (T=2, B=2, C=2, 2, 2)
SPIKES = tensor(
    [
        [[[[1, 0], [0, 1]], [[0, 0], [1, 1]]], [[[0, 1], [0, 0]], [[0, 1], [0, 0]]]],
        [[[[1, 0], [0, 0]], [[0, 0], [1, 1]]], [[[1, 1], [0, 0]], [[0, 1], [1, 0]]]],
    ],
    dtype=torch.float32,
)
RATES = [[[[1, 0], [0, 0.5]], [[0, 0], [1, 1]]], [[[0.5, 1], [0, 0]], [[0, 1], [0.5, 0]]]]
COUNTS = [[2, 0, 2, 3], [1, 4, 1, 0]]  # of each pixel, over time and channels
VALUES = [[[[4.0, 0.0], [1.0, 2.0]], [[0.0, 0.5], [0.5, 0.0]]], [[[0.0, 2.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.25]]]]
SALIENCY = [[3.0, 0.0, 1.0, 6.0], [0.5, 2.0, 0.0, 0.0]]
LOGITS = [[2.0, 0.5, -1.0], [1.5, 1.0, 0.0]]
TEACHER = [[2.0, 0.0, -1.0], [0.0, 3.0, 1.0]]
LABELS = [0, 1]
ON_MAPS = ("samd", "samd:map=mean", "samd-nld", "bkd", "kdsnn:form=feature", "kdsnn:form=both", "hdkd")


def shown(text, spikes=None, values=VALUES, saliency=SALIENCY, logits=LOGITS, teacher=TEACHER):
    """A method and what it sees: one layer ``lif1`` beside one map ``stage1``, unless given otherwise."""
    spikes = {"lif1": SPIKES} if spikes is None else spikes
    values = values if isinstance(values, dict) else {"stage1": torch.as_tensor(values)}
    method = parse_spec("method", text, METHODS)
    steps = len(next(iter(spikes.values())))
    shapes = NetworkShapes(
        {name: tuple(trains.shape[2:]) for name, trains in spikes.items()},
        {name: tuple(value.shape[1:]) for name, value in values.items()},
        classes=3,
        timesteps=steps,
    )
    logits = torch.as_tensor(logits)
    asked = method.requested_values(shapes)
    torch.manual_seed(5)
    return method, BatchOutputs(
        tensor(LABELS),
        StudentOutput(logits * steps, logits, logits[None], {"encoder": torch.ones(steps, 2, 4), **spikes}, {}, logits),
        torch.as_tensor(teacher),
        teacher_features={name: values[name] for name in asked.features},
        teacher_saliency={name: torch.as_tensor(saliency).reshape(2, 2, 2) for name in asked.saliency},
        auxiliary=method.auxiliary(shapes),
    )


def terms_of(text, **given):
    method, batch_of = shown(text, **given)
    return {name: term.item() for name, term in method.terms(batch_of).items()}


def softmax(row, tau=1.0):
    powers = [math.exp(z / tau) for z in row]
    return [p / sum(powers) for p in powers]


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def ce(row, label):
    return -math.log(softmax(row)[label])


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def flat(nested):
    return [x for inner in nested for x in flat(inner)] if isinstance(nested, list) else [nested]


CE = mean(ce(row, y) for row, y in zip(LOGITS, LABELS, strict=True))


# Activation maps


def spread(maps, how):
    """Each map of pixels, normalised."""
    if how == "sample":
        return [[(x - min(m)) / (max(m) - min(m)) for x in m] for m in maps]
    low, high = min(flat(maps)), max(flat(maps))
    return [[(x - low) / (high - low + 1e-3) for x in m] for m in maps] if how == "batch" else maps


@pytest.mark.parametrize("how", ["sample", "batch", "none"])
@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("weights", ["grad-cam", "mean"])
def test_samd(how, squared, weights):
    channel_means = [[(first + second) / 2 for first, second in zip(*map(flat, maps), strict=True)] for maps in VALUES]
    teacher = spread(SALIENCY if weights == "grad-cam" else channel_means, how)
    student = spread(COUNTS, how)
    by_hand = mean(kl(softmax(a, 3), softmax(b, 3)) for a, b in zip(teacher, student, strict=True))
    options = f"beta=0.7,map_temperature=3,map_squared={squared},normalise={how},map={weights}"
    found = terms_of(f"samd:{options}")
    assert found == {
        "cross_entropy": pytest.approx(CE, rel=1e-5),
        "maps": pytest.approx(0.7 * (9 if squared else 1) * by_hand, rel=1e-4),
    }


def test_maps_of_a_teacher_that_are_larger_are_averaged():
    large = torch.arange(64.0).reshape(2, 2, 4, 4).sin().abs()
    small = [[large[b, :, i : i + 2, j : j + 2].mean().item() for i in (0, 2) for j in (0, 2)] for b in range(2)]
    by_hand = mean(
        kl(softmax(a, 2), softmax(b, 2)) for a, b in zip(spread(small, "sample"), spread(COUNTS, "sample"), strict=True)
    )
    found = terms_of("samd:map=mean,pairs=stage1:lif1", values={"stage1": large})
    assert found["maps"] == pytest.approx(4 * by_hand, rel=1e-4)


def test_what_speaks_against_is_not_looked_at():
    below = torch.as_tensor(VALUES).clone()
    assert not below[1, :, 1, 0].any()
    below[1, :, 1, 0] = -3.0
    assert terms_of("samd:map=mean", values=below) == terms_of("samd:map=mean")


@pytest.mark.parametrize("scaled", ["student", "teacher"])
def test_the_maps_of_a_sample_may_be_scaled_and_shifted(scaled):
    factors = tensor([3.0, 0.25])[:, None]
    spikes = {"lif1": SPIKES * factors[:, :, None, None] + 0.5} if scaled == "student" else None
    saliency = tensor(SALIENCY) * factors + 2 if scaled == "teacher" else SALIENCY
    before, after = terms_of("samd"), terms_of("samd", spikes=spikes, saliency=saliency)
    assert after["maps"] == pytest.approx(before["maps"], rel=1e-5)
    other = terms_of("samd:normalise=batch", spikes=spikes, saliency=saliency)
    assert other["maps"] != pytest.approx(terms_of("samd:normalise=batch")["maps"], rel=1e-2)


def test_equal_maps_teach_nothing():
    spikes = SPIKES.clone().requires_grad_()
    method, batch_of = shown("samd", spikes={"lif1": spikes}, saliency=tensor(COUNTS) * 0.3)
    loss = method.terms(batch_of)["maps"]
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert spikes.grad.abs().max() < 1e-6


def test_both_together_are_samd_and_nld():
    options = "beta=0.5,normalise=batch"
    found = terms_of(f"samd-nld:{options},gamma=0.9,temperature=3,noise=0.3,form=probabilities")
    assert found["maps"] == terms_of(f"samd:{options}")["maps"]
    torch.manual_seed(5)
    nld = parse_spec("method", "nld:gamma=0.9,temperature=3,noise=0.3,form=probabilities", METHODS)
    batch_of = shown("samd")[1]
    assert {name: found[name] for name in ("cross_entropy", "distillation")} == {
        name: term.item() for name, term in nld.terms(batch_of).items()
    }


# Blurred features


def restoring(batch_of, align=None):
    """Modules that hand on what they see: the rates, or what ``align`` makes of two channels."""
    for module in batch_of.auxiliary.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.bias)
            if module.in_channels == module.out_channels:
                nn.init.dirac_(module.weight)
            else:
                module.weight.data = tensor(align)[:, :, None, None]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("clip", [False, True])
def test_bkd_features(reduction, clip):
    method, batch_of = shown(f"bkd:alpha=0.6,ratio=0,clip={clip},reduction={reduction}")
    restoring(batch_of)
    factor = 1.0 / 4.0 if clip else 1.0  # the largest rate over the largest value
    squares = [(r - factor * f) ** 2 for r, f in zip(flat(RATES), flat(VALUES), strict=True)]
    by_hand = mean(squares) if reduction == "mean" else sum(squares) / 2
    assert method.terms(batch_of)["features"].item() == pytest.approx(0.6 * by_hand, rel=1e-5)


def test_bkd_gives_the_rates_the_channels_of_the_teacher():
    values = torch.rand(2, 3, 2, 2)
    method, batch_of = shown("bkd:alpha=1,ratio=0", values={"stage1": values})
    restoring(batch_of, align=[[1.0, 0.0], [0.5, 0.5], [0.0, 2.0]])
    first, second = tensor(RATES).unbind(1)
    by_hand = (torch.stack([first, (first + second) / 2, 2 * second], 1) - values).square().mean()
    assert method.terms(batch_of)["features"].item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_the_student_is_blurred_and_the_teacher_is_not():
    """Where all is blurred away, the restored map is zero and the teacher's stays what it is."""
    method, batch_of = shown("bkd:alpha=1,ratio=0.9999999")
    restoring(batch_of)
    by_hand = mean(f**2 for f in flat(VALUES))
    assert method.terms(batch_of)["features"].item() == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize(("blurred", "together"), [("channels", (2, 3)), ("pixels", (1,))])
def test_the_blur_takes_its_share_and_is_drawn_anew(blurred, together):
    torch.manual_seed(0)
    blur, maps = Blur(0.4, blurred), torch.ones(50, 40, 6, 6)
    first, second = blur(maps), blur(maps)
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert first.mean() == pytest.approx(0.6, abs=0.03)
    assert torch.equal(first.amin(together), first.amax(together))
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


def test_the_range_that_features_are_clipped_to_has_a_gradient():
    """Rates ((0.5, 1), (0.5, 0.5)) have the maximum m = 1, so the targets are (0.25 m, m), and the error is a quarter
    of the sum of (r - f)^2. By m it is (2 x 0.25 x -0.25 + 2 x 0.25 x -0.25 + 2 x -0.5 x -1) / 4 = 0.1875.
    """
    spikes = tensor([[0.5, 1.0], [0.5, 0.5]]).expand(2, 2, 2)[..., None, None].clone().requires_grad_()
    values = {"stage1": tensor([[2.0, 8.0]]).expand(2, 2)[..., None, None]}
    method, batch_of = shown("bkd:alpha=1,ratio=0,clip=true", spikes={"lif1": spikes}, values=values)
    restoring(batch_of)
    method.terms(batch_of)["features"].backward()
    first, second = spikes.grad[0].flatten(1).tolist()  # of one of the two steps, whose mean is the rate
    assert first == pytest.approx([2 * 0.25 / 4 / 2, 0.1875 / 2])
    assert second == pytest.approx([2 * 0.25 / 4 / 2, 2 * -0.5 / 4 / 2])


def test_features_are_clipped_to_the_aligned_rates():
    """Rates (0.5, 1) become (0.5, 0.75, 2), so values (1, 2, 4) are halved, and the second alone is off, by 0.25."""
    spikes = tensor([[0.5, 1.0]]).expand(2, 2, 2)[..., None, None]
    values = {"stage1": tensor([[1.0, 2.0, 4.0]]).expand(2, 3)[..., None, None]}
    method, batch_of = shown("bkd:alpha=1,ratio=0,clip=true", spikes={"lif1": spikes}, values=values)
    restoring(batch_of, align=[[1.0, 0.0], [0.5, 0.5], [0.0, 2.0]])
    assert method.terms(batch_of)["features"].item() == pytest.approx(0.25**2 / 3)


def test_what_is_blurred_away_clips_as_well():
    """The maximum is that before the blur: with all blurred away the error is that of the scaled values alone."""
    spikes = tensor([[0.5, 1.0]]).expand(2, 2, 2)[..., None, None]
    values = {"stage1": tensor([[2.0, 8.0]]).expand(2, 2)[..., None, None]}
    method, batch_of = shown("bkd:alpha=1,ratio=0.9999999,clip=true", spikes={"lif1": spikes}, values=values)
    restoring(batch_of)
    assert method.terms(batch_of)["features"].item() == pytest.approx((0.25**2 + 1) / 2)


def test_the_sum_of_the_code_is_the_mean_with_the_weight_that_its_text_says():
    """0.002 times the sum of a sample is 0.002 C H W times the mean: 12.5 for maps of 128 x 7 x 7."""
    assert 0.002 * 128 * 7 * 7 == pytest.approx(12.5, abs=0.05)
    assert BlurredKD().alpha / (0.002 * 128 * 7 * 7) == pytest.approx(0.4, abs=0.005)
    by_sum = terms_of("bkd:ratio=0,reduction=sum,alpha=0.002")["features"]
    by_mean = terms_of(f"bkd:ratio=0,alpha={0.002 * len(flat(VALUES)) / 2}")["features"]
    assert by_sum == pytest.approx(by_mean, rel=1e-5)


def test_features_below_one_are_clipped_to_the_rates_too():
    spikes = tensor([[0.5, 1.0]]).expand(2, 2, 2)[..., None, None]
    values = {"stage1": tensor([[0.125, 0.5]]).expand(2, 2)[..., None, None]}
    method, batch_of = shown("bkd:alpha=1,ratio=0,clip=true", spikes={"lif1": spikes}, values=values)
    restoring(batch_of)
    # The targets are 0.125 / 0.5 and 1, the rates 0.5 and 1.
    assert method.terms(batch_of)["features"].item() == pytest.approx(0.25**2 / 2)


def weights_by_hand():
    pairs = zip(LOGITS, TEACHER, LABELS, strict=True)
    return [1 - math.exp(-ce(z, y) / (ce(a, y) + 1e-7)) for z, a, y in pairs]


def test_bkd_soft_labels_weigh_more_where_the_student_is_behind():
    soft = [
        -sum(p * math.log(q) for p, q in zip(softmax(a, 3), softmax(z, 3), strict=True))
        for z, a in zip(LOGITS, TEACHER, strict=True)
    ]
    by_hand = 9 * mean(w * s for w, s in zip(weights_by_hand(), soft, strict=True))
    found = terms_of("bkd:weight=0.8,temperature=3")
    assert found["distillation"] == pytest.approx(0.8 * by_hand, rel=1e-5)
    assert found["cross_entropy"] == pytest.approx(CE, rel=1e-5)


def test_these_weights_are_constants():
    logits = tensor(LOGITS, requires_grad=True)
    method, batch_of = shown("bkd:temperature=3", logits=logits)
    method.terms(batch_of)["distillation"].backward()
    for found, z, a, w in zip(logits.grad.tolist(), LOGITS, TEACHER, weights_by_hand(), strict=True):
        p, q = softmax(a, 3), softmax(z, 3)
        assert found == pytest.approx([3 * w * (y - x) / 2 for x, y in zip(p, q, strict=True)], rel=1e-4)


# The teacher's range


def test_a_channel_is_divided_by_its_largest_value():
    found = to_unit(torch.as_tensor(VALUES), "max")
    assert found[:, 0].flatten().tolist() == [1, 0, 0.25, 0.5, 0, 0.5, 0, 0]
    assert found[:, 1].flatten().tolist() == [0, 0.5, 0.5, 0, 1, 0, 0, 0.25]
    assert torch.equal(to_unit(torch.as_tensor(VALUES), "none"), torch.as_tensor(VALUES))
    assert torch.equal(to_unit(torch.zeros(2, 1, 2, 2), "max"), torch.zeros(2, 1, 2, 2))


def test_a_channel_is_divided_by_its_percentile_and_cut_off():
    """0 ... 3999: 99.9 % of 4000 values are 0 ... 3995, so that 3995 becomes 1 and all above it too."""
    values = torch.arange(4000.0)[torch.randperm(4000, generator=torch.Generator().manual_seed(0))]
    second = torch.zeros(4000)
    second[0] = 5.0  # so rare that the percentile is 0
    maps = torch.stack([values, second], 1).reshape(10, 20, 20, 2).permute(0, 3, 1, 2)
    found = to_unit(maps, "percentile").permute(0, 2, 3, 1).reshape(4000, 2)
    assert torch.allclose(found[:, 0], (values / 3995).clamp(max=1))
    assert found[:, 1].tolist() == [1.0] + [0.0] * 3999


# KDSNN

UNIT = [[[[1.0, 0.0], [0.25, 0.5]], [[0.0, 0.5], [0.5, 0.0]]], [[[0.0, 0.5], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.25]]]]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_kdsnn_features(reduction):
    squares = [(r - f) ** 2 for r, f in zip(flat(RATES), flat(UNIT), strict=True)]
    by_hand = mean(squares) if reduction == "mean" else sum(squares) / 2
    options = f"feature_weight=0.3,reduction={reduction}"
    found = terms_of(f"kdsnn:form=feature,{options}")
    assert found == {
        "cross_entropy": pytest.approx(CE, rel=1e-5),
        "features": pytest.approx(0.3 * by_hand, rel=1e-5),
    }
    both = terms_of(f"kdsnn:form=both,alpha=0.8,temperature=2,{options}")
    assert both == {**terms_of("kd:alpha=0.8,temperature=2"), "features": found["features"]}
    raw = [(r - f) ** 2 for r, f in zip(flat(RATES), flat(VALUES), strict=True)]
    assert terms_of("kdsnn:form=feature,scale=none")["features"] == pytest.approx(mean(raw), rel=1e-5)


def test_layers_add_up_and_auto_takes_all_of_them():
    spikes = {"lif1": SPIKES, "lif2": SPIKES.flip(1)[:, :, :, :1, :1]}
    values = {"stage1": torch.as_tensor(VALUES), "stage2": torch.rand(2, 2, 1, 1)}
    whole = terms_of("kdsnn:form=feature", spikes=spikes, values=values)["features"]
    parts = [
        terms_of(f"kdsnn:form=feature,pairs={pair}", spikes=spikes, values=values)["features"]
        for pair in ("stage1:lif1", "stage2:lif2", "last")
    ]
    assert whole == pytest.approx(parts[0] + parts[1], rel=1e-5)
    assert parts[2] == parts[1] != parts[0]


@pytest.mark.parametrize("norm", [False, True])
def test_phi_is_a_convolution_where_channels_differ(norm):
    values = {"stage1": torch.rand(2, 3, 2, 2)}
    method, batch_of = shown(f"kdsnn:form=feature,scale=none,norm={norm}", values=values)
    (phi,) = batch_of.auxiliary.through
    convolution = phi[0] if norm else phi
    assert (convolution.weight.shape, convolution.bias is None) == ((3, 2, 1, 1), norm)
    learnt = torch.einsum("oc,bchw->bohw", convolution.weight[:, :, 0, 0], tensor(RATES))
    if norm:
        variance, average = torch.var_mean(learnt, (0, 2, 3), correction=0, keepdim=True)
        learnt = (learnt - average) / (variance + 1e-5).sqrt()
    else:
        learnt = learnt + convolution.bias[:, None, None]
    by_hand = (learnt - values["stage1"]).square().mean().item()
    assert method.terms(batch_of)["features"].item() == pytest.approx(by_hand, rel=1e-4)


# HDKD


@pytest.mark.parametrize(("reduction", "divisor"), [("batch", 1), ("numel", 3)])
def test_hdkd(reduction, divisor):
    """Two layers: the rates of the last of them make the heads differ."""
    last = tensor([[[1.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 1.0]]])  # (T=2, B=2, 2), rates 1, 0.5 and 0, 0.5
    options = f"alpha=0.4,temperature=2,weight=7,reduction={reduction}"
    method, batch_of = shown(f"hdkd:{options}", spikes={"lif1": SPIKES, "lif2": last})
    weight, bias = [[1.0, -1.0], [0.5, 2.0], [0.0, -0.5]], [0.1, -0.2, 0.3]
    batch_of.auxiliary.apart.weight.data, batch_of.auxiliary.apart.bias.data = tensor(weight), tensor(bias)
    apart = [
        [sum(w * r for w, r in zip(row, rates, strict=True)) + b for row, b in zip(weight, bias, strict=True)]
        for rates in ([1.0, 0.5], [0.0, 0.5])
    ]
    labels = [[z + d for z, d in zip(*both, strict=True)] for both in zip(LOGITS, apart, strict=True)]
    soft = [[z - d for z, d in zip(*both, strict=True)] for both in zip(LOGITS, apart, strict=True)]
    divergence = mean(kl(softmax(a, 2), softmax(z, 2)) for a, z in zip(TEACHER, soft, strict=True))
    squares = [(r - f) ** 2 for r, f in zip(flat(RATES), flat(UNIT), strict=True)]
    assert {name: term.item() for name, term in method.terms(batch_of).items()} == {
        "cross_entropy": pytest.approx(0.6 * mean(ce(z, y) for z, y in zip(labels, LABELS, strict=True)), rel=1e-5),
        "distillation": pytest.approx(0.4 * 4 * divergence / divisor, rel=1e-5),
        "features": pytest.approx(7 * mean(squares), rel=1e-5),
    }


def test_deeper_stages_weigh_more():
    spikes = {"lif1": SPIKES, "lif2": SPIKES.flip(1)[:, :, :, :1, :1]}
    values = {"stage1": torch.as_tensor(VALUES), "stage2": torch.rand(2, 2, 1, 1)}

    def features(options):
        return terms_of(f"hdkd:weight=1,{options}", spikes=spikes, values=values)["features"]

    first, second = features("pairs=stage1:lif1"), features("pairs=last")
    assert features("kappa=0") == pytest.approx(first + second, rel=1e-5)
    assert features("kappa=1") == pytest.approx(first + 2 * second, rel=1e-5)
    assert features("kappa=3") == pytest.approx(first + 8 * second, rel=1e-5)


def test_rates_that_are_the_maps_learn_nothing_from_them():
    spikes = SPIKES.clone().requires_grad_()
    for text in ("hdkd:scale=max", "kdsnn:form=feature,scale=max"):
        # Each channel's largest rate is 1, so that twice the rates become the rates.
        method, batch_of = shown(text, spikes={"lif1": spikes}, values={"stage1": 2 * tensor(RATES)})
        loss = method.terms(batch_of)["features"]
        loss.backward()
        assert loss.item() == 0
        assert not spikes.grad.any()


CONVNET = {"stage1": (32, 4, 4), "stage1.0": (32, 8, 8), "stage2": (64, 2, 2), "stage3": (128, 2, 2), "hidden": (128,)}


def student_of(width):
    return {"lif1": (width, 4, 4), "lif2": (2 * width, 2, 2), "lif3": (2 * width, 2, 2), "lif4": (8 * width,)}


def paired(text, student, teacher=CONVNET):
    shapes = NetworkShapes(student, teacher, 10, 4)
    method = parse_spec("method", text, METHODS)
    method.requested_values(shapes)
    return [f"{pair.teacher}:{pair.student}" for pair in method.auxiliary(shapes).pairs]


def test_hdkd_pairs_stages_of_one_shape():
    assert paired("hdkd", student_of(32)) == ["stage1:lif1", "stage2:lif2"]
    assert paired("hdkd:pairs=last", student_of(32)) == ["stage2:lif2"]
    assert paired("hdkd:pairs=stage1:lif1+stage2:lif3", student_of(32)) == ["stage1:lif1", "stage2:lif3"]
    # The deepest map of a size has other channels, one before it the teacher's.
    assert paired("hdkd", {"lif1": (128, 2, 2), "lif2": (8, 2, 2)}) == ["stage3:lif1"]
    assert paired("hdkd:project=conv", student_of(32)) == ["stage1:lif1", "stage2:lif2", "stage3:lif3"]
    assert paired("hdkd:project=conv", student_of(8)) == ["stage1:lif1", "stage2:lif2", "stage3:lif3"]


def test_the_last_hidden_layer_is_not_a_readout_that_fires():
    layers = {"lif1": (2, 4, 4), "lif2": (5,), "readout": (10,)}
    assert NetworkShapes(layers, {}, 10, 4, counts=True).hidden[-1] == "lif2"
    del layers["readout"]
    assert NetworkShapes(layers, {}, 10, 4).hidden[-1] == "lif2"


# All of them


@pytest.mark.parametrize("text", ON_MAPS)
def test_gradients_reach_the_student_and_not_the_teacher(text):
    spikes = SPIKES.clone().requires_grad_()
    values, saliency = torch.tensor(VALUES, requires_grad=True), torch.tensor(SALIENCY, requires_grad=True)
    method, batch_of = shown(text, spikes={"lif1": spikes}, values=values, saliency=saliency)
    name = "maps" if text.startswith("samd") else "features"
    method.terms(batch_of)[name].backward()
    assert values.grad is None and saliency.grad is None
    assert torch.isfinite(spikes.grad).all() and spikes.grad.any()


@pytest.mark.parametrize("text", ON_MAPS)
def test_silence_is_no_trouble(text):
    """A student that never spikes, a teacher's map that is zero: finite losses, and a way out for the student."""
    spikes = torch.zeros_like(SPIKES).requires_grad_()
    method, batch_of = shown(text, spikes={"lif1": spikes}, saliency=tensor(SALIENCY))
    sum(method.terms(batch_of).values()).backward()
    assert 0 < spikes.grad.abs().max() < 10
    dark = shown(text, values=torch.zeros(2, 2, 2, 2), saliency=torch.zeros(2, 4))
    assert all(torch.isfinite(term) for term in dark[0].terms(dark[1]).values())


@pytest.mark.parametrize("text", ["bkd:", "kdsnn:form=feature,", "hdkd:project=conv,"])
def test_vectors_can_be_paired_by_name(text):
    spikes = {"lif1": SPIKES.flatten(2)[:, :, :3]}
    method, batch_of = shown(f"{text}pairs=hidden:lif1", spikes=spikes, values={"hidden": torch.rand(2, 5)})
    assert all(torch.isfinite(term) for term in method.terms(batch_of).values())
    assert not any(isinstance(m, nn.Conv2d) and m.kernel_size != (1, 1) for m in batch_of.auxiliary.modules())


@pytest.mark.parametrize("text", ["bkd", "kdsnn:form=feature", "hdkd"])
def test_values_from_before_a_rectification_are_rectified(text):
    negative = [tensor(VALUES), tensor(VALUES) - 9.0 * (tensor(VALUES) == 0)]
    rectified, raw = (terms_of(text, values={"stage1": values}) for values in negative)
    assert rectified == raw


LISTED = "stage1 32 x 4 x 4, stage2 64 x 2 x 2, stage3 128 x 2 x 2, hidden 128"
LAYERS = "lif1 8 x 4 x 4, lif2 16 x 2 x 2, lif3 16 x 2 x 2, lif4 64"


@pytest.mark.parametrize(
    ("text", "student", "message"),
    [
        (
            "samd-nld",
            {"lif1": (8,), "lif2": (8,)},
            f"method samd-nld: no map of the teacher ({LISTED}) of more than one pixel has the height and width of a "
            "layer of the student (lif1 8, lif2 8); name the pairs with pairs=VALUE:LAYER",
        ),
        (
            "samd:pairs=hidden:lif4",
            student_of(8),
            "method samd: hidden 128 and lif4 64 are maps of a single pixel; choose larger maps",
        ),
        (
            "hdkd",
            student_of(8),
            f"method hdkd: no map of the teacher ({LISTED}) has the channels, height and width of a layer of the "
            f"student ({LAYERS}); give the student the teacher's channels with width, or let it learn through "
            "convolutions with project=conv",
        ),
        (
            "hdkd:pairs=stage1:lif1",
            student_of(8),
            "method hdkd: stage1 32 x 4 x 4 and lif1 8 x 4 x 4 are not of one shape; give the student the teacher's "
            "channels with width, or let it learn through convolutions with project=conv",
        ),
        (
            "hdkd",
            {"lif1": (8,)},
            f"method hdkd: no map of the teacher ({LISTED}) has the height and width of a layer of the student "
            "(lif1 8); name the pairs with pairs=VALUE:LAYER",
        ),
        (
            "bkd:pairs=stage1:encoder",
            student_of(8),
            "method bkd: the student has no 'encoder'; may be: lif1, lif2, lif3, lif4",
        ),
    ],
)
def test_refusals(text, student, message):
    with pytest.raises(InputError) as refusal:
        paired(text, student)
    assert str(refusal.value) == message


def test_samd_looks_at_the_deepest_maps_of_several_pixels():
    teacher = {**CONVNET, "stage3": (128, 1, 1)}
    student = {**student_of(8), "lif3": (16, 1, 1)}
    assert paired("samd", student, teacher) == ["stage2:lif2"]
    assert paired("samd:pairs=auto", student, teacher) == ["stage1:lif1", "stage2:lif2"]
    assert paired("bkd", student, teacher) == ["stage3:lif3"]


def test_without_its_modules_a_method_says_so():
    method, batch_of = shown("bkd")
    object.__setattr__(batch_of, "auxiliary", None)
    with pytest.raises(ValueError, match=r"needs the modules that its auxiliary\(\) makes"):
        method.terms(batch_of)


@pytest.mark.parametrize("penalty", [ActivationRegularization(), SpikeCountPenalty()], ids=lambda each: each.title)
def test_layers_that_are_not_trained_cost_nothing(penalty):
    _, batch = shown("samd", spikes={"lif1": torch.ones(2, 2, 2, 2, 2)})
    assert [float(value) for value in penalty.terms(batch).values()] == [0.0]
    _, batch = shown("samd", spikes={"lif1": torch.ones(2, 2, 2, 2, 2, requires_grad=True)})
    assert [float(value) > 0 for value in penalty.terms(batch).values()] == [True]


def test_maps_of_one_pixel_say_nothing_where_and_are_refused():
    spikes, values = {"lif1": torch.ones(2, 2, 2, 1, 1)}, {"stage1": torch.ones(2, 2, 1, 1)}
    with pytest.raises(InputError, match="are maps of a single pixel; choose larger maps"):
        shown("samd:pairs=stage1:lif1", spikes=spikes, values=values)
