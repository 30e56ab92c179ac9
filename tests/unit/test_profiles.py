"""The profiles that ship: found, sourced, and saying what they promise."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.commands import profiles
from spikewright.profile.costs import Energy
from spikewright.profile.profile import (
    HardwareProfile,
    load_profile,
    load_teachers,
    profile_names,
    read_profile,
    read_teacher,
)
from spikewright.profile.schema import Limits

NAMES = profile_names()
WITHOUT_JOULES = ("akida", "loihi2", "speck", "xylo")
OTHER_RULES = ("darwin3", "odin", "seneca", "speck", "spinnaker1", "spinnaker2", "tianjic", "truenorth", "xylo")
TEACHERS = ("desktop-cpu", "edge-cpu", "edge-gpu")


def test_all_files_are_found(root):
    assert sorted(path.stem for path in (root / "hardware_profiles").glob("*.toml")) == list(NAMES)
    assert {*WITHOUT_JOULES, *OTHER_RULES, "cmos45", "lemaire", "loihi1-davies", "loihi1-sanafe"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_a_source(name):
    profile = load_profile(name)
    for constant in profile.energy.given().values():
        assert constant.source in profile.sources
        assert constant.where
    given = {limit for limit in Limits.model_fields if getattr(profile.limits, limit) is not None}
    assert given == profile.limit_sources.keys()
    assert profile.uncertainty
    said = profile.energy.given().keys() | profile.absent.keys() | profile.included.keys()
    unexplained = Energy.model_fields.keys() - said - (set() if profile.limits.chips else {"chip_crossing"})
    kinds_of_one = {"synaptic_op_conv", "synaptic_op_graded", "teacher_mac", "spike_read", "spike_read_conv"}
    other_way = {"neuron_update_active", "neuron_update_inactive", "neuron_access", "neuron_active_extra"}
    assert unexplained <= kinds_of_one | other_way | {"bias_write"}  # only where currents change by step


@pytest.mark.parametrize("name", NAMES)
def test_read_of_what_was_written_is_the_same(name, tmp_path):
    profile = load_profile(name)
    written = HardwareProfile.model_validate_json(profile.model_dump_json())
    assert written == profile
    copy = tmp_path / f"{name}.toml"
    text = (profiles_file(name)).read_text(encoding="utf-8")
    copy.write_text("# another comment\n" + text, encoding="utf-8")
    assert read_profile(copy).sha256 == profile.sha256
    bits = profile.limits.weight_bits
    copy.write_text(text.replace(f"weight_bits = {bits}", f"weight_bits = {bits - 1}"), encoding="utf-8")
    assert read_profile(copy).sha256 != profile.sha256


def profiles_file(name):
    from spikewright.base.resources import profiles_dir

    return profiles_dir() / f"{name}.toml"


def test_davies_table():
    energy = load_profile("loihi1-davies").energy
    values = {event: (constant.value, constant.unit) for event, constant in energy.given().items()}
    assert values == {
        "synaptic_op": (23.6, "pJ"),
        "neuron_update_active": (81.0, "pJ"),
        "neuron_update_inactive": (52.0, "pJ"),
        "message": (1.7, "pJ"),
        "hop_x": (3.0, "pJ"),
        "hop_y": (4.0, "pJ"),
    }
    assert energy.synaptic_op.cost == pytest.approx(23.6e-12)
    assert {constant.kind for constant in energy.given().values()} == {"pre-silicon"}


def test_loihi1_takes_binary_spikes_and_loihi2_graded_ones():
    for name, bits, encoding in (("loihi1-davies", 0, "current"), ("loihi1-sanafe", 0, "current"),
                                 ("loihi2", 24, "direct"), ("loihi2-assumed", 24, "direct")):  # fmt: skip
        profile = load_profile(name)
        assert (profile.limits.graded_spike_bits, profile.default_encoding) == (bits, encoding)


def test_loihi2_has_no_joules():
    profile = load_profile("loihi2")
    assert not profile.has_joules
    assert {constant.unit for constant in profile.energy.given().values()} == {"ops"}


def test_assumed_is_said_on_every_constant_and_first():
    profile = load_profile("loihi2-assumed")
    assert all(constant.assumed for constant in profile.energy.given().values())
    assert profile.banner.startswith("ASSUMED: ")
    davies = load_profile("loihi1-davies").energy.given()
    assert {e: c.cost for e, c in profile.energy.given().items()} == {e: c.cost for e, c in davies.items()}
    shared = load_profile("loihi2").limits.model_dump(exclude={"mesh"})
    assert profile.limits.model_dump(exclude={"mesh"}) == shared


@pytest.mark.parametrize("name", NAMES)
def test_a_chip_with_other_rules_says_so_first(name):
    assert load_profile(name).banner.startswith("ESTIMATE ONLY: counts are of the integer network") == (
        name in OTHER_RULES
    )


@pytest.mark.parametrize("name", NAMES)
def test_only_published_joules(name):
    profile = load_profile(name)
    assert profile.has_joules == (name not in WITHOUT_JOULES)
    units = {constant.unit for constant in profile.energy.given().values()}
    assert ("ops" in units) != profile.has_joules


def test_truenorth_is_its_three_points_less_the_hops():
    rates_hz, power_w = np.array([11.58, 20.07, 95.93]), np.array([0.068, 0.071, 0.094])
    idle_w, each_j = np.linalg.lstsq(np.stack([np.ones(3), rates_hz * 2**20 * 128], axis=1), power_w, rcond=None)[0]
    profile = load_profile("truenorth")
    assert profile.energy.hop_x.cost == pytest.approx(2.3e-12)
    hops = 2 * 21.3 * profile.energy.hop_x.cost / 128
    assert profile.energy.synaptic_op.cost == pytest.approx(each_j - hops, abs=0.005e-12)
    assert profile.static_power.value == pytest.approx(idle_w * 1e3, abs=0.05)


def test_lemaire_is_its_accesses_and_operations():
    small, weights, add, multiply = 10.0, 20.0, 0.1, 3.1  # pJ: SRAM of 8 and 32 KiB, 32-bit arithmetic at 45 nm
    energy = load_profile("lemaire").energy
    expected = {
        "synaptic_op": weights + 2 * small + add + add,
        "synaptic_op_graded": weights + 2 * small + (multiply + add) + add,
        "neuron_access": small + 2 * small + add + (multiply + add),
        "spike_read": small,
        "spike_read_conv": small + 2 * (multiply + add),
        "spike_out": small + add,
        "teacher_mac": small + weights + multiply + add,
    }
    assert {event: constant.value for event, constant in energy.given().items()} == pytest.approx(expected)


def test_odin_at_75_mhz_is_the_paper_s_headline():
    """12.7 pJ an operation with everything in it, at one operation every two cycles."""
    operations = 75e6 / 2
    all_in = (27.3e-6 + 1.78e-6 * 75) / operations + load_profile("odin").energy.synaptic_op.cost
    assert all_in == pytest.approx(12.7e-12, abs=0.05e-12)


def test_tianjic_is_its_efficiency_turned_over():
    assert load_profile("tianjic").energy.synaptic_op.cost == pytest.approx(1 / 649e9, rel=1e-3)


def test_edge_gpu_is_power_over_throughput_and_macs():
    by_name = {teacher.name: teacher for teacher in load_teachers()}
    assert tuple(sorted(by_name)) == TEACHERS
    assert by_name["edge-gpu"].mac.cost == pytest.approx(13.5 / 697.05 / 4.089e9, rel=1e-3)
    assert [teacher.mac.cost for teacher in load_teachers()] == sorted(t.mac.cost for t in load_teachers())
    assert all(teacher.mac.source in teacher.sources and teacher.uncertainty for teacher in load_teachers())


def test_a_teacher_s_faults_are_said_at_once(tmp_path):
    text = profiles_file("teachers/edge-cpu").read_text(encoding="utf-8")
    file = tmp_path / "mine.toml"
    file.write_text(text.replace('"nJ"', '"ops"').replace('source = "degnan2015"', 'source = "degnan"'), "utf-8")
    with pytest.raises(InputError) as caught:
        read_teacher(file)
    assert str(caught.value) == (
        f"{file}: 2 faults\n  - mac.unit: is 'ops'; may be: fJ, pJ, nJ\n"
        "  - mac.source: is 'degnan'; did you mean 'degnan2015'? may be: degnan2015"
    )
    file.write_text(text.replace("value = 0.9", "value = -0.9").replace("schema_version = 1", ""), "utf-8")
    with pytest.raises(InputError) as caught:
        read_teacher(file)
    assert str(caught.value) == (
        f"{file}: 2 faults\n  - schema_version: is missing\n  - mac.value: is -0.9; may be: greater than or equal to 0"
    )


def test_the_page_has_every_profile_as_its_file_has_it(root):
    page = (root / "docs" / "hardware-profiles.md").read_text(encoding="utf-8")
    for name in NAMES:
        profile = load_profile(name)
        each = profile.energy.synaptic_op
        cost = f"{each.value:g} {each.unit}, {each.kind}, {each.scope}"
        taken = f"{profile.default_encoding}, T = {profile.default_timesteps}"
        assert f"| `{name}` | {profile.title} | {profile.cost_unit} | {cost} | {taken} |\n" in page
    assert len(re.findall(r"^\| `[\w-]+` \| [^|]+ \| (?:J|ops) \|", page, re.MULTILINE)) == len(NAMES)
    for teacher in load_teachers():
        mac = teacher.mac
        assert f"| {teacher.title} | {mac.value:g} {mac.unit} | {mac.kind}, {mac.scope} |\n" in page
    folder = (root / "hardware_profiles" / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in folder for name in NAMES)


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(InputError) as caught:
        load_profile("loihi1-davis")
    assert str(caught.value) == (
        "profile 'loihi1-davis': there is none of that name; did you mean 'loihi1-davies'? may be: "
        f"{', '.join(NAMES)}, or a path to a .toml"
    )


def test_missing_file_is_said(tmp_path):
    with pytest.raises(InputError) as caught:
        load_profile(str(tmp_path / "mine.toml"))
    assert str(caught.value) == f"{tmp_path / 'mine.toml'}: there is no such file; expected a hardware profile in TOML"


def test_binary_rubbish_is_said(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"mine\.toml: is not TOML: 'utf-8' codec can't decode byte 0xff"):
        load_profile(file)


def test_a_chip_is_added_by_adding_a_file(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text(profiles_file("loihi1-davies").read_text(encoding="utf-8"), encoding="utf-8")
    assert load_profile(str(mine)).name == "mine"


def test_verb_lists_them_in_80_columns(capsys):
    assert profiles.main([]) == 0
    listed = capsys.readouterr().out
    rows = {line.split()[0]: line for line in listed.splitlines() if line and not line.startswith(" ")}
    for name in NAMES:
        profile = load_profile(name)
        expected = [name, profile.cost_unit, profile.default_encoding, str(profile.default_timesteps)]
        assert rows[name].split()[:4] == expected
    assert all(teacher.title in listed for teacher in load_teachers())
    assert max(map(len, listed.splitlines())) <= 80


def test_verb_explains_one_with_its_sources(capsys):
    assert profiles.main(["loihi2-assumed"]) == 0
    explained = " ".join(capsys.readouterr().out.split())
    for words in ("ASSUMED: no energy", "23.6 pJ assumed, incremental; davies2018, Table 2, p. 96",
                  "not given, so not checked: chips, axons_in_per_core", "spike_out unknown", "columns 16",
                  "IEEE Micro 38(1):82-99", "(quoted at second hand)"):  # fmt: skip
        assert words in explained


@pytest.mark.parametrize("name", NAMES)
def test_verb_explains_each_in_80_columns(name, capsys):
    assert profiles.main([name]) == 0
    explained = capsys.readouterr().out
    assert max(map(len, explained.splitlines())) <= 80
    assert "…" not in explained
    profile = load_profile(name)
    for event, constant in profile.energy.given().items():
        assert re.search(rf"^{event} +{re.escape(f'{constant.value:g} {constant.unit}')} ", explained, re.MULTILINE)
    for event in profile.included:
        assert re.search(rf"^{event} +included ", explained, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_given_is_a_limit_and_no_flag(name, capsys):
    assert profiles.main([name]) == 0
    explained = " ".join(capsys.readouterr().out.split())
    listed = re.search(r"not given, so not checked: ([\w, ]+) Sources", explained).group(1).split(", ")
    limits = load_profile(name).limits
    flags = {"always_signed", "decay_shifts", "mixed_weights_even"}
    assert set(listed) == {each for each in Limits.model_fields if getattr(limits, each) is None} - flags


def test_verb_as_json(capsys):
    assert profiles.main(["loihi2", "--json"]) == 0
    (only,) = json.loads(capsys.readouterr().out)["profiles"]
    assert only["name"] == "loihi2"
    assert only["energy"]["synaptic_op"]["source"] == "n-dns"
    assert profiles.main(["--json"]) == 0
    everything = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in everything["profiles"]] == list(NAMES)
    assert sorted(each["name"] for each in everything["teachers"]) == list(TEACHERS)


def test_verb_refuses_an_unknown_name(capsys):
    assert profiles.main(["loihi9"]) == 2
    assert capsys.readouterr().err.startswith("error: profile 'loihi9': there is none of that name; ")


@pytest.mark.parametrize("module", ["report", "profiles"])
def test_help_imports_nothing_heavy(module):
    code = (
        f"import sys; from spikewright.commands.{module} import main; assert main(['--help']) == 0; "
        "heavy = {'torch', 'matplotlib', 'jinja2', 'h5py', 'numpy'} & sys.modules.keys(); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
