# Fills a server with the seed and leaves its dump beside the configuration.
set -eu
cd /srv/redis
export REDISCLI_AUTH="$(sed -n 's/^requirepass //p' redis.conf)"
redis-server redis.conf --bind 127.0.0.1 --daemonize yes > /dev/null
until redis-cli PING > /dev/null 2>&1; do sleep 0.05; done
redis-cli < seed.txt | grep -E '^(ERR|\(error\))' && exit 1
redis-cli SHUTDOWN SAVE
test -s dump.rdb
rm seed.txt bake.sh
