"""Messages speak of arguments; the command line shows flags in their place."""

from __future__ import annotations

from spikewright.base.errors import InputError, Message, arg, with_flags


def test_an_argument_reads_as_python_from_python_and_as_a_flag_on_the_command_line() -> None:
    error = InputError(f"{arg('energy_budget', '2uJ')}: is below the floor; a smaller {arg('width')} lowers it")
    assert str(error) == "energy_budget=2uJ: is below the floor; a smaller width lowers it"
    assert with_flags(error, {}) == "--energy-budget 2uJ: is below the floor; a smaller --width lowers it"


def test_a_command_may_call_its_flag_something_else() -> None:
    error = InputError(f"{arg('dt_s', 0)}: must be above 0; the file is {arg('graph')}")
    assert with_flags(error, {"dt_s": "--dt", "graph": "GRAPH"}) == "--dt 0: must be above 0; the file is GRAPH"


def test_a_message_inside_another_keeps_its_arguments() -> None:
    inner = InputError(f"{arg('width')} is 0")
    outer = InputError(f"student: {inner.message}")
    assert with_flags(outer, {}) == "student: --width is 0"


def test_an_error_that_is_not_ours_is_left_as_it_is() -> None:
    assert with_flags(ValueError("a --b"), {}) == "a --b"


def test_marks_show_in_no_form_of_an_error() -> None:
    error = InputError(f"{arg('energy_budget', 2)}: say a unit")
    for form in (str(error), repr(error), str(error.args), f"{error}"):
        assert "energy_budget=2" in form
        assert not {"\ue000", "\ue001"} & set(form)


def test_a_message_to_callbacks_is_plain_and_the_command_line_shows_its_flags() -> None:
    message = Message(f"give {arg('dt_s', 'SECONDS')}")
    assert message == "give dt_s=SECONDS"
    assert with_flags(message, {"dt_s": "--dt"}) == "give --dt SECONDS"
    assert with_flags(Message(message), {}) == "give --dt-s SECONDS"
    assert with_flags("plain", {}) == "plain"
