# Asks for the page. Bash's own socket costs 3 ms.
exec 3<> /dev/tcp/127.0.0.1/80 || exit 1
printf 'GET / HTTP/1.0\r\n\r\n' >&3
read -r -t 1 _ status _ <&3 && [ "$status" = 200 ]
