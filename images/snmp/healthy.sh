snmpget -v2c -c public -t 0.8 -r 0 -Oqv 127.0.0.1 .1.3.6.1.2.1.1.5.0 | grep -q pineharbour
