# Says hello: the answer comes from the process of this connection, not from the listener alone. Word by word, as
# the server wants it.
exec 3<> /dev/tcp/127.0.0.1/25 || exit 1
read -r -t 1 code _ <&3 && [ "$code" = 220 ] || exit 1
printf 'HELO localhost\r\n' >&3
read -r -t 1 code _ <&3 && [ "$code" = 250 ] || exit 1
printf 'QUIT\r\n' >&3
read -r -t 1 code _ <&3 && [ "$code" = 221 ]
