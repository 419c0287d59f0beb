# By its local socket, so that a probe is no connection from the network in the log.
ldapsearch -x -LLL -o nettimeout=1 -H ldapi://%2Frun%2Fldap%2Fldapi -s base -b dc=pineharbour,dc=example o \
    | grep -q 'Pineharbour Ltd'
