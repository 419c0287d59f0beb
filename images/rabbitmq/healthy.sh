# Offers the protocol and waits for the server's own introduction.
exec 3<> /dev/tcp/127.0.0.1/5672 || exit 1
printf 'AMQP\0\0\11\1' >&3
timeout 1 head -c 200 <&3 | grep -qa capabilities
