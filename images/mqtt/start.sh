# The root file system is read-only: the server works on a copy in memory, which ends with the container.
set -eu
cp /srv/mqtt/data/* /run/mosquitto
exec mosquitto -c /srv/mqtt/mosquitto.conf
