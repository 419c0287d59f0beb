"""By what a program gives itself away over HTTP: a reviewed table, from each product's documentation.

A row holds for any port. The first row that fits names the product.
"""

import re
from typing import NamedTuple

_VERSION = r"v?(?P<version>\d[\w.+~-]{0,30})"
_IN_JSON = rf'"version"\s{{0,4}}:\s{{0,4}}"{_VERSION}"'


class HttpSign(NamedTuple):
    """One sign. Patterns are searched, in any case of letters."""

    product: str
    where: str
    """`body`; `json` and `text`: the body where it is JSON, or no page of HTML (which may quote either);
    `title`, `generator` (meta tag), or a header's name in lower case."""
    pattern: str
    """With a group `version` where the same place states it."""
    version: str = ""
    """Pattern of the version in the same answer's body, or in that of `at`."""
    at: str = ""
    """Path that states the version; requested only once the pattern fits."""


def _build_info(metric: str) -> str:
    return rf'^{metric}_build_info\{{[^}}\n]{{0,400}}?\bversion="{_VERSION}"'


_ROWS: tuple[HttpSign, ...] = (
    # Databases and search.
    HttpSign(
        "OpenSearch REST API",
        "json",
        r'"distribution"\s{0,4}:\s{0,4}"opensearch"',
        rf'"number"\s{{0,4}}:\s{{0,4}}"{_VERSION}"',
    ),
    HttpSign(
        "Elasticsearch REST API",
        "json",
        r'"tagline"\s{0,4}:\s{0,4}"You Know, for Search"',
        rf'"number"\s{{0,4}}:\s{{0,4}}"{_VERSION}"',
    ),
    HttpSign("Elasticsearch REST API", "x-elastic-product", r"^Elasticsearch"),
    HttpSign(
        "Elasticsearch REST API", "json", r"missing authentication (?:credentials|token) for REST request"
    ),
    HttpSign("Elasticsearch Kibana", "kbn-version", rf"^{_VERSION}"),
    HttpSign("Elasticsearch Kibana", "kbn-name", r"."),
    HttpSign("OpenSearch Dashboards", "osd-name", r".", rf"&quot;version&quot;:&quot;{_VERSION}&quot;"),
    HttpSign("CouchDB httpd", "json", r'"couchdb"\s{0,4}:\s{0,4}"Welcome"', _IN_JSON),
    HttpSign("InfluxDB http admin", "x-influxdb-version", rf"^{_VERSION}"),
    HttpSign("ClickHouse", "x-clickhouse-summary", r"."),
    HttpSign("Neo4j", "json", rf'"neo4j_version"\s{{0,4}}:\s{{0,4}}"{_VERSION}"'),
    HttpSign("ArangoDB", "server", r"^ArangoDB", _IN_JSON, "/_api/version"),
    HttpSign("Qdrant", "json", r'"title"\s{0,4}:\s{0,4}"qdrant - vector search engine"', _IN_JSON),
    HttpSign(
        "Weaviate",
        "json",
        r'"documentationHref"\s{0,4}:\s{0,4}"https://(?:www\.)?weaviate\.io',
        _IN_JSON,
        "/v1/meta",
    ),
    HttpSign("Meilisearch", "json", r'"status"\s{0,4}:\s{0,4}"Meilisearch is running"'),
    HttpSign("Apache Solr", "title", r"^Solr Admin"),
    HttpSign("RethinkDB", "title", r"^RethinkDB Administration Console"),
    HttpSign("CockroachDB", "title", r"^Cockroach Console"),
    HttpSign("YugabyteDB", "title", r"^YugabyteDB"),
    HttpSign("Tarantool", "server", rf"^Tarantool http(?: \(tarantool {_VERSION}\))?"),
    HttpSign("etcd", "json", rf'"etcdserver"\s{{0,4}}:\s{{0,4}}"{_VERSION}"'),
    # Its metrics have a listener of their own.
    HttpSign(
        "etcd", "text", r"^etcd_cluster_version\{", rf'^etcd_server_version\{{server_version="{_VERSION}"'
    ),
    HttpSign("Patroni", "json", rf'"patroni"\s{{0,4}}:\s{{0,4}}\{{"version"\s{{0,4}}:\s{{0,4}}"{_VERSION}"'),
    HttpSign("TiDB", "json", rf'"version"\s{{0,4}}:\s{{0,4}}"[\d.]{{1,12}}-TiDB-{_VERSION}"'),
    HttpSign("Webdis", "server", r"^Webdis"),
    # Metrics, logs, traces.
    HttpSign(
        "Prometheus", "title", r"^Prometheus Time Series Collection", _IN_JSON, "/api/v1/status/buildinfo"
    ),
    HttpSign("Prometheus Alertmanager", "title", r"^Alertmanager$", _build_info("alertmanager"), "/metrics"),
    HttpSign(
        "Prometheus Pushgateway", "title", r"^Prometheus Pushgateway", _build_info("pushgateway"), "/metrics"
    ),
    HttpSign(
        "VictoriaMetrics",
        "body",
        r"<h2>Single-node VictoriaMetrics</h2>",
        rf'^vm_app_version\{{[^}}\n]{{0,300}}?short_version="{_VERSION}"',
        "/metrics",
    ),
    HttpSign("VictoriaMetrics", "text", rf'^vm_app_version\{{[^}}\n]{{0,300}}?short_version="{_VERSION}"'),
    HttpSign("VictoriaMetrics", "www-authenticate", r'\brealm="VictoriaMetrics"'),
    HttpSign("Grafana http", "title", r"^Grafana$", _IN_JSON, "/api/health"),
    HttpSign("Jaeger", "title", r"^Jaeger UI"),
    HttpSign("Zipkin", "title", r"^Zipkin"),
    HttpSign("Graphite Web", "title", r"^Graphite Browser"),
    HttpSign("Graylog", "x-graylog-node-id", r"."),
    HttpSign("Zabbix", "title", r"(?:^|: )Zabbix$"),
    HttpSign("NetData embedded httpd", "server", rf"^Netdata Embedded HTTP Server(?: {_VERSION})?"),
    HttpSign("Icinga 2", "server", r"^Icinga/[rv]?(?P<version>\d[\w.-]{0,30})"),
    HttpSign("monit httpd", "server", rf"^monit {_VERSION}"),
    HttpSign("Prometheus exporter exporter", "body", r"\A\s{0,20}<h2>Exporters:</h2>\s{0,20}<ul>"),
    HttpSign(
        "systemd-journal-gatewayd",
        "body",
        r"\A<html><body>Please continue to the <a href=\"/browse\">journal browser</a>\.</body></html>\Z",
    ),
    HttpSign("collectd", "text", r"^# HELP collectd_\w+ write_prometheus plugin"),
    HttpSign("Glances", "title", r"^Glances\b"),
    HttpSign("mtail", "title", r"^mtail on \S*:\d{1,5}$", rf"<p>Build: mtail version {_VERSION}"),
    HttpSign("Performance Co-Pilot pmproxy", "body", rf"<i>pmproxy/{_VERSION}</i>"),
    HttpSign("Uptime Kuma", "title", r"^Uptime Kuma"),
    # Containers and secrets.
    HttpSign("Docker Registry", "docker-distribution-api-version", r"^registry/"),
    HttpSign("Docker remote API", "server", rf"^Docker/{_VERSION}"),
    HttpSign(
        "Kubernetes API server",
        "json",
        r'"kind"\s{0,4}:\s{0,4}"Status",\s{0,8}"apiVersion"\s{0,4}:\s{0,4}"v1"',
        rf'"gitVersion"\s{{0,4}}:\s{{0,4}}"{_VERSION}"',
        "/version",
    ),
    HttpSign(
        "Portainer", "title", r"^Portainer", rf'"Version"\s{{0,4}}:\s{{0,4}}"{_VERSION}"', "/api/status"
    ),
    HttpSign("Rancher", "title", r"^Rancher"),
    HttpSign("Harbor", "title", r"^Harbor$"),
    HttpSign("HashiCorp Consul agent", "body", r"^Consul Agent"),
    HttpSign("HashiCorp Consul agent", "title", r"^Consul(?: by HashiCorp)?", rf"CONSUL_VERSION: {_VERSION}"),
    # The keys that it advertises to clients that bind a disk to the network.
    HttpSign("Tang", "content-type", r"^application/jose\+json"),
    HttpSign("HashiCorp Nomad", "title", r"^Nomad$"),
    HttpSign("HashiCorp Vault", "title", r"^Vault$", _IN_JSON, "/v1/sys/health"),
    # Proxies and caches.
    HttpSign(
        "HAProxy http proxy", "title", r"^Statistics Report for HAProxy", rf"HAProxy version {_VERSION}"
    ),
    HttpSign("Traefik", "title", r"^Traefik", rf'"Version"\s{{0,4}}:\s{{0,4}}"{_VERSION}"', "/api/version"),
    HttpSign("Envoy", "title", r"^Envoy Admin"),
    HttpSign("Kong", "server", rf"^kong/{_VERSION}"),
    HttpSign("Varnish http accelerator", "via", rf"\(Varnish/{_VERSION}\)"),
    HttpSign("Varnish http accelerator", "x-varnish", r"^[\d ]+$"),
    # As its built-in configuration words an error, with whatever headers removed.
    HttpSign(
        "Varnish http accelerator",
        "body",
        r"<h3>Guru Meditation:</h3>\s{0,20}<p>XID: \d{1,20}</p>\s{0,20}<hr>\s{0,20}"
        r"<p>Varnish cache server</p>",
    ),
    HttpSign("Squid http proxy", "via", rf"\(squid/{_VERSION}\)"),
    HttpSign("Squid http proxy", "x-squid-error", r"."),
    HttpSign("tinyproxy http proxy", "server", rf"^tinyproxy(?:/{_VERSION})?"),
    HttpSign("Privoxy http proxy", "body", r"\AInvalid header received from client\.\s{0,4}\Z"),
    HttpSign("Privoxy http proxy", "body", r"<title>[^<]{0,80}Privoxy"),
    HttpSign("Apt-Cacher NG", "server", r"^Debian Apt-Cacher NG(?:/(?P<version>\d[\w.-]{0,20}))?"),
    HttpSign(
        "Apt-Cacher NG", "body", r"<(?:h1|td class=\"title\"[^>]{0,100})>Apt-Cacher NG Usage Information<"
    ),
    HttpSign("Tor SOCKS proxy", "body", r"<title>Tor is not an HTTP Proxy"),
    # As Pound writes every error, on one line; Apache httpd has line breaks in it.
    HttpSign(
        "Pound http proxy",
        "body",
        r'\A<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2\.0//EN"><html><head>'
        r"<title>503 Service Unavailable</title></head>"
        r"<body><h1>Service Unavailable</h1><p>The server is temporarily unable [^<]{1,200}"
        r"</p></body></html>\Z",
    ),
    HttpSign(
        "E2guardian http proxy",
        "title",
        r"^E2guardian - (?:400 Bad Request|Unable to load website|Access Denied)",
    ),
    HttpSign("Nginx Proxy Manager", "title", r"^Nginx Proxy Manager"),
    HttpSign("i2pd", "title", r"\bI2Pd?\b"),
    # Names and addresses.
    HttpSign("ISC BIND statistics httpd", "server", r"^libisc", rf"<version>{_VERSION}</version>"),
    HttpSign(
        "PowerDNS Authoritative Server",
        "title",
        r"^PowerDNS Authoritative Server",
        rf"\bPowerDNS[ /]{_VERSION}",
    ),
    HttpSign("PowerDNS Recursor", "title", r"^PowerDNS Recursor"),
    HttpSign("dnsdist", "title", r"^dnsdist"),
    HttpSign("Knot Resolver", "title", r"^kresd @ "),
    HttpSign("dnss", "title", r"^dnss @"),
    # Of the three that ask in this name, it alone writes the scheme in lower case.
    HttpSign("dnsdist", "www-authenticate", r'^(?-i:basic) realm="PowerDNS"'),
    HttpSign("PowerDNS", "www-authenticate", r'realm="PowerDNS"'),
    HttpSign(
        "Kea DHCP control agent", "json", r'\A\{\s{0,4}"result"\s{0,4}:\s{0,4}\d{3},\s{0,4}"text"\s{0,4}:'
    ),
    # Version control and builds.
    HttpSign("Jenkins", "x-jenkins", rf"^{_VERSION}"),
    HttpSign("GitLab", "x-gitlab-meta", r"."),
    HttpSign("GitLab", "title", r"(?:^|· )GitLab$"),
    HttpSign("Gitea", "body", r"<footer\b[\s\S]{0,400}?Powered by Gitea", _IN_JSON, "/api/v1/version"),
    HttpSign("Forgejo", "body", r"<footer\b[\s\S]{0,400}?Powered by Forgejo", _IN_JSON, "/api/v1/version"),
    HttpSign("Gogs", "body", r"Gogs Version: (?P<version>\d[\d.]{0,20})"),
    HttpSign(
        "Gerrit Code Review", "title", r"^Gerrit Code Review", rf'"{_VERSION}"', "/config/server/version"
    ),
    HttpSign("SonarQube", "title", r"^SonarQube", rf"^{_VERSION}$", "/api/server/version"),
    HttpSign("Sonatype Nexus Repository", "server", rf"^Nexus/{_VERSION}"),
    HttpSign("JFrog Artifactory", "x-jfrog-version", rf"^Artifactory/{_VERSION}"),
    HttpSign("JFrog Artifactory", "server", rf"^Artifactory/{_VERSION}"),
    HttpSign("TeamCity", "teamcity-node-id", r"."),
    HttpSign("Jira", "title", r"(?:^|- )Jira$", rf'data-version="{_VERSION}"'),
    HttpSign(
        "Confluence", "x-confluence-request-time", r".", rf'name="ajs-version-number" content="{_VERSION}"'
    ),
    HttpSign("Redmine", "title", r"^Redmine$"),
    HttpSign("Mercurial hgweb", "title", r"^Mercurial repositories index"),
    HttpSign("cgit", "generator", rf"^cgit {_VERSION}$"),
    HttpSign("gitweb", "generator", rf"^gitweb/{_VERSION} git/\d"),
    HttpSign("Fossil", "body", rf"\bby\s+Fossil {_VERSION}"),
    HttpSign(
        "klaus", "body", rf'powered by <a href="https://github\.com/jonashaag/klaus">klaus</a> {_VERSION}'
    ),
    HttpSign("Loggerhead", "body", r"<div id=\"loggerheadCont\">"),
    HttpSign("Trac", "body", rf"Powered by <a[^>]{{0,200}}>\s{{0,20}}<strong>Trac {_VERSION}"),
    HttpSign("elfutils debuginfod", "body", rf"\Adebuginfod \(elfutils\) {_VERSION}"),
    # Queues and streams.
    HttpSign("RabbitMQ", "title", r"^RabbitMQ Management"),
    HttpSign("RabbitMQ", "text", rf'^rabbitmq_build_info\{{rabbitmq_version="{_VERSION}"'),
    HttpSign(
        "RabbitMQ",
        "text",
        r'^rabbitmq_build_info\{[^}\n]{0,400}?rabbitmq_version="(?P<version>\d[\w.-]{0,30})"',
    ),
    # Metrics that it counts itself; others who count for it have no such one. Its name comes after 64 KiB.
    HttpSign("RabbitMQ", "text", r"^# TYPE rabbitmq_erlang_processes_used gauge$"),
    HttpSign("Apache ActiveMQ Artemis", "title", r"^Apache ActiveMQ Artemis", rf"Artemis/{_VERSION}"),
    HttpSign("Apache ActiveMQ", "title", r"^Apache ActiveMQ"),
    HttpSign("Apache ActiveMQ", "www-authenticate", r'realm="ActiveMQRealm"'),
    HttpSign(
        "NATS server",
        "body",
        r"<a href=[\"']?\.?/?varz\b[\s\S]{0,400}?<a href=[\"']?\.?/?connz\b",
        _IN_JSON,
        "/varz",
    ),
    HttpSign("Apache Flink", "title", r"^Apache Flink Web Dashboard"),
    HttpSign("Apache Airflow", "title", r"(?:^|- )Airflow$"),
    HttpSign("Apache Spark", "title", r"^Spark (?:Master|Worker) at"),
    HttpSign("Apache Hadoop", "title", r"^(?:Namenode|DataNode) Information"),
    # Clouds, storage and backup.
    HttpSign(
        "OpenStack Swift",
        "x-trans-id",
        r"^tx[0-9a-f]{21}-[0-9a-f]{10}",
        rf'"swift"\s{{0,4}}:\s{{0,4}}\{{\s{{0,4}}"version"\s{{0,4}}:\s{{0,4}}"{_VERSION}"',
        "/info",
    ),
    HttpSign("MinIO S3-compatible object store", "server", rf"^MinIO(?: Console|/{_VERSION})?$"),
    HttpSign("SeaweedFS", "server", rf"^Seaweed\w* \w* ?{_VERSION}"),
    HttpSign("Ceph Dashboard", "title", r"^Ceph"),
    HttpSign("MooseFS", "title", r"^MFS Info\b"),
    # A header of requests, which its remote control sends with every answer.
    HttpSign("rclone", "access-control-request-method", r"^POST, OPTIONS, GET, HEAD$"),
    HttpSign("rclone", "www-authenticate", r'\brealm="rclone"'),
    HttpSign("Syncthing relay", "json", r'"numPendingSessionKeys"\s{0,4}:\s{0,4}\d', _IN_JSON),
    HttpSign("Syncthing Web UI", "x-syncthing-version", rf"^{_VERSION}"),
    HttpSign("Syncthing Web UI", "title", r"^Syncthing"),
    HttpSign("Nextcloud", "title", r"(?:^|[-\u2013] )Nextcloud$"),
    # Chat, directory, identity, coins.
    # Its HTTP library, which coins that stem from it use as well.
    HttpSign("Monero", "server", r"^Epee-based", _IN_JSON, "/get_info"),
    HttpSign("ntfy", "body", r"\A<html><body> ntfy web root: "),
    HttpSign("ntfy", "text", r"^# TYPE ntfy_\w{1,40} "),
    HttpSign("StayRTR", "text", r"^# TYPE rpki_vrps gauge$"),
    HttpSign("Sipwise rtpengine", "text", r"^# TYPE rtpengine_sessions gauge$"),
    HttpSign("CFSSL", "body", r"<title>CFSSL</title>[\s\S]{0,1500}?<script src=\"/assets/cfssl\.js\""),
    HttpSign("GNU Mailman", "www-authenticate", r'\brealm="mailman3-rest"'),
    HttpSign("Matrix Synapse", "server", rf"^Synapse/{_VERSION}"),
    HttpSign("Matrix Synapse", "title", r"^Synapse is running"),
    HttpSign("Mattermost", "x-version-id", rf"^{_VERSION}"),
    HttpSign("Rocket.Chat", "title", r"^Rocket\.Chat"),
    HttpSign("ZNC IRC bouncer httpd", "server", r"^ZNC(?: |/)?(?:[^\d]{0,20}(?P<version>\d[\w.-]{0,20}))?"),
    HttpSign("Prosody XMPP BOSH httpd", "body", r"<p>Whatever you were looking for is not here\. "),
    HttpSign("Prosody XMPP BOSH httpd", "title", r"^Prosody (?:BOSH|WebSocket) endpoint"),
    HttpSign("ejabberd httpd", "www-authenticate", r'realm="ejabberd"'),
    HttpSign(
        "ejabberd httpd",
        "body",
        r"\A<\?xml version='1\.0'\?>\s<!DOCTYPE html PUBLIC [^>]{0,200}>\s"
        r"<html xmlns='http://www\.w3\.org/1999/xhtml' xml:lang='en' lang='en'><head><meta http-equiv",
    ),
    HttpSign("Keycloak", "title", r"^(?:Welcome to )?Keycloak"),
    HttpSign("Vaultwarden", "title", r"^Vaultwarden"),
    # Controllers and consoles.
    HttpSign("Proxmox Virtual Environment", "server", r"^pve-api-daemon/"),
    HttpSign("UniFi Network", "title", r"^UniFi Network"),
    HttpSign("Omada Controller", "title", r"^Omada Controller"),
    HttpSign("VMware vCenter", "title", r"^(?:VMware vSphere|vSphere Client|ID_VC_Welcome)"),
    HttpSign("Dell iDRAC", "title", r"\biDRAC ?\d*"),
    HttpSign("Cockpit web service", "body", r"data-cockpit|cockpit/login|<base href=\"/cockpit"),
    HttpSign("Cockpit web service", "title", r"^Cockpit"),
    # Its first page only leads to those for screens and for telephones.
    HttpSign(
        "Open Lighting Architecture",
        "body",
        r"<a href=\"ola\.html\">Full Version</a>\s{0,20}<a href=\"mobile\.html\">Mobile Version</a>",
    ),
    HttpSign("Apache Guacamole", "title", r"^Apache Guacamole"),
    HttpSign(
        "ocserv OpenConnect VPN server",
        "body",
        # Cisco's own states the version of the device.
        r'<config-auth client="vpn" type="auth-request">\s{0,4}<version who="sg">0\.1\(1\)</version>',
    ),
    HttpSign("ShellInABox", "title", r"^Shell In A Box"),
    HttpSign("phpMyAdmin", "title", r"^phpMyAdmin"),
    HttpSign("pgAdmin", "title", r"^pgAdmin 4"),
    HttpSign("Apache Tomcat", "title", rf"^Apache Tomcat/{_VERSION}"),
    HttpSign("Apache Tomcat", "body", rf"<h3>Apache Tomcat/{_VERSION}(?: \([^)<]{{1,40}}\))?</h3>"),
    # Its error page without a version (`showServerInfo="false"`).
    HttpSign(
        "Apache Tomcat",
        "body",
        r"<head><title>HTTP Status \d{3} \u2013 [^<]{1,60}</title><style type=\"text/css\">"
        r"body \{font-family:Tahoma,Arial,sans-serif;\} h1, h2, h3, b "
        r"\{color:white;background-color:#525D76;\}",
    ),
    # How it lists a folder, and refuses what is no request.
    HttpSign(
        "CivetWeb",
        "body",
        r"\A<!DOCTYPE html><html><head><title>Index of /[^<]{0,200}</title>"
        r"<style>th \{text-align: left;\}</style></head><body><h1>",
    ),
    HttpSign("CivetWeb", "body", r"\AError 400: Bad Request\nBad request\Z"),
    HttpSign(
        "BusyBox httpd",
        "body",
        r"\A<HTML><HEAD><TITLE>404 Not Found</TITLE></HEAD>\n<BODY><H1>404 Not Found</H1>\n"
        r"The requested URL was not found\n</BODY></HTML>\n?\Z",
    ),
    # Its error page, whatever it calls itself (`server.tag`).
    HttpSign(
        "lighttpd",
        "body",
        r"\A<!DOCTYPE html>\n<html lang=\"en\">\n <head>\n  <meta charset=\"UTF-8\" />\n"
        r"  <title>(?P<status>\d{3} [\w' -]{2,40})</title>\n </head>\n <body>\n  <h1>(?P=status)</h1>\n"
        r" </body>\n</html>\n?\Z",
    ),
    # What listens for its debugger (`--inspect`); Chrome and Deno call themselves otherwise.
    HttpSign(
        "Node.js inspector",
        "body",
        r"\AWebSockets request was expected\s{0,4}\Z",
        rf'"Browser"\s{{0,4}}:\s{{0,4}}"node\.js/{_VERSION}"',
        "/json/version",
    ),
    HttpSign("R plumber", "json", r'\A\{"error":\[?"404 - Resource Not Found"\]?\}\Z'),
    HttpSign("Puma httpd", "body", r"\APuma caught this error: "),
    # The script by which the browser follows what is written; a site that is published has none.
    HttpSign(
        "Hugo",
        "body",
        r'<script src="?/livereload\.js\?mindelay=\d{1,4}&amp;v=2&amp;port=\d{1,5}&amp;path=',
    ),
    # As with Hugo: a book that is published has no such script.
    HttpSign(
        "mdBook",
        "body",
        r"<!-- Livereload script \(if served using the cli tool\) -->\s{1,20}<script>\s{1,20}const ws",
    ),
    HttpSign("Hoogle", "title", r"^Hoogle$", rf"Neil Mitchell</a> [\d-]{{1,20}}, version {_VERSION}"),
    HttpSign("OpenSSL s_server", "body", r"\A<HTML><BODY BGCOLOR=\"#ffffff\">\s{0,4}<pre>\s{0,4}s_server "),
    HttpSign("FusionInventory Agent", "body", rf"^This is FusionInventory Agent {_VERSION}"),
    HttpSign("GLPI Agent", "body", rf"^This is GLPI Agent {_VERSION}"),
    HttpSign("Supervisor", "title", r"^Supervisor Status", rf"Supervisor</a> {_VERSION}"),
    HttpSign("JupyterHub", "x-jupyterhub-version", rf"^{_VERSION}"),
    HttpSign("JupyterHub", "title", r"^JupyterHub\b"),
    HttpSign("Jupyter", "title", r"^(?:Jupyter|JupyterLab)\b", _IN_JSON, "/api"),
    # Homes and media.
    HttpSign("Home Assistant", "title", r"^Home Assistant$"),
    HttpSign("Node-RED", "title", r"^Node-RED"),
    HttpSign(
        "Jellyfin", "title", r"^Jellyfin", rf'"Version"\s{{0,4}}:\s{{0,4}}"{_VERSION}"', "/System/Info/Public"
    ),
    HttpSign("Plex Media Server", "x-plex-protocol", r"."),
    HttpSign("Gerbera", "title", r"^Gerbera\b"),
    HttpSign("MiniDLNA", "server", rf"MiniDLNA/{_VERSION}"),
    HttpSign("Mopidy", "title", r"^Mopidy"),
    HttpSign("Transmission BitTorrent management httpd", "server", r"^Transmission"),
    HttpSign("Transmission BitTorrent management httpd", "x-transmission-session-id", r"."),
    HttpSign("Deluge Web UI", "title", r"^Deluge\b"),
    HttpSign("qBittorrent Web UI", "title", r"^qBittorrent"),
    HttpSign("Radicale CalDAV CardDAV", "title", r"^Radicale"),
    HttpSign("Xandikos WebDAV CalDAV CardDAV", "title", r"^Xandikos\b"),
    HttpSign("Liquidsoap", "title", r"^Liquidsoap source harbor"),
    HttpSign("VLC media player http interface", "www-authenticate", r'realm="VLC stream"'),
    HttpSign("Kiwix", "title", r"^Welcome to Kiwix Server"),
    HttpSign(
        "Orthanc", "title", r"^Orthanc Explorer", rf'"Version"\s{{0,4}}:\s{{0,4}}"{_VERSION}"', "/system"
    ),
    HttpSign("Motion", "title", r"^Motion$"),
    HttpSign("uStreamer", "title", r"^uStreamer$", rf"Streamer {_VERSION}"),
    HttpSign("AdGuard Home", "title", r"\bAdGuard Home$"),
    HttpSign("Pi-hole", "x-pi-hole", r"."),
)
EXPORTER = re.compile(r"^(?P<product>[A-Za-z][\w .-]{0,40}?[ _-]?Exporter)\b", re.IGNORECASE)
"""Title of the landing page that Prometheus's exporters have; the version is in their metrics."""
METRICS = re.compile(r"^# (?:HELP|TYPE) [a-zA-Z_:]|\bhref=[\"']?[\w./-]{0,60}metrics\b", re.MULTILINE)
"""What an exporter serves, or its landing page leads to; without it, a title is that of somebody's site."""
BUILD_INFO = re.compile(
    rf'^(?!go_|scrape_)(?P<product>[a-z]\w{{1,40}}?)_build_info\{{[^}}\n]{{0,400}}?\bversion="{_VERSION}"',
    re.MULTILINE,
)
"""How a program that Prometheus scrapes states its name and version."""

SIGNS = tuple(
    (sign, re.compile(sign.pattern, re.IGNORECASE | re.MULTILINE), re.compile(sign.version, re.MULTILINE))
    for sign in _ROWS
)
