# Fills a server with job queues, feature flags, a leaderboard and a session, and leaves its dump.
set -eu
cd /srv/redis
redis-server redis.conf --bind 127.0.0.1 --daemonize yes > /dev/null
until redis-cli PING > /dev/null 2>&1; do sleep 0.05; done
{
    for number in $(seq 1 400); do echo "LPUSH queue:mail order-confirmation:$((90000 + number))"; done
    echo "SELECT 3"
    for flag in new-basket wet-weather-banner pay-later; do echo "SET flag:$flag on"; done
    echo "SELECT 7"
    for number in $(seq 1 50); do echo "ZADD pickers $((number * 37 % 500)) picker:$number"; done
    echo "SELECT 15"
    echo "HSET session:9b41 user 1187 token CANARY-redis-token-5b0c7e"
} | redis-cli | grep -E '^(ERR|\(error\))' && exit 1
redis-cli SHUTDOWN SAVE
test -s dump.rdb
rm seed.sh
