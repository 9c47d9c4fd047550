-- Functions and triggers that check the rows which a worker's role writes; see guards.py. SCHEMA is replaced.
-- The checks that nearly always hold come first.

CREATE OR REPLACE FUNCTION SCHEMA.hpo_proves(token text) RETURNS boolean LANGUAGE sql STABLE AS $$
  -- whether this session has the key of the node that made the token
  SELECT right(replace(token, '-', ''), 16) = left(encode(sha256(convert_to(
    current_setting('hpo.key', true) || left(replace(token, '-', ''), 16), 'UTF8')), 'hex'), 16)
$$;

CREATE OR REPLACE FUNCTION SCHEMA.hpo_owns(relation oid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT pg_has_role(relowner, 'USAGE') FROM pg_catalog.pg_class WHERE oid = relation
$$;

CREATE OR REPLACE FUNCTION SCHEMA.hpo_has_claim(study int, position_ int) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM SCHEMA.hpo_claims AS c
    WHERE c.study_id = study AND c.ordinal = position_ AND SCHEMA.hpo_proves(c.token))
$$;

CREATE OR REPLACE FUNCTION SCHEMA.hpo_refuse(place text, why text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
    MESSAGE = format('%s: the role %s may not write this row: %s', place, current_user, why);
END
$$;

CREATE OR REPLACE FUNCTION SCHEMA.hpo_leave_to_the_owner(relation oid, place text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- a row of a trial that is not this session's to write: the owner of the table may, all the same
  IF NOT SCHEMA.hpo_owns(relation) THEN
    PERFORM SCHEMA.hpo_refuse(place, 'the trial has ended, or is not this node''s');
  END IF;
END
$$;

CREATE OR REPLACE FUNCTION SCHEMA.hpo_guard_study() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  stages CONSTANT text[] := '{budget,confirm,final}';
  known CONSTANT text[] := '{dataset,data_changes,weights}';
  before jsonb;
  after jsonb;
BEGIN
  IF (NEW.spec, NEW.facts, NEW.data_fingerprint) IS NOT DISTINCT FROM (OLD.spec, OLD.facts, OLD.data_fingerprint)
      OR SCHEMA.hpo_owns(TG_RELID) THEN
    RETURN NEW;
  END IF;
  IF NEW.spec IS DISTINCT FROM OLD.spec AND NEW.spec::jsonb - stages IS DISTINCT FROM OLD.spec::jsonb - stages THEN
    PERFORM SCHEMA.hpo_refuse(TG_TABLE_NAME, 'of its spec only budget, confirm and final may change');
  END IF;
  before := OLD.facts::jsonb;
  after := NEW.facts::jsonb;
  IF jsonb_strip_nulls(after - known) IS DISTINCT FROM jsonb_strip_nulls(before - known) THEN
    PERFORM SCHEMA.hpo_refuse(TG_TABLE_NAME, 'of its facts only the data and the place of its weights may change');
  END IF;
  IF after->>'weights' IS DISTINCT FROM before->>'weights' AND (before->>'weights' IS NOT NULL
      OR starts_with(after->>'weights', left(OLD.model_sha256, 16) || '/') IS NOT TRUE) THEN
    PERFORM SCHEMA.hpo_refuse(TG_TABLE_NAME, 'the place of its weights follows from their sha256');
  END IF;
  IF (after->'dataset', after->'data_changes', NEW.data_fingerprint)
      IS DISTINCT FROM (before->'dataset', before->'data_changes', OLD.data_fingerprint)
      AND (after #>> '{data_changes,-1,before}' = OLD.data_fingerprint
        AND after #>> '{data_changes,-1,after}' = NEW.data_fingerprint
        AND (after->'data_changes') - -1 = coalesce(before->'data_changes', '[]')) IS NOT TRUE THEN
    PERFORM SCHEMA.hpo_refuse(TG_TABLE_NAME, 'other data needs a record of the change');
  END IF;
  RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION SCHEMA.hpo_guard_claim() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  beat_s float8;
BEGIN
  IF SCHEMA.hpo_proves(OLD.token) OR SCHEMA.hpo_owns(TG_RELID) THEN
    RETURN NEW;
  END IF;
  IF NOT OLD.open THEN
    PERFORM SCHEMA.hpo_refuse(TG_TABLE_NAME, 'its trial has ended');
  END IF;
  IF SCHEMA.hpo_proves(NEW.token) IS NOT TRUE THEN
    PERFORM SCHEMA.hpo_refuse(TG_TABLE_NAME, 'the claim is not this node''s');
  END IF;
  IF OLD.token IS NOT NULL THEN
    -- after a jump of the clock, in either direction, the owner's next sign of life is near
    beat_s := abs(extract(epoch FROM
      (clock_timestamp() AT TIME ZONE 'UTC') - coalesce(OLD.beat_at, OLD.claimed_at)));
    IF beat_s < (SELECT (spec::jsonb #>> '{recovery,lease_s}')::float8 FROM SCHEMA.hpo_studies WHERE id = OLD.study_id)
    THEN
      PERFORM SCHEMA.hpo_refuse(TG_TABLE_NAME, 'the lease of its owner has not run out');
    END IF;
  END IF;
  RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION SCHEMA.hpo_guard_trial() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  same SCHEMA.hpo_trials := NEW;
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF SCHEMA.hpo_has_claim(NEW.study_id, NEW.ordinal) THEN
      RETURN NEW;
    END IF;
  ELSE
    IF OLD.recorded_at IS NULL AND SCHEMA.hpo_has_claim(OLD.study_id, OLD.ordinal) THEN
      RETURN NEW;
    END IF;
    same.mlflow_run_id := OLD.mlflow_run_id;  -- `hpo sync` writes it on any node
    IF same IS NOT DISTINCT FROM OLD THEN
      RETURN NEW;
    END IF;
  END IF;
  PERFORM SCHEMA.hpo_leave_to_the_owner(TG_RELID, TG_TABLE_NAME);
  RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION SCHEMA.hpo_guard_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  same SCHEMA.hpo_attempts := NEW;
BEGIN
  IF SCHEMA.hpo_has_claim(NEW.study_id, NEW.ordinal) THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    same.uploads := OLD.uploads;  -- any node deletes what closed ordinals have left in the store
    IF same IS NOT DISTINCT FROM OLD AND NOT EXISTS (SELECT FROM SCHEMA.hpo_claims AS c
        WHERE c.study_id = OLD.study_id AND c.ordinal = OLD.ordinal AND c.open) THEN
      RETURN NEW;
    END IF;
  END IF;
  PERFORM SCHEMA.hpo_leave_to_the_owner(TG_RELID, TG_TABLE_NAME);
  RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION SCHEMA.hpo_guard_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM SCHEMA.hpo_trials AS t JOIN SCHEMA.hpo_claims AS c USING (study_id, ordinal)
      WHERE t.study_id = NEW.study_id AND t.number = NEW.number AND t.recorded_at IS NULL
        AND SCHEMA.hpo_proves(c.token)) THEN
    RETURN NEW;
  END IF;
  PERFORM SCHEMA.hpo_leave_to_the_owner(TG_RELID, TG_TABLE_NAME);
  RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION SCHEMA.hpo_guard_optuna_trial() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- a trial without a row of ours is waiting, enqueued by a person, or was left by a node that lost its claim
  IF OLD.state NOT IN ('COMPLETE', 'PRUNED', 'FAIL') AND NOT EXISTS (SELECT FROM SCHEMA.hpo_trials AS t
      JOIN SCHEMA.hpo_claims AS c USING (study_id, ordinal)
      WHERE t.study_id = OLD.study_id AND t.number = OLD.number AND SCHEMA.hpo_proves(c.token) IS NOT TRUE) THEN
    RETURN NEW;
  END IF;
  IF NEW IS DISTINCT FROM OLD AND EXISTS (SELECT FROM SCHEMA.hpo_studies WHERE id = OLD.study_id) THEN
    PERFORM SCHEMA.hpo_leave_to_the_owner(TG_RELID, TG_TABLE_NAME);
  END IF;
  RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION SCHEMA.hpo_guard_optuna_part() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM SCHEMA.trials AS o JOIN SCHEMA.hpo_studies AS s ON s.id = o.study_id
      LEFT JOIN SCHEMA.hpo_trials AS t ON t.study_id = o.study_id AND t.number = o.number
      LEFT JOIN SCHEMA.hpo_claims AS c ON c.study_id = t.study_id AND c.ordinal = t.ordinal
      WHERE o.trial_id = NEW.trial_id AND (o.state IN ('COMPLETE', 'PRUNED', 'FAIL')
        OR t.number IS NOT NULL AND SCHEMA.hpo_proves(c.token) IS NOT TRUE)) THEN
    PERFORM SCHEMA.hpo_leave_to_the_owner(TG_RELID, TG_TABLE_NAME);
  END IF;
  RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION SCHEMA.hpo_guard_optuna_study() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW IS DISTINCT FROM OLD AND EXISTS (SELECT FROM SCHEMA.hpo_studies WHERE id = OLD.study_id)
      AND NOT SCHEMA.hpo_owns(TG_RELID) THEN
    PERFORM SCHEMA.hpo_refuse(TG_TABLE_NAME, 'the study has been made');
  END IF;
  RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER hpo_guard BEFORE UPDATE ON SCHEMA.hpo_studies
  FOR EACH ROW EXECUTE FUNCTION SCHEMA.hpo_guard_study();
CREATE OR REPLACE TRIGGER hpo_guard BEFORE UPDATE ON SCHEMA.hpo_claims
  FOR EACH ROW EXECUTE FUNCTION SCHEMA.hpo_guard_claim();
CREATE OR REPLACE TRIGGER hpo_guard BEFORE INSERT OR UPDATE ON SCHEMA.hpo_trials
  FOR EACH ROW EXECUTE FUNCTION SCHEMA.hpo_guard_trial();
CREATE OR REPLACE TRIGGER hpo_guard BEFORE INSERT OR UPDATE ON SCHEMA.hpo_attempts
  FOR EACH ROW EXECUTE FUNCTION SCHEMA.hpo_guard_attempt();
CREATE OR REPLACE TRIGGER hpo_guard BEFORE INSERT OR UPDATE ON SCHEMA.hpo_epochs
  FOR EACH ROW EXECUTE FUNCTION SCHEMA.hpo_guard_epoch();
CREATE OR REPLACE TRIGGER hpo_guard BEFORE UPDATE ON SCHEMA.trials
  FOR EACH ROW EXECUTE FUNCTION SCHEMA.hpo_guard_optuna_trial();
CREATE OR REPLACE TRIGGER hpo_guard BEFORE INSERT OR UPDATE ON SCHEMA.trial_values
  FOR EACH ROW EXECUTE FUNCTION SCHEMA.hpo_guard_optuna_part();
CREATE OR REPLACE TRIGGER hpo_guard BEFORE INSERT OR UPDATE ON SCHEMA.trial_intermediate_values
  FOR EACH ROW EXECUTE FUNCTION SCHEMA.hpo_guard_optuna_part();
CREATE OR REPLACE TRIGGER hpo_guard BEFORE INSERT OR UPDATE ON SCHEMA.trial_user_attributes
  FOR EACH ROW EXECUTE FUNCTION SCHEMA.hpo_guard_optuna_part();
CREATE OR REPLACE TRIGGER hpo_guard BEFORE INSERT OR UPDATE ON SCHEMA.trial_system_attributes
  FOR EACH ROW EXECUTE FUNCTION SCHEMA.hpo_guard_optuna_part();
CREATE OR REPLACE TRIGGER hpo_guard BEFORE UPDATE ON SCHEMA.study_user_attributes
  FOR EACH ROW EXECUTE FUNCTION SCHEMA.hpo_guard_optuna_study();
