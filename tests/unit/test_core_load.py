"""What each core does, how far messages go, and the map of them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from spikewright.chip.activity import Activity, PopulationActivity
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.pages import cores
from spikewright.pages.pictures import core_pictures
from spikewright.pages.pricing import report
from spikewright.placing.core_load import core_loads, route_traffic
from spikewright.placing.placement import place
from spikewright.profile.profile import load_profile

STEPS = 3


def neuron(shape):
    return Neuron(4095, 0, 100, np.zeros(shape, dtype=np.int64), 6)


def network():
    """Convolution 1 -> 2 channels on 4 x 4, kernel 3 with a border, then 32 -> 6 dense."""
    populations = (
        Population("in", (1, 4, 4), "input", None),
        Population("conv", (2, 4, 4), "hidden", neuron((2, 4, 4))),
        Population("out", (6,), "readout", neuron((6,))),
    )
    kernel = Connection("in", "conv", np.ones((2, 1, 3, 3), dtype=np.int64), conv=ConvGeometry(padding=(1, 1)))
    dense = Connection("conv", "out", np.ones((6, 32), dtype=np.int64))
    return ChipNetwork(populations, (kernel, dense), STEPS, "events", "count", "loihi1-davies", "")


def activity():
    """Two samples: the corner pixel spikes four times, one inner pixel twice; three neurons of channel 0 twice each."""
    pixels = np.zeros((1, 4, 4), dtype=np.int64)
    pixels[0, 0, 0], pixels[0, 1, 1] = 4, 2
    hidden = np.zeros((2, 4, 4), dtype=np.int64)
    hidden[0, 0, :3] = 2
    operations = {"in->conv": 4 * 4 * 2 + 2 * 9 * 2, "conv->out": 6 * 6}  # 2 x 2 and 3 x 3 pixels, both channels
    populations = {
        "in": PopulationActivity(pixels, 0, 0),
        "conv": PopulationActivity(hidden, 2 * STEPS * 32, 2 * STEPS * 32),
        "out": PopulationActivity(np.zeros(6, dtype=np.int64), 2 * STEPS * 6, 0),
    }
    return Activity(populations, operations, 2, STEPS, "integer")


def profile(tmp_path, neurons, cores=128):
    from spikewright.base.resources import profiles_dir

    text = (profiles_dir() / "loihi1-davies.toml").read_text(encoding="utf-8")
    text = text.replace("neurons_per_core = 1024", f"neurons_per_core = {neurons}")
    text = text.replace("cores = 128", f"cores = {cores}")
    (tmp_path / "small.toml").write_text(text, encoding="utf-8")
    return load_profile(tmp_path / "small.toml")


@pytest.mark.parametrize("neurons", [1024, 16, 5, 1])
def test_loads_add_up_to_the_counts(tmp_path, neurons):
    chip, counted = network(), activity()
    loads = core_loads(counted, place(chip, profile(tmp_path, neurons)))
    assert sum(load.synaptic_ops for load in loads) == pytest.approx((68 + 36) / 2)
    assert sum(load.updates for load in loads) == STEPS * (32 + 6)
    held = {}
    for load in loads:
        for name, size in load.compartments.items():
            held[name] = held.get(name, 0) + size
    assert held == {"conv": 32, "out": 6}


def test_a_core_with_the_upper_half_does_what_arrives_there(tmp_path):
    """Rows 0 and 1 hear the corner (4 synapses a channel) and 6 of the inner pixel's 9; rows 2 and 3 its other 3."""
    chip = network()
    loads = core_loads(activity(), place(chip, profile(tmp_path, 16)))
    upper, lower = (2 * 8 + 1 * 12, 1 * 6)
    assert sorted((load.main, load.synaptic_ops, load.updates) for load in loads) == [
        ("conv", lower, 48.0), ("conv", upper, 48.0), ("out", 18.0, 18.0),
    ]  # fmt: skip
    assert {load.work for load in loads} == {upper + 48.0, lower + 48.0, 36.0}


def test_messages_go_once_to_each_core_and_as_far_as_it_lies(tmp_path):
    """Three spikes an inference to the core of the readout; two of the corner to one core, one inner to two."""
    chip, small = network(), profile(tmp_path, 16)
    placement = place(chip, small)
    injected, sent = route_traffic(activity(), placement)
    assert (injected.messages, injected.hops, injected.crossings, injected.mean_hops) == (4.0, None, None, None)
    of = {site.population: placement.position(site.core) for site in placement.sites}
    first = placement.position(placement.sites_of("conv")[0].core)
    distance = abs(first[0] - of["out"][0]) + abs(first[1] - of["out"][1])
    assert (sent.messages, sent.hops, sent.crossings) == (3.0, 3.0 * distance, 0.0)
    assert sent.mean_hops == distance


def test_no_cores_no_loads():
    priced = report(activity(), network(), "cmos45")
    assert (priced.cores, priced.ways) == ((), ())
    assert list(core_pictures(priced)) == []


def texts(svg):
    root = ElementTree.fromstring(svg)
    return [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_a_small_map_says_letters_and_work(tmp_path):
    priced = report(activity(), network(), profile(tmp_path, 16))
    (picture,) = core_pictures(priced)
    shown = texts(picture.svg)
    assert [shown.count(word) for word in ("A", "76", "54", "B", "36")] == [2, 1, 1, 1, 1]
    assert "A, conv, on tiles " in picture.alt
    assert "(conv)" in picture.alt
    assert "with 76 operations and updates" in picture.alt


def test_a_large_map_says_tenths_of_the_busiest(tmp_path):
    """38 neurons on as many cores, over more columns than have room for a number."""
    text = (tmp_path / "small.toml", profile(tmp_path, 1))[0].read_text(encoding="utf-8")
    text = (
        text.replace("rows = 4", "rows = 1").replace("columns = 8", "columns = 64").replace("cores = 128", "cores = 64")
    )
    (tmp_path / "wide.toml").write_text(text.replace("cores_per_tile = 4", "cores_per_tile = 1"), encoding="utf-8")
    priced = report(activity(), network(), load_profile(tmp_path / "wide.toml"))
    (picture,) = core_pictures(priced)
    assert not cores.grid_of(priced, 0).is_written_out
    shown = texts(picture.svg)
    assert (shown.count("A"), shown.count("B")) == (32, 6)
    busiest = max(core.work for core in priced.cores)
    numbers = [text for text in shown if text.isdigit()]
    expected = [str(cores.tenths(core, busiest)) for core in priced.cores]
    assert all(numbers.count(word) >= expected.count(word) for word in set(expected))
    assert "in tenths of the busiest core's, 6" in picture.key  # next to the corner: 3 operations and 3 updates


def test_several_chips_have_a_map_each_and_crossings(tmp_path):
    priced = report(activity(), network(), profile(tmp_path, 16, cores=1), placer=lambda c, p, a: place(c, p, chips=3))
    assert [picture.title for picture in core_pictures(priced)] == [f"Work of the cores of chip {i}" for i in range(3)]
    assert [way.crossings for way in priced.ways] == [None, 3.0]
    assert cores.way_rows(priced)[2][2] == "-"  # no message stays on its chip


def test_without_a_mesh_cores_are_listed():
    priced = report(activity(), network(), "loihi2")
    assert list(core_pictures(priced)) == []
    assert [row[1] for row in cores.busiest_rows(priced)] == ["+holds", "conv", "out"]
    assert cores.rest(priced) == ""


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in
              (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))]  # fmt: skip
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_numbers_stand_out_from_every_shade():
    from spikewright.pages.colours import INK

    for i, shade in enumerate(cores.SHADES):
        text = "#ffffff" if i >= cores.LIGHT_FROM else INK
        light, dark = sorted((luminance(shade), luminance(text)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, shade


def test_counts_in_short():
    assert [cores.brief(value) for value in (0, 7.25, 812, 999.7, 12345, 4.1e6)] == [
        "0", "7.25", "812", "1k", "12.3k", "4.1M",
    ]  # fmt: skip
    assert all(re.fullmatch(r"[\d.]+[kMG]?", cores.brief(value)) for value in (1e3, 99_999, 1e9))


def test_letters_go_on_after_z():
    assert [cores._letter(i) for i in (0, 25, 26, 27, 52)] == ["A", "Z", "AA", "AB", "BA"]
