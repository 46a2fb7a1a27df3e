"""Records how Airflow's Connection reads and writes URIs: run with the interpreter of an installed Airflow, it writes connections.json."""

from __future__ import annotations

import json
import os
import random
import tempfile
from urllib.parse import quote

os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp()
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "CRITICAL"

from airflow.models.connection import Connection  # noqa: E402

SEED, COUNT = 20260301, 360
FIELDS = ("conn_type", "host", "login", "password", "schema", "port", "extra")
HOSTS = [
    "", "localhost", "DB.Example.com", "10.0.0.1", "[::1]", "[fe80::1%25eth0]", "[::1", "[1.2.3.4]", "[zz]", "%2Fvar%2Frun%2FPg", "a%2Fb", "h%C3%B6st", "höst", "a b", "x_y-z.local", "%2Ftmp:x", "a%25b", "h℀st",
]
SCHEMES = ["mysql", "postgresql", "postgres", "google-cloud-platform", "my_type", "HTTP", "http", "aws", "s3", "a+b", "generic", "", "1x", "Az-Ure-Data-Lake"]
TEXTS = ["", "user", "p%40ss", "p%3Ass", "p%2Fss", "a:b", "ü%20x", "%F0%9F%94%91", "%zz", "%e4", "a+b", "a%2Bb", "[x]", "100%25", "%", "x%0Ay", "a#b", "a?b"]
PORTS = ["", ":5432", ":0", ":65535", ":65536", ":-1", ":abc", ":", ":80%20", ":٣", ":00080"]
PATHS = ["", "/", "/schema", "/a%2Fb", "/a/b", "/sch%20ema", "//x", "/ü"]
QUERIES = [
    "", "?", "?a=b", "?a=1&b=2.5&c=true&d=null", "?a=", "?a", "?a=b&a=c", "?x=%7B%22y%22%3A+1%7D", "?a+b=c+d", "?__extra__=%7B%22k%22%3A+%5B1%5D%7D", "?__extra__=5", "?__extra__=", "?a=%22q%22", "?a=b#frag",
    "?host=/var/run/postgresql", "?a=%C3%A9", "?&&a=1&", "?a=b=c", "?a;b=1", "?__extra__={}",
]
FIXED = [
    "http://https://host:80/path", "http://https://u:p@host", "http://u:p@https://host", "https://https://host", "http://http://http://x", "spark://local", "spark://k8s%3A%2F%2F100.68.0.1:443?deploy-mode=cluster",
    "mysql://", "mysql:///db", "mysql://@:3306", "mysql://:pw@", "://host", "host:123", "host", "", "//host/x", "mysql:host", "mysql:/host", " mysql://host ", "my\tsql://ho\nst", "a://b://c?x=d://e", "fs://?path=%2Ftmp",
    "google-cloud-platform://?extra__google_cloud_platform__key_path=%2Fkeys%2Fkey.json&extra__google_cloud_platform__num_retries=5", "postgres://u:p@%2Fcloudsql%2Fproj%3Aregion%3Ainst/db", "http://a@b@c:1/d", "http://u:p:q@h",
]


def generated(rng: random.Random) -> str:
    """A URI that is often a little wrong."""
    login, password = rng.choice(TEXTS), rng.choice(TEXTS)
    if rng.random() < 0.5:
        login, password = quote(login), quote(password, safe="")
    userinfo = rng.choice(["", f"{login}@", f"{login}:{password}@", f":{password}@"])
    port = rng.choice(PORTS) if rng.random() < 0.5 else rng.choice(PORTS[:4])
    return f"{rng.choice(SCHEMES)}://{userinfo}{rng.choice(HOSTS)}{port}{rng.choice(PATHS)}{rng.choice(QUERIES)}"


def read(uri: str) -> dict:
    """What Airflow makes of a URI: the fields and the URI that it writes of them, or that it refuses."""
    try:
        connection = Connection(conn_id="c", uri=uri)
        fields = {name: getattr(connection, name) for name in FIELDS}
        fields["extra"] = json.loads(fields["extra"]) if fields["extra"] else None
        return {"uri": uri, "fields": fields, "written": connection.get_uri()}
    except Exception as error:
        return {"uri": uri, "refused": type(error).__name__}


def main() -> None:
    """Write the file beside this one."""
    rng = random.Random(SEED)
    uris = [uri for uri in dict.fromkeys([*FIXED, *(generated(rng) for _ in range(COUNT))]) if uri]
    rows = ",\n".join(json.dumps(read(uri)) for uri in uris)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "connections.json"), "w", encoding="utf-8") as file:
        file.write(f"[\n{rows}\n]\n")


if __name__ == "__main__":
    main()
