# Makes the cluster at the first start, sets the roles' passwords from secrets at every start, then serves.
# A secret is rotated by writing its file anew and starting this container again.
set -eu
PATH=/usr/lib/postgresql/17/bin:$PATH
export PGDATA=/var/lib/postgresql/data PGHOST=/run/postgresql
export SECRETS="${POSTGRES_SECRETS:-/run/secrets}"
settings=/srv/postgres/postgresql.conf

say() { printf '{"message":"%s"}\n' "$1"; }

for role in owner app; do
    if [ ! -s "$SECRETS/database_${role}_password" ]; then
        say "the secret database_${role}_password is missing or empty; deploy/prepare makes it"
        exit 1
    fi
done

mkdir -p /run/postgresql/log
# Whole or not at all: a start that was cut off leaves no half cluster behind.
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    say "making the cluster"
    find "$PGDATA" -mindepth 1 -delete
    initdb --pgdata="$PGDATA/new" --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 \
        --locale=C.UTF-8 --auth=peer --data-checksums > /dev/null
    mv "$PGDATA"/new/* "$PGDATA"/
    rmdir "$PGDATA/new"
fi

# Nobody but this script is let in while roles are set.
pg_ctl --silent --wait --options="-c config_file=$settings -c listen_addresses= -c logging_collector=off \
    -c log_destination=stderr -c log_min_messages=fatal" start
# psql reads the passwords by itself: every process of the host sees what stands in a command line.
psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --dbname postgres <<'SQL'
\set QUIET on
\set owner `cat "$SECRETS/database_owner_password"`
\set app `cat "$SECRETS/database_app_password"`
SET client_min_messages = warning;
SELECT 'CREATE ROLE owner LOGIN CREATEROLE' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'owner') \gexec
SELECT 'CREATE ROLE approval_app LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'approval_app') \gexec
GRANT approval_app TO owner WITH ADMIN OPTION;
SET log_statement = 'none';
ALTER ROLE owner PASSWORD :'owner';
ALTER ROLE approval_app PASSWORD :'app';
SELECT 'CREATE ROLE approval_delivery LOGIN'
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'approval_delivery') \gexec
GRANT approval_delivery TO owner WITH ADMIN OPTION;
-- Without its secret it has no password, and so no way in.
\set delivery `cat "$SECRETS/database_delivery_password" 2>/dev/null`
ALTER ROLE approval_delivery PASSWORD NULL;
SELECT format('ALTER ROLE approval_delivery PASSWORD %L', :'delivery') WHERE :'delivery' <> '' \gexec
SELECT 'CREATE DATABASE dryrun OWNER owner' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'dryrun') \gexec
REVOKE ALL ON DATABASE dryrun FROM PUBLIC;
GRANT CONNECT ON DATABASE dryrun TO owner, approval_app, approval_delivery;
SQL
pg_ctl --silent --wait --mode=fast stop

: > /run/postgresql/log/postgresql.json
tail -n +1 -F /run/postgresql/log/postgresql.json 2> /dev/null &
exec postgres -c config_file="$settings"
