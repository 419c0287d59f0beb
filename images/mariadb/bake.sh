# Makes the databases that every container starts from a copy of, with a server that listens on a socket only.
set -eu
cd /srv/mariadb
data=/srv/mariadb/data
mariadb-install-db --defaults-file=my.cnf --datadir="$data" --skip-test-db \
    --auth-root-authentication-method=socket --auth-root-socket-user=mysql > /dev/null
run() { mariadb --no-defaults --skip-ssl --user=mysql --socket=/tmp/bake.sock "$@"; }
mariadbd --defaults-file=my.cnf --datadir="$data" --socket=/tmp/bake.sock --skip-networking \
    --innodb-fast-shutdown=0 --general-log=0 --slow-query-log=0 &
server=$!
tries=0
until run -e 'SELECT 1' > /dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || exit 1
    sleep 0.1
done
for database in warehouse crm; do
    run -e "CREATE DATABASE $database CHARACTER SET utf8mb4"
    run "$database" < "$database.sql"
done
run < accounts.sql
kill "$server"
wait "$server"
rm bake.sh warehouse.sql crm.sql accounts.sql
du -sm "$data"
