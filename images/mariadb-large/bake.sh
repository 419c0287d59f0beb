# Makes the data anew from the seed on standard input, in place of its parent's; the server listens on a socket only.
set -eu
cd /srv/mariadb
rm -rf data
mariadb-install-db --defaults-file=my.cnf --datadir=/srv/mariadb/data --skip-test-db \
    --auth-root-authentication-method=socket --auth-root-socket-user=mysql > /dev/null
mariadbd --defaults-file=my.cnf --datadir=/srv/mariadb/data --socket=/tmp/bake.sock --skip-networking \
    --innodb-fast-shutdown=0 --general-log=0 --slow-query-log=0 &
server=$!
tries=0
until mariadb --no-defaults --skip-ssl --user=mysql --socket=/tmp/bake.sock -e 'SELECT 1' > /dev/null 2>&1 < /dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || exit 1
    sleep 0.1
done
mariadb --no-defaults --skip-ssl --user=mysql --socket=/tmp/bake.sock
kill "$server"
wait "$server"
rm bake.sh
du -sm data
