from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import optuna
import pytest
from sqlalchemy import func, select, table, update

from hpo.errors import StudyConflict, UsageError
from hpo.study.database import optuna_tables, tables
from hpo.study.database.storage import Storage
from hpo.study.records import Identity
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import lifecycle
from hpo.studyfile import serialize
from hpo.studyfile.schema import Keep
from tests.study.support import FACTS, IDENTITY, MakeStudy, begin, epoch_report, run, study_spec

JOIN = """
import sys
from hpo.study.studies.lifecycle import create_or_join
from hpo.study.database.storage import open_storage
from tests.study.support import FACTS, IDENTITY, study_spec
with open_storage(sys.argv[1], create=True) as storage:
    print(create_or_join(storage, study_spec(), IDENTITY, FACTS).uuid)
"""


def test_what_was_stored_is_what_is_loaded(storage: Storage, make_study: MakeStudy) -> None:
    made = make_study(study_spec(sampler="tpe", trials=7))
    loaded = lifecycle.load(storage, "digits")
    assert loaded == made
    assert (loaded.spec, loaded.identity, loaded.facts) == (study_spec(sampler="tpe", trials=7), IDENTITY, FACTS)
    assert timedelta(0) <= datetime.now(UTC) - loaded.created_at < timedelta(minutes=1)


def test_joining_gives_the_study_that_is_there(make_study: MakeStudy) -> None:
    assert make_study(study_spec()) == make_study(study_spec())


def test_another_specification_is_refused_with_its_differences(make_study: MakeStudy) -> None:
    make_study(study_spec(trials=5))
    with pytest.raises(StudyConflict, match=r"budget\.trials: stored 5, asked 9(.|\n)*`hpo delete digits`") as caught:
        make_study(study_spec(trials=9))
    assert caught.value.exit_code == 3


def test_trust_is_given_when_a_study_is_made_and_not_later(storage: Storage) -> None:
    trusted = dataclasses.replace(FACTS, trusted={"/mine.pt": "5" * 64})
    lifecycle.create_or_join(storage, study_spec(), IDENTITY, trusted)
    moved = dataclasses.replace(FACTS, trusted={"/moved/mine.pt": "5" * 64})
    assert lifecycle.create_or_join(storage, study_spec(), IDENTITY, moved).facts.trusted == trusted.trusted
    assert lifecycle.create_or_join(storage, study_spec(), IDENTITY, FACTS).facts.trusted == trusted.trusted
    more = dataclasses.replace(FACTS, trusted={"/other.pt": "6" * 64})
    with pytest.raises(StudyConflict, match=r"--trust /other\.pt: the study was made without it"):
        lifecycle.create_or_join(storage, study_spec(), IDENTITY, more)


def test_data_and_a_model_with_the_same_content_may_lie_anywhere(make_study: MakeStudy) -> None:
    made = make_study(study_spec())
    assert make_study(dataclasses.replace(study_spec(), data="/elsewhere/data.yaml", model="/elsewhere/n.yaml")) == made


@pytest.mark.parametrize("field", ["data_fingerprint", "model_sha256"])
def test_nobody_is_told_to_delete_a_study_whose_files_may_lie_elsewhere(
    storage: Storage, make_study: MakeStudy, field: str
) -> None:
    make_study(study_spec())
    other: Identity = dataclasses.replace(IDENTITY, **{field: "f" * 64})
    with pytest.raises(StudyConflict) as caught:
        lifecycle.create_or_join(storage, dataclasses.replace(study_spec(), data="/elsewhere/d.yaml"), other, FACTS)
    assert "where it lies now" in str(caught.value) or "where they lie now, with --data" in str(caught.value)
    assert "delete" not in str(caught.value)


def test_a_study_that_was_stored_before_a_key_was_added_is_joined(storage: Storage, make_study: MakeStudy) -> None:
    row = make_study(study_spec())
    stored = json.loads(serialize.to_json(row.spec))
    del stored["keep"]["caches"]
    text = json.dumps(stored)
    older = {"spec": text, "spec_sha256": hashlib.sha256(text.encode()).hexdigest()}
    storage.write(lambda connection: connection.execute(update(tables.studies).values(older)))
    assert make_study(study_spec()).id == row.id
    with pytest.raises(StudyConflict, match=r"keep\.caches: stored 5, asked 2"):
        make_study(study_spec(keep=Keep(caches=2)))


@pytest.mark.parametrize(("field", "named"), [("data_fingerprint", "data"), ("model_sha256", "model")])
def test_other_data_and_another_model_are_refused(
    storage: Storage, make_study: MakeStudy, field: str, named: str
) -> None:
    make_study(study_spec())
    other: Identity = dataclasses.replace(IDENTITY, **{field: "f" * 64})
    with pytest.raises(StudyConflict, match=named):
        lifecycle.create_or_join(storage, study_spec(), other, FACTS)


def test_an_unknown_name_lists_near_ones(storage: Storage, make_study: MakeStudy) -> None:
    with pytest.raises(UsageError, match="no study yet"):
        lifecycle.load(storage, "digits")
    make_study(study_spec("digits"))
    make_study(study_spec("blood-cells"))
    assert lifecycle.names(storage) == ["digits", "blood-cells"]
    with pytest.raises(UsageError, match=r"no study 'digit'; there is digits$"):
        lifecycle.load(storage, "digit")


def test_processes_that_create_a_study_at_once_share_it(storage_url: str) -> None:
    command = [sys.executable, "-c", JOIN, storage_url]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    uuids = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 4
    assert len(uuids) == 1


def test_a_study_whose_creator_died_half_way_is_completed(storage: Storage, make_study: MakeStudy) -> None:
    optuna.create_study(storage=storage.optuna, study_name="digits", direction="maximize")
    assert make_study(study_spec()).name == "digits"


def test_a_study_of_optuna_alone_is_not_taken_over(storage: Storage, make_study: MakeStudy) -> None:
    optuna.create_study(storage=storage.optuna, study_name="digits", direction="maximize").ask()
    with pytest.raises(StudyConflict, match="made by Optuna alone"):
        make_study(study_spec())


def test_optuna_knows_direction_and_fingerprints(storage: Storage, make_study: MakeStudy) -> None:
    row = make_study(study_spec())
    theirs = optuna.load_study(study_name="digits", storage=storage.optuna)
    assert theirs.direction == optuna.study.StudyDirection.MAXIMIZE
    assert theirs.user_attrs == {
        "spec_sha256": row.spec_sha256,
        "data_fingerprint": IDENTITY.data_fingerprint,
        "model_sha256": IDENTITY.model_sha256,
    }


def test_deleting_a_study_leaves_no_row_of_it_and_every_row_of_others(storage: Storage, make_study: MakeStudy) -> None:
    for name in ("digits", "other"):
        with WorkerSession(storage, make_study(study_spec(name, trials=2)), "w", None) as session:
            run(session, at_most=1)
            proposal = session.admit()
            assert proposal is not None
            begin(session, proposal)
            session.report(proposal.token, epoch_report(1, 0.5))
    before = _row_counts(storage)
    lifecycle.delete(storage, "digits")
    after = _row_counts(storage)
    assert {name: 2 * count for name, count in after.items()} == before
    assert lifecycle.names(storage) == ["other"]
    assert all(after[name] for name in ("hpo_epochs", "hpo_attempts", "trial_params", "trial_intermediate_values"))
    with pytest.raises(UsageError):
        lifecycle.delete(storage, "digits")


def test_the_experiment_is_remembered(storage: Storage, make_study: MakeStudy) -> None:
    row = make_study(study_spec())
    lifecycle.set_experiment(storage, row.id, "17")
    assert lifecycle.load(storage, "digits").mlflow_experiment_id == "17"


def _row_counts(storage: Storage) -> dict[str, int]:
    names = [*tables.metadata.tables, *optuna_tables.COLUMNS]
    return storage.read(
        lambda connection: {
            name: connection.execute(select(func.count()).select_from(table(name))).scalar_one() for name in names
        }
    )


TEACHER = "/weights/teacher.pt"


def test_other_content_of_a_file_under_train_is_refused(storage: Storage) -> None:
    spec = study_spec(train=(("distill_model", TEACHER), ("epochs", 10)))
    first = dataclasses.replace(FACTS, train_files={"distill_model": "a" * 64})
    made = lifecycle.create_or_join(storage, spec, IDENTITY, first)
    assert lifecycle.create_or_join(storage, spec, IDENTITY, first) == made
    other = dataclasses.replace(FACTS, train_files={"distill_model": "b" * 64})
    with pytest.raises(StudyConflict, match=r"train\.distill_model .*stored sha256 aaaa.*, asked bbbb") as caught:
        lifecycle.create_or_join(storage, spec, IDENTITY, other)
    assert caught.value.exit_code == 3


def test_a_study_that_was_stored_with_a_file_as_written_is_joined(storage: Storage) -> None:
    written = study_spec(train=(("distill_model", "teacher.pt"), ("epochs", 10)))
    made = lifecycle.create_or_join(storage, written, IDENTITY, FACTS)
    asked = study_spec(train=(("distill_model", TEACHER), ("epochs", 10)))
    found = dataclasses.replace(FACTS, train_files={"distill_model": "a" * 64})
    assert lifecycle.create_or_join(storage, asked, IDENTITY, found) == made
    another = study_spec(train=(("distill_model", "/weights/other.pt"), ("epochs", 10)))
    with pytest.raises(StudyConflict, match=r"train\.distill_model"):
        lifecycle.create_or_join(storage, another, IDENTITY, found)
