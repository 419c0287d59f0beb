"""What database servers hold, asked of their own catalogs by their own clients, as their owners."""

import json
import re
from typing import Any

from target_container import TargetContainer
from truth.facts import Facts, key
from truth.sockets import Listener

_POSTGRESQL_TABLES = """
SELECT coalesce(json_agg(json_build_array(n.nspname, c.relname, columns)), '[]')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
    LATERAL (SELECT json_agg(a.attname) AS columns FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS found
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
    AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""
_MARIADB = (
    "SELECT JSON_ARRAY(s.schema_name, c.table_name, c.column_name) FROM information_schema.schemata s "
    "LEFT JOIN information_schema.columns c ON c.table_schema = s.schema_name "
    "WHERE s.schema_name NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')"
)
_DOCUMENTS = """
import json, pymongo
client = pymongo.MongoClient("127.0.0.1", {port}, serverSelectionTimeoutMS=5000)
found = []
for database in client.list_database_names():
    for name in client[database].list_collection_names():
        documents = client[database][name].find()
        found.append([database, name, sorted({{field for document in documents for field in document}})])
print(json.dumps(found))
"""


def facts(target: TargetContainer, listener: Listener) -> Facts:
    """Return databases and tables behind this port; nothing for what is no database."""
    if listener.program == "postgres":
        return _postgresql(target, listener)
    if listener.program == "mariadbd":
        return _mariadb(target, listener)
    if listener.program == "redis-check-rdb":
        return _redis(target, listener)
    if "/srv/nx/serve.py" in listener.command:
        return _documents(target, listener)
    return {}


def _postgresql(target: TargetContainer, listener: Listener) -> Facts:
    def ask(database: str, sql: str) -> Any:
        command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"]
        return json.loads(target.execute(*command, text=sql))

    found: Facts = {}
    names = "SELECT json_agg(datname) FROM pg_database WHERE datallowconn AND NOT datistemplate"
    for database in ask("postgres", names):
        found["database", key(listener.key, database)] = {"engine": "postgresql"}
        for schema, table, columns in ask(database, _POSTGRESQL_TABLES):
            found["table", key(listener.key, database, schema, table)] = {"columns": columns}
    return found


def _mariadb(target: TargetContainer, listener: Listener) -> Facts:
    command = ["mariadb", "--defaults-file=/srv/mariadb/my.cnf", "--default-character-set=utf8mb4", "-BNr"]
    found: Facts = {}
    for line in target.execute(*command, text=_MARIADB).splitlines():
        database, table, column = json.loads(line)
        found["database", key(listener.key, database)] = {"engine": "mariadb"}
        if table is not None:
            place = "table", key(listener.key, database, table)
            found.setdefault(place, {"columns": []})["columns"].append(column)
    return found


def _redis(target: TargetContainer, listener: Listener) -> Facts:
    configuration = target.execute("cat", "/srv/redis/redis.conf")
    password = re.search(r"(?m)^requirepass (\S+)", configuration)
    environment = {"REDISCLI_AUTH": password[1]} if password else {}
    keyspace = target.execute("redis-cli", "-p", str(listener.port), "INFO", "keyspace", env=environment)
    numbers = re.findall(r"(?m)^db(\d+):keys=\d+", keyspace)
    return {("database", key(listener.key, number)): {"engine": "redis"} for number in numbers}


def _documents(target: TargetContainer, listener: Listener) -> Facts:
    found: Facts = {}
    for database, collection, fields in json.loads(
        target.execute("python3", "-", text=_DOCUMENTS.format(port=listener.port))
    ):
        found["database", key(listener.key, database)] = {"engine": "mongodb"}
        found["table", key(listener.key, database, collection)] = {"columns": fields}
    return found
