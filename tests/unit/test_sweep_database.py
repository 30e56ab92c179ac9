"""The database of a study: refused in one line that keeps passwords, lost on the way, raced for by processes.

A PostgreSQL server is started for the run where its programs are installed; `SPIKEWRIGHT_STUDY_URL` names another one,
in which schemas may be made. Each test makes one and drops it.
"""

import json
import os
import sqlite3
import subprocess
import sys
import uuid
from pathlib import Path

import postgres
import pytest

from spikewright.base.errors import InputError
from spikewright.bench import database, work
from spikewright.bench.compare.jobs import TrainingRecord, jobs_of, jobs_under
from spikewright.bench.compare.rows import Variant
from spikewright.bench.point import Outcome, Point
from spikewright.bench.sweep.sweep import points_of, points_under

pytest.importorskip("optuna")
SERVER = os.environ.get("SPIKEWRIGHT_STUDY_URL")
HIDDEN = "wr0ng-s3cret"
OUTCOME = {
    "energy": {"validation": 1e-6, "test": 1e-6},
    "energy_is_at_least": True,
    "floor": 1e-9,
    "accuracy": {"validation": 0.5, "test": 0.5},
    "synaptic_ops": {"validation": 1.0, "test": 1.0},
    "spikes": {"validation": 1.0, "test": 1.0},
    "samples": {"validation": 10, "test": 10},
    "timesteps": 2,
    "width": 4,
    "encoding": "direct",
    "files": {},
    "made_by": "a test",
    "host": "here",
    "seconds": 1.0,
}


@pytest.fixture(scope="session")
def running():
    """The URL of a database of PostgreSQL."""
    if SERVER is not None:
        yield SERVER
        return
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
    if (why := postgres.missing()) is not None:
        pytest.skip(f"{why}; or name a server: SPIKEWRIGHT_STUDY_URL=postgresql://user:password@host/name")
    with postgres.server() as url:
        yield url


@pytest.fixture
def server(running):
    """The URL of a new, empty schema on the server."""
    import sqlalchemy

    schema = f"spikewright_{uuid.uuid4().hex}"
    options = {"options": f"-csearch_path={schema}", "application_name": schema}
    engine = sqlalchemy.create_engine(running)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"create schema {schema}"))
    yield engine.url.update_query_dict(options).render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"drop schema {schema} cascade"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "server"])
def url(request, tmp_path):
    return f"sqlite:///{tmp_path / 'study.db'}" if request.param == "sqlite" else request.getfixturevalue("server")


def refusal(url):
    with pytest.raises(InputError) as refused, work.open_study(url, "a sweep", points_under(Path())):
        pass
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("url", "begins"),
    [
        ("nonsense", "study: is not the URL of a database; give one such as sqlite:///"),
        (f"postgresql://user:{HIDDEN}/name", "study: is not the URL of a database; give one such as sqlite:///"),
        (f"postgresql://user:a@{HIDDEN}@host/name", "study: has more than one @ before its host"),
        (
            f"nosuchdb://user:{HIDDEN}@host/name",
            "study=nosuchdb://user:***@host/name: cannot be opened (Can't load plugin",
        ),
        (
            f"nosuchdb://host/name?user=me&password={HIDDEN}&sslpassword={HIDDEN}",
            "study=nosuchdb://host/name?user=me: cannot be opened (Can't load plugin",
        ),
        (
            "sqlite:////no/such/folder/study.db",
            "study=sqlite:////no/such/folder/study.db: the folder /no/such/folder does not exist",
        ),
    ],
)
def test_a_database_that_cannot_be_opened(url, begins):
    said = refusal(url)
    assert said.startswith(begins)
    assert HIDDEN not in said


@pytest.mark.parametrize(
    ("dialect", "module", "package"),
    [
        ("postgresql+psycopg2", "psycopg2", "psycopg2-binary"),
        ("postgresql+psycopg", "psycopg", "psycopg[binary]"),
    ],
)
def test_a_driver_that_is_not_installed_is_named(monkeypatch, dialect, module, package):
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    said = refusal(f"{dialect}://user:{HIDDEN}@host/name")
    assert said.startswith(f"study={dialect}://user:***@host/name: the driver of this database cannot be imported (")
    assert module in said
    assert said.endswith(f"install it: pip install '{package}'")
    assert HIDDEN not in said


def test_braces_are_part_of_a_name(tmp_path):
    """Optuna would put something in their place."""
    with work.open_study(f"sqlite:///{tmp_path / 'a{b}.db'}", "a sweep", points_under(tmp_path)):
        pass
    assert (tmp_path / "a{b}.db").is_file()


def test_a_server_is_asked_whether_it_is_there_before_each_use(monkeypatch):
    import optuna

    given = []
    monkeypatch.setattr(optuna.storages, "RDBStorage", lambda url, engine_kwargs: given.append((url, engine_kwargs)))
    database.storage_of(database.read_url("postgresql://user:a%40{b}@host/name"))
    database.storage_of(database.read_url("sqlite:///a.db"))
    assert given == [
        ("postgresql://user:a%40%7Bb%7D@host/name", {"pool_pre_ping": True}),
        ("sqlite:///a.db", {"connect_args": {"timeout": database.BUSY_S}}),
    ]


def test_tables_that_another_worker_makes_meanwhile(monkeypatch):
    """As a server says it: the second is refused the table, and finds it made when it looks again."""
    import optuna
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    errors = [ProgrammingError("create table", {}, Exception("exists")), IntegrityError("insert", {}, Exception("is"))]

    def storage(url, engine_kwargs):
        if errors:
            raise errors.pop()
        return url

    monkeypatch.setattr(optuna.storages, "RDBStorage", storage)
    monkeypatch.setattr(database.time, "sleep", lambda seconds: None)
    assert database.storage_of(database.read_url("postgresql://host/name")) == "postgresql://host/name"
    assert errors == []


def test_a_database_that_is_lost_in_mid_point(tmp_path):
    file = tmp_path / "study.db"

    def do(point):
        with sqlite3.connect(file) as tables:
            tables.execute("drop table trial_user_attributes")
        tables.close()
        return Outcome.model_validate(OUTCOME)

    kind = points_under(tmp_path)
    with pytest.raises(InputError) as refused, work.open_study(f"sqlite:///{file}", "a sweep", kind) as shared:
        shared.complete([Point(None, 0)], do)
    said = str(refused.value)
    assert said.startswith(f"study=sqlite:///{file}: can no longer be read and written (no such table: trial_user_attr")
    assert said.endswith("run the command again, which goes on where it stopped")


def test_a_wrong_password_is_not_printed(server):
    from sqlalchemy.engine import make_url

    wrong = make_url(server).set(password=HIDDEN)
    said = refusal(wrong.render_as_string(hide_password=False))
    assert "cannot be opened (" in said
    assert 'password authentication failed for user "' in said
    assert HIDDEN not in said


def test_connections_that_a_server_ends_in_mid_point_are_made_anew(server, tmp_path):
    import sqlalchemy

    engine = sqlalchemy.create_engine(server)
    ended = []

    def do(point):
        every = "select pg_terminate_backend(pid) from pg_stat_activity where pid != pg_backend_pid()"
        own = sqlalchemy.text(f"{every} and application_name = current_setting('application_name')")
        with engine.connect() as connection:
            ended.extend(connection.execute(own))
        return Outcome.model_validate(OUTCOME)

    with work.open_study(server, "a sweep", points_under(tmp_path)) as shared:
        shared.complete(points_of(["2uJ"], [0]), do)
        assert [result.state for result in shared.results()] == ["done", "done"]
    engine.dispose()
    assert len(ended) >= 2


def test_a_comparison_keeps_its_records_and_teachers_there(url, tmp_path):
    """Two workers without a common folder: the second has nothing to do and the same results."""
    jobs = jobs_of([Variant("none"), Variant("kd")], [None], [0])
    results, done, notes = [], [], []

    def do(job):
        done.append(job)
        return TrainingRecord.model_validate(
            {
                "row": str(job.row),
                "facts": job.row.facts,
                "budget": None,
                "seed": 0,
                "outcome": OUTCOME,
                "float_accuracy": 0.5,
                "accuracy_by_step": (0.5,),
                "spikes": {},
                "energy_by_part": {},
                "epochs": 1,
                **dict.fromkeys(("seconds", "processor_seconds", "teacher_logit_range", "teacher_sha256")),
                "student_logit_range": 1.0,
            }
        )

    for machine in ("here", "there"):
        with work.open_study(url, "a comparison", jobs_under(tmp_path / machine, jobs)) as shared:
            shared.complete(jobs, do)
            results.append(shared.results())
            notes.append(shared.facts)
            shared.note("teacher abc", {"macs": 1})
    assert done == jobs
    assert [result.state for result in results[0]] == ["done", "done"]
    assert results[0] == results[1]
    assert notes == [{}, {"teacher abc": {"macs": 1}}]


WORKER = """
import sys, time
from pathlib import Path
from spikewright.bench import work
from spikewright.bench.point import Outcome
from spikewright.bench.sweep.sweep import points_of, points_under

def do(point):
    with open(folder / "log", "a") as file:
        file.write(f"{point}\\n")
    time.sleep(0.05)
    return Outcome.model_validate_json(sys.argv[3])

folder = Path(sys.argv[1])
work.POLL_S = 0.1
with work.open_study(sys.argv[2], "a sweep", points_under(folder)) as shared:
    shared.complete(points_of(["2uJ", "1uJ"], range(4)), do)
"""


@pytest.mark.slow
def test_processes_that_start_at_once_do_each_point_once(url, tmp_path):
    """SQLite alone gives one trial to two of them now and then; any database refuses one that makes the same tables."""
    words = [sys.executable, "-c", WORKER, str(tmp_path), url, json.dumps(OUTCOME)]
    workers = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = [worker.communicate(timeout=300)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4, "\n".join(said)
    done = (tmp_path / "log").read_text().splitlines()
    assert sorted(done) == sorted(map(str, points_of(["2uJ", "1uJ"], range(4))))
