# Asks for the page that lists equipment, so the database has to answer too. Bash's own socket costs 3 ms.
exec 3<> /dev/tcp/127.0.0.1/8000 || exit 1
printf 'GET / HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
read -r -t 2 _ status _ <&3 && [ "$status" = 200 ]
