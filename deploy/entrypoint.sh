#!/bin/sh
# PGPASSWORD_FILE names a mounted secret, for programs that know only libpq's PGPASSWORD (MLflow, optuna-dashboard).
set -eu
if [ -n "${PGPASSWORD_FILE:-}" ]; then
  PGPASSWORD="$(cat "$PGPASSWORD_FILE")"
  export PGPASSWORD
  unset PGPASSWORD_FILE
fi
exec "$@"
