#!/usr/bin/env bash
# What the entrypoint of the official image does with these variables: a database on the first start.
set -euo pipefail
if [[ ! -s $PGDATA/PG_VERSION ]]; then
  mkdir -p "$PGDATA"
  chmod 0700 "$PGDATA"
  initdb --username "$POSTGRES_USER" --pwfile <(printf '%s\n' "$POSTGRES_PASSWORD") --auth-local trust --auth-host scram-sha-256 --encoding UTF8 --locale C.UTF-8
  printf 'host all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
  pg_ctl --wait --options "-c listen_addresses= -c unix_socket_directories=/tmp" start
  if [[ $POSTGRES_DB != postgres ]]; then
    psql --host /tmp --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 --command "CREATE DATABASE \"$POSTGRES_DB\""
  fi
  pg_ctl --wait --mode fast stop
fi
chmod 0700 "$PGDATA"
exec "$@" -c listen_addresses='*'
