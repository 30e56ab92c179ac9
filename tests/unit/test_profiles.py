"""The profiles that ship: found, sourced, and saying what they promise."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from spikewright.errors import InputError
from spikewright.hardware_profiles import profiles
from spikewright.hardware_profiles.profile import HardwareProfile, load_profile, profile_names, read_profile
from spikewright.hardware_profiles.schema import Energy, Limits

NAMES = ("cmos45", "loihi1-davies", "loihi1-sanafe", "loihi2", "loihi2-assumed")


def test_all_files_are_found(root):
    assert profile_names() == NAMES
    assert sorted(path.stem for path in (root / "hardware_profiles").glob("*.toml")) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_a_source(name):
    profile = load_profile(name)
    for constant in profile.energy.given().values():
        assert constant.source in profile.sources
        assert constant.where
    given = {limit for limit in Limits.model_fields if getattr(profile.limits, limit) is not None}
    assert given == profile.limit_sources.keys()
    assert profile.uncertainty
    unexplained = Energy.model_fields.keys() - profile.energy.given().keys() - profile.absent.keys()
    kinds_of_one = {"synaptic_op_conv", "synaptic_op_graded", "teacher_mac"}
    other_way = {"neuron_update_active", "neuron_update_inactive", "neuron_access", "neuron_active_extra"}
    assert unexplained <= kinds_of_one | other_way


@pytest.mark.parametrize("name", NAMES)
def test_read_of_what_was_written_is_the_same(name, tmp_path):
    profile = load_profile(name)
    written = HardwareProfile.model_validate_json(profile.model_dump_json())
    assert written == profile
    copy = tmp_path / f"{name}.toml"
    text = (profiles_file(name)).read_text(encoding="utf-8")
    copy.write_text("# another comment\n" + text, encoding="utf-8")
    assert read_profile(copy).sha256 == profile.sha256
    copy.write_text(text.replace("weight_bits = 8", "weight_bits = 7"), encoding="utf-8")
    assert read_profile(copy).sha256 != profile.sha256


def profiles_file(name):
    from spikewright.resources import profiles_dir

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


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(InputError) as caught:
        load_profile("loihi1-davis")
    assert str(caught.value) == (
        "profile 'loihi1-davis': there is none of that name; did you mean 'loihi1-davies'? may be: cmos45, "
        "loihi1-davies, loihi1-sanafe, loihi2, loihi2-assumed, or a path to a .toml"
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


def test_verb_lists_them(capsys):
    assert profiles.main([]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in NAMES)


def test_verb_explains_one_with_its_sources(capsys):
    assert profiles.main(["loihi2-assumed"]) == 0
    explained = " ".join(capsys.readouterr().out.split())
    for words in ("ASSUMED: no energy", "23.6 pJ", "Table 2, p. 96", "axons_in_per_core unknown not checked",
                  "spike_out unknown", "IEEE Micro 38(1):82-99", "(quoted at second hand)"):  # fmt: skip
        assert words in explained


def test_verb_as_json(capsys):
    assert profiles.main(["loihi2", "--json"]) == 0
    (only,) = json.loads(capsys.readouterr().out)["profiles"]
    assert only["name"] == "loihi2"
    assert only["energy"]["synaptic_op"]["source"] == "n-dns"


def test_verb_refuses_an_unknown_name(capsys):
    assert profiles.main(["loihi9"]) == 2
    assert capsys.readouterr().err.startswith("error: profile 'loihi9': there is none of that name; ")


@pytest.mark.parametrize("module", ["report", "profiles"])
def test_help_imports_nothing_heavy(module):
    code = (
        f"import sys; from spikewright.hardware_profiles.{module} import main; assert main(['--help']) == 0; "
        "heavy = {'torch', 'matplotlib', 'jinja2', 'h5py', 'numpy'} & sys.modules.keys(); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
