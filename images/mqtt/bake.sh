# Publishes the last reading of every sensor to a server that only this build reaches, and keeps its store.
set -eu
cd /srv/mqtt
mkdir /srv/mqtt/data
sed 's,/run/mosquitto/,/srv/mqtt/data/,; s/ 0\.0\.0\.0$/ 127.0.0.1/; /^log_type [win]/d' mosquitto.conf > /tmp/mosquitto.conf
mosquitto -c /tmp/mosquitto.conf &
server=$!
for _ in {1..100}; do { : > /dev/tcp/127.0.0.1/1883; } 2> /dev/null && break; sleep 0.05; done
put() { mosquitto_pub -h 127.0.0.1 -r -t "$1" -m "$2"; }
for aisle in a b c d; do
    put "warehouse/$aisle/temperature" '{"celsius":14.5,"at":"2026-02-03T06:00:00Z"}'
    put "warehouse/$aisle/door" closed
done
put office/alarm/code CANARY-mqtt-retained-84d3b6
put warehouse/status ready
kill "$server"
wait "$server"
rm /tmp/mosquitto.conf bake.sh
ls -l data
