# The greeting comes from a process of this connection, not from the listener.
exec 3<> /dev/tcp/127.0.0.1/21 || exit 1
read -r -t 1 code _ <&3 && [ "$code" = 220 ] || exit 1
printf 'QUIT\r\n' >&3
read -r -t 1 code _ <&3 && [ "$code" = 221 ]
