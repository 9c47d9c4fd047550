"""One node's password harms no other node: what a worker's role may not write, over a plain connection.

All nodes share the role. Trial 0 has ended, trial 1 runs on a node, and the statements come from another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, text

from hpo.errors import ClaimLost
from hpo.head import backup
from hpo.study.database import node_keys
from hpo.study.database.storage import NotPermitted, Storage, open_storage
from hpo.study.records import Proposal, StudyRow, Upload
from hpo.study.session.worker_session import WorkerSession
from hpo.study.studies import controls, lifecycle, setup, snapshot
from hpo.study.studies.progress import Control
from hpo.trial.vocabulary import TrialState
from tests.head.conftest import Server
from tests.head.roles import IN_URL, READER, WORKER, execute, refused
from tests.study.support import FACTS, IDENTITY, admit, begin, ended, epoch_report, study_spec, train

EVERY = ["hpo_studies", "hpo_claims", "hpo_trials", "hpo_attempts", "hpo_epochs", "trials", "trial_values", "studies"]


@dataclass
class Attacked:
    """A study on which a node trains, and the connection with which another one writes."""

    url: str
    other: psycopg.Connection
    storage: Storage
    study: StudyRow
    session: WorkerSession
    running: Proposal


@pytest.fixture(scope="module")
def attacked(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    database = server.database()
    setup.init(server.url(database), [WORKER, READER])
    url = server.url(database, WORKER.name, IN_URL[WORKER.name])
    with open_storage(url, create=True, home=tmp_path_factory.mktemp("home")) as storage:
        study = lifecycle.create_or_join(storage, study_spec(trials=6), IDENTITY, FACTS)
        with WorkerSession(storage, study, "victim", None) as session:
            train(session, admit(session))
            running = admit(session)
            begin(session, running)
            session.report(running.token, epoch_report(1, 0.5))
            session.uploads.add(running.token, Upload(1, "0" * 64, "00001/1.pt"))
            with psycopg.connect(url, autocommit=True) as other:
                yield Attacked(url, other, storage, study, session, running)


ATTACKS = {
    "spec": "UPDATE hpo_studies SET spec = jsonb_set(spec::jsonb, '{train,epochs}', '1')::text",
    "spec as nonsense": "UPDATE hpo_studies SET spec = jsonb_set(spec::jsonb, '{model}', '\"/elsewhere/x.pt\"')::text",
    "model's text": "UPDATE hpo_studies SET facts = jsonb_set(facts::jsonb, '{model_yaml}', '\"x\"')::text",
    "trusted weights": "UPDATE hpo_studies SET facts = jsonb_set(facts::jsonb, '{trusted}', '{\"x\": \"0\"}')::text",
    "place of weights": "UPDATE hpo_studies SET facts = jsonb_set(facts::jsonb, '{weights}', '\"x/start.pt\"')::text",
    "data": "UPDATE hpo_studies SET data_fingerprint = 'x'",
    "data unrecorded": "UPDATE hpo_studies SET facts = jsonb_set(facts::jsonb, '{dataset,yaml}', '\"/x\"')::text",
    "model": "UPDATE hpo_studies SET model_sha256 = 'x'",
    "name": "UPDATE hpo_studies SET name = 'x'",
    "value of an ended trial": "UPDATE hpo_trials SET value = 0.99 WHERE number = 0",
    "ended trial opened": "UPDATE hpo_trials SET recorded_at = NULL WHERE number = 0",
    "value of a running trial": "UPDATE hpo_trials SET value = 0.99 WHERE number = 1",
    "values that were tried": "UPDATE hpo_trials SET params = '{}' WHERE number = 0",
    "trial without a claim": "INSERT INTO hpo_trials (study_id, number, ordinal, baseline, params, train, detail, "
    "counts, metrics, epochs) SELECT study_id, 9, 1, baseline, params, train, '', true, metrics, 1 FROM hpo_trials",
    "attempt's end": "UPDATE hpo_attempts SET reason = 'crash'",
    "attempt's worker": "UPDATE hpo_attempts SET worker = 'me'",
    "uploads of a running trial": "UPDATE hpo_attempts SET uploads = '[]' WHERE number = 1",
    "curve": "UPDATE hpo_epochs SET objective = 1",
    "curve beyond its end": "INSERT INTO hpo_epochs "
    "SELECT study_id, number, attempt, 99, 1, metrics, seconds, recorded_at FROM hpo_epochs WHERE number = 0 LIMIT 1",
    "verdict": "UPDATE hpo_verdicts SET document = '{}'",
    "look": "UPDATE hpo_looks SET split = 'val'",
    "change": "UPDATE hpo_changes SET by = 'x'",
    "Optuna's value": "UPDATE trial_values SET value = 0.99",
    "Optuna's second value": "INSERT INTO trial_values (trial_id, objective, value, value_type) "
    "SELECT trial_id, 1, 0.99, 'FINITE' FROM trials WHERE number = 0",
    "Optuna's state": "UPDATE trials SET state = 'RUNNING' WHERE number = 0",
    "Optuna's running trial": "UPDATE trials SET state = 'FAIL' WHERE number = 1",
    "Optuna's curve": "UPDATE trial_intermediate_values SET intermediate_value = 1",
    "Optuna's curve beyond its end": "INSERT INTO trial_intermediate_values "
    "(trial_id, step, intermediate_value, intermediate_value_type) "
    "SELECT trial_id, 99, 1, 'FINITE' FROM trials WHERE number = 0",
    "Optuna's constraint": "INSERT INTO trial_system_attributes (trial_id, key, value_json) "
    "SELECT trial_id, 'constraints:failure', '1.0' FROM trials WHERE number = 0",
    "Optuna's values that were tried": "UPDATE trial_params SET param_value = 0",
    "Optuna's study": "UPDATE study_user_attributes SET value_json = '\"x\"'",
    "Optuna's name": "UPDATE studies SET study_name = 'x'",
    "claim stolen": "UPDATE hpo_claims SET token = 'mine', worker = 'me' WHERE ordinal = 1",
    "claim stolen by a token of one's own": "UPDATE hpo_claims SET token = :own WHERE ordinal = 1",
    "claim let go": "UPDATE hpo_claims SET token = NULL WHERE ordinal = 1",
    "claim closed": "UPDATE hpo_claims SET open = false WHERE ordinal = 1",
    "retries used up": "UPDATE hpo_claims SET retries = 99 WHERE ordinal = 1",
    "ordinal opened again": "UPDATE hpo_claims SET open = true WHERE ordinal = 0",
}


@pytest.mark.parametrize("statement", ATTACKS.values(), ids=ATTACKS.keys())
def test_a_node_writes_no_study_no_ended_trial_and_nothing_of_other_nodes(attacked: Attacked, statement: str) -> None:
    token = node_keys.token("k")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        attacked.other.execute(statement.replace(":own", f"'{token}'"))


@pytest.mark.parametrize("table", EVERY)
@pytest.mark.parametrize("mode", ["ACCESS EXCLUSIVE", "EXCLUSIVE", "SHARE"])
def test_a_worker_locks_no_table(attacked: Attacked, table: str, mode: str) -> None:
    with attacked.other.transaction(), pytest.raises(psycopg.errors.InsufficientPrivilege):
        attacked.other.execute(f"LOCK TABLE {table} IN {mode} MODE")


def test_the_node_itself_goes_on_meanwhile(attacked: Attacked) -> None:
    attacked.session.beat()
    attacked.session.report(attacked.running.token, epoch_report(2, 0.6))
    attacked.session.took_memory(attacked.running.token, 12)
    [first, second] = snapshot.trials(attacked.storage, attacked.study)
    assert (first.state, second.state) == (TrialState.COMPLETE, TrialState.RUNNING)
    assert [row.epoch for row in snapshot.epochs(attacked.storage, attacked.study, second.number)] == [1, 2]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE hpo_trials SET mlflow_run_id = 'x' WHERE number = 0",
        "UPDATE hpo_attempts SET uploads = '[]' WHERE number = 0",
        "UPDATE hpo_studies SET mlflow_experiment_id = '7'",
        "UPDATE hpo_studies SET facts = jsonb_set(facts::jsonb, '{weights}', '\"mmmmmmmmmmmmmmmm/start.pt\"')::text",
        "UPDATE hpo_studies SET spec = jsonb_set(spec::jsonb, '{budget,trials}', '8')::text, budget_trials = 8",
    ],
)
def test_any_node_writes_what_the_protocol_needs_of_it(attacked: Attacked, statement: str) -> None:
    with attacked.other.transaction(force_rollback=True):
        attacked.other.execute(statement)


def test_any_node_sets_control_budget_and_other_data_on_record(attacked: Attacked, tmp_path: Path) -> None:
    with open_storage(attacked.url, create=False, home=tmp_path) as storage:
        study = lifecycle.load(storage, "digits")
        assert controls.set_control(storage, study, Control.PAUSE, "n") is Control.RUN
        controls.set_control(storage, study, Control.RUN, "n")
        assert controls.set_budget(storage, study, "n", trials=7, hours=None).trials == 7
        record = {"before": study.identity.data_fingerprint, "after": "e" * 64, "splits": {}, "files": []}
        back = {"before": "e" * 64, "after": study.identity.data_fingerprint, "splits": {}, "files": []}
        lifecycle.set_data(storage, study, {"yaml": "/other", "splits": {}}, record, "n")
        lifecycle.set_data(storage, lifecycle.load(storage, "digits"), study.facts.dataset, back, "n")
        with pytest.raises(NotPermitted, match="may not write this row"):
            lifecycle.set_weights(storage, study, "elsewhere/start.pt")


def test_a_session_with_a_key_of_its_own_takes_no_claim(attacked: Attacked) -> None:
    with psycopg.connect(attacked.url, options="-c hpo.key=k") as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute("UPDATE hpo_claims SET token = %s WHERE ordinal = 1", (node_keys.token("k"),))
    assert "the lease of its owner has not run out" in str(caught.value)


def test_a_claim_passes_to_another_home_when_its_lease_has_run_out(attacked: Attacked, tmp_path: Path) -> None:
    with (
        open_storage(attacked.url, create=False, home=tmp_path) as storage,
        open_storage(attacked.url, create=False, home=attacked.storage.home) as same,
        WorkerSession(attacked.storage, attacked.study, "gone", None) as gone,
    ):
        for opened, age_s in ((storage, 3600), (same, 0)):
            lost = admit(gone)
            begin(gone, lost)
            aged = {"at": datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=age_s), "token": lost.token}
            attacked.storage.execute(
                text("UPDATE hpo_claims SET beat_at = :at WHERE token = :token").bindparams(**aged)
            )
            attacked.storage.execute(text("UPDATE hpo_workers SET ended_at = now() WHERE worker = 'gone'"))
            with WorkerSession(opened, attacked.study, "next", None) as following:
                assert lost.number in following.reap()
            with pytest.raises(ClaimLost):
                gone.end(lost.token, ended(value=1.0))


def test_a_worker_that_left_in_another_home_is_waited_for_as_long_as_its_lease(
    attacked: Attacked, tmp_path: Path
) -> None:
    with WorkerSession(attacked.storage, attacked.study, "left", None) as left:
        kept = admit(left)
        begin(left, kept)
        with attacked.storage.engine.begin() as connection:
            connection.execute(text("UPDATE hpo_workers SET ended_at = now() WHERE worker = 'left'"))
        with (
            open_storage(attacked.url, create=False, home=tmp_path) as storage,
            WorkerSession(storage, attacked.study, "next", None) as following,
        ):
            assert following.reap() == ()
        left.end(kept.token, ended(value=0.3))


def test_optunas_own_tools_go_on_with_studies_of_their_own(attacked: Attacked) -> None:
    import optuna

    study = optuna.create_study(storage=attacked.storage.optuna, study_name="theirs")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    study.trials[0].user_attrs.get("x")
    assert len(study.trials) == 2
    attacked_study = optuna.load_study(study_name="digits", storage=attacked.storage.optuna)
    attacked_study.enqueue_trial({"lr0": 0.01})


def test_the_owner_may_correct_every_row(server: Server, attacked: Attacked) -> None:
    name = make_url(attacked.url).database
    execute(server.url(str(name)), "UPDATE hpo_trials SET detail = 'corrected' WHERE number = 0")


def test_the_key_of_a_home_is_its_owners_to_read_and_stays(tmp_path: Path) -> None:
    key = node_keys.of_home(tmp_path)
    assert node_keys.of_home(tmp_path) == key
    assert (tmp_path / node_keys.FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [node_keys.FILE]
    assert node_keys.of_home(tmp_path / "missing") != key
    assert node_keys.token(key) != node_keys.token(key)


def test_a_backup_brings_the_rights_and_the_checks_with_it(
    server: Server, attacked: Attacked, tmp_path: Path, database: str
) -> None:
    file = backup.dump(server.url(str(make_url(attacked.url).database)), tmp_path)
    setup.init(server.url(database), [WORKER, READER])
    backup.restore(file, server.url(database))
    url = server.url(database, WORKER.name, IN_URL[WORKER.name])
    assert refused(url, ATTACKS["claim stolen"])
    assert refused(url, "LOCK TABLE hpo_claims")
    execute(url, "UPDATE hpo_studies SET control = 'pause'")
