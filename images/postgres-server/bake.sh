# Makes the cluster that every container starts from a copy of, from the seed on standard input, which makes its
# databases itself. Small WAL segments keep that copy short.
set -eu
cd /srv/postgres
export PGDATA=/srv/postgres/data PGHOST=/tmp
initdb --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C.UTF-8 \
    --auth=peer --wal-segsize=1 --no-sync > /dev/null
cp postgresql.conf pg_hba.conf "$PGDATA"
pg_ctl --silent --wait --options='-c listen_addresses= -c unix_socket_directories=/tmp -c log_min_duration_statement=-1' start
psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --dbname postgres --file -
vacuumdb --quiet --all --analyze
psql --quiet --dbname postgres --command CHECKPOINT
pg_ctl --silent --wait --mode=fast stop
du -sm "$PGDATA"
