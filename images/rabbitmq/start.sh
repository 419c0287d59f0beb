# The root file system is read-only: state lies in memory and ends with the container.
set -eu
export HOME=/run/rabbitmq
# A name of its own host only, and nothing between nodes is open to the network: no port mapper, no distribution.
export RABBITMQ_NODENAME=rabbit@localhost ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_CONFIG_FILE=/srv/rabbitmq/rabbitmq.config RABBITMQ_MNESIA_BASE=/run/rabbitmq/nodes
export RABBITMQ_ENABLED_PLUGINS_FILE=/srv/rabbitmq/enabled_plugins RABBITMQ_PID_FILE=/run/rabbitmq/pid
export RABBITMQ_LOG_BASE=/run/rabbitmq RABBITMQ_GENERATED_CONFIG_DIR=/run/rabbitmq/config
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='+S 1:1 +SDcpu 1:1 +SDio 1 +A 2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}'
# The runtime takes this process's place, so that signals reach it.
export RUNNING_UNDER_SYSTEMD=true
umask 077
exec /usr/lib/rabbitmq/bin/rabbitmq-server
