# Reads one register by Modbus, as its control room does. Bash's own socket costs 3 ms.
exec 3<> /dev/tcp/127.0.0.1/502 || exit 1
printf '\0\1\0\0\0\6\1\3\0\0\0\1' >&3
read -r -t 1 -d '' -N 4 <&3 || [ $? -lt 128 ]
