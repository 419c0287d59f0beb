# The root file system is read-only: the server works on a copy in memory, which ends with the container.
set -eu
cp -R /srv/postgres/data/. "$PGDATA"
exec postgres
