# Asks as its control room does, which is the one question that it survives.
exec 3<> /dev/tcp/127.0.0.1/20000 || exit 1
printf 'STATUS\n' >&3
read -r -t 1 word _ <&3 && [ "$word" = PUMP ]
