# Asks for the entry that is stored last.
exec 3<> /dev/tcp/127.0.0.1/11211 || exit 1
printf 'get filled\r\nquit\r\n' >&3
read -r -t 1 line <&3 && [[ $line == 'VALUE filled'* ]]
