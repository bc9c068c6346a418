"""The databases of `benchmarks.sources`: orders with customers and lines, made once for each size.

PostgreSQL and MariaDB run as private servers, reached over a socket in their own folder; SQLite
and DuckDB are files.  All lie in /var/tmp, or where BENCHMARK_CACHE says, and stay for the next
run.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

CACHE = "BENCHMARK_CACHE"
"""The environment variable with the folder of the databases."""
PATIENCE = 60.0
CUSTOMERS = 1000
NAMES = ("postgresql", "mariadb", "sqlite", "duckdb")

NUMBERS = {
    "postgresql": "select n from generate_series(1, {n}) as series (n)",
    "duckdb": "select n from generate_series(1, {n}) as series (n)",
    "mariadb": "select seq from seq_1_to_{n}",
    "sqlite": "with recursive series (n) as (select 1 union all select n + 1 from series"
    " where n < {n}) select n from series",
}
"""What makes the numbers from 1 to n."""
DAYS = {
    "postgresql": "date '2020-01-01' + n % 2000",
    "duckdb": "date '2020-01-01' + n % 2000",
    "mariadb": "date_add('2020-01-01', interval n % 2000 day)",
    "sqlite": "date('2020-01-01', '+' || (n % 2000) || ' days')",
}
"""What makes a date of the number n."""
INITDB = ("-A", "trust", "-E", "UTF8", "-N")
TABLES = {
    "numbers": "n integer primary key",
    "customers": "id integer primary key, name varchar(50) not null",
    "orders": "id integer primary key, number varchar(20) not null, placed date not null, status"
    " varchar(10) not null, customer_id integer not null, total numeric(12, 2) not null, note"
    " varchar(100)",
    "order_lines": "id integer primary key, order_id integer not null, article varchar(20) not"
    " null, quantity integer not null",
}
"""The columns of the tables."""


def fill(execute: Callable[[str], object], dialect: str, orders: int) -> None:
    """Make the tables, with two lines for each order."""
    for table, columns in TABLES.items():
        execute(f"create table {table} ({columns})")
    execute("insert into numbers " + NUMBERS[dialect].format(n=max(orders, CUSTOMERS)))
    few, many = f"numbers where n <= {CUSTOMERS}", f"numbers where n <= {orders}"
    execute(f"insert into customers select n, 'Müller & Söhne ' || n from {few}")
    execute(
        f"insert into orders select n, '2026-' || n, {DAYS[dialect]}, case when n % 3 = 0 then"
        f" 'open' else 'paid' end, n % {CUSTOMERS} + 1, n * 1.25, case when n % 4 = 0 then 'Leave"
        f" at the back door, ring twice' end from {many}"
    )
    for first in (0, orders):
        cells = f"n + {first}, n, 'A-' || (n % 97), n % 7 + 1"
        execute(f"insert into order_lines select {cells} from {many}")
    execute("create index lines_of_order on order_lines (order_id)")
    execute("create table complete (n integer)")


@dataclass(frozen=True, slots=True)
class Databases:
    """Where the databases are that have a number of orders.

    Attributes:
        folder: Where all are.
        orders: How many orders each has.
    """

    folder: Path
    orders: int

    @property
    def name(self) -> str:
        """Name of the database in PostgreSQL and MariaDB, and of the files."""
        return f"orders_{self.orders}"

    @property
    def conninfo(self) -> str:
        """The connection string of PostgreSQL."""
        return f"host={self.folder} user=postgres dbname={self.name}"

    @property
    def url(self) -> str:
        """The address of PostgreSQL, to follow the name of a dialect."""
        return f"://postgres@/{self.name}?host={self.folder}"

    @property
    def mariadb(self) -> dict[str, Any]:
        """The arguments of PyMySQL's `connect`."""
        return {"unix_socket": str(_socket(self.folder)), "user": "root", "database": self.name}

    @property
    def sqlite(self) -> Path:
        """The file of SQLite."""
        return self.folder / f"{self.name}.sqlite"

    @property
    def duckdb(self) -> Path:
        """The file of DuckDB."""
        return self.folder / f"{self.name}.duckdb"

    def make(self, name: str) -> None:
        """Fill one of the databases, unless that was done before."""
        _MAKERS[name](self)


def _make_sqlite(where: Databases) -> None:
    if not where.sqlite.exists():
        started = where.sqlite.with_suffix(".started")
        started.unlink(missing_ok=True)
        with closing(sqlite3.connect(started)) as database, database:
            fill(database.execute, "sqlite", where.orders)
        started.rename(where.sqlite)


def _make_duckdb(where: Databases) -> None:
    import duckdb

    if not where.duckdb.exists():
        started = where.duckdb.with_suffix(".started")
        started.unlink(missing_ok=True)
        with closing(duckdb.connect(str(started))) as database:
            fill(database.execute, "duckdb", where.orders)
        started.rename(where.duckdb)


def _make_postgresql(where: Databases) -> None:
    import psycopg

    server = where.conninfo.replace(where.name, "postgres")
    with psycopg.connect(server, autocommit=True) as database:
        if database.execute(
            "select 1 from pg_database where datname = %s", [where.name]
        ).fetchone():
            with psycopg.connect(where.conninfo) as made:
                if made.execute("select to_regclass('complete')").fetchone() != (None,):
                    return
        database.execute(f"drop database if exists {where.name}".encode())
        database.execute(f"create database {where.name}".encode())
    with psycopg.connect(where.conninfo, autocommit=True) as database:
        fill(lambda statement: database.execute(statement.encode()), "postgresql", where.orders)
        database.execute("vacuum analyze")


def _make_mariadb(where: Databases) -> None:
    import pymysql

    with closing(pymysql.connect(**where.mariadb | {"database": None})) as database:
        cursor = database.cursor()
        cursor.execute("set sql_mode = 'ansi'")
        asked = "select 1 from information_schema.tables where table_schema = %s"
        if not cursor.execute(f"{asked} and table_name = 'complete'", [where.name]):
            cursor.execute(f"drop database if exists {where.name}")
            cursor.execute(f"create database {where.name} character set utf8mb4")
            cursor.execute(f"use {where.name}")
            fill(cursor.execute, "mariadb", where.orders)
            database.commit()


_MAKERS: dict[str, Callable[[Databases], None]] = {
    "postgresql": _make_postgresql,
    "mariadb": _make_mariadb,
    "sqlite": _make_sqlite,
    "duckdb": _make_duckdb,
}


# The servers --------------------------------------------------------------------------------


def cache() -> Path:
    """Return the folder of the databases; it is made if need be."""
    folder = Path(os.environ.get(CACHE) or f"/var/tmp/streamware-benchmarks-{os.getuid()}")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def running(orders: int, names: Sequence[str] = NAMES) -> Iterator[Databases]:
    """Start the servers that are named, and fill what is empty; one run of the benchmark at a time.

    Raises:
        FileNotFoundError: A server is not installed.
    """
    where = Databases(cache(), orders)
    with ExitStack() as stack:
        lock = stack.enter_context((where.folder / "lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name, serve in (("postgresql", _postgresql), ("mariadb", _mariadb)):
            if name in names:
                stack.enter_context(serve(where.folder))
        for name in names:
            where.make(name)
        yield where


def program(name: str) -> str | None:
    """Return the path of a server's program; None if it is not installed."""
    debian = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
    path = os.pathsep.join([*reversed(debian), os.environ["PATH"], "/usr/sbin"])
    found = shutil.which(name, path=path)
    # Resolved, as initdb looks for its files beside itself.
    return None if found is None else str(Path(found).resolve())


def _installed(name: str) -> str:
    found = program(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed")
    return found


@contextmanager
def _postgresql(folder: Path) -> Iterator[None]:
    if os.geteuid() == 0:  # the server refuses to run as root; Debian's package makes a user for it
        shutil.chown(folder, "postgres")
    data = folder / "postgresql"
    if not data.exists():
        _run(folder, "postgres", "initdb", "-D", data, "-U", "postgres", *INITDB)
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    _run(folder, "postgres", "pg_ctl", "-D", data, "-o", options, "-l", "log", "-w", "start")
    try:
        yield
    finally:
        _run(folder, "postgres", "pg_ctl", "-D", data, "-m", "fast", "-w", "stop")


@contextmanager
def _mariadb(folder: Path) -> Iterator[None]:
    data, server = folder / "mariadb", _installed("mariadbd")
    if not data.exists():
        data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(data, "mysql")
        options = ("--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db")
        _run(folder, "mysql", "mariadb-install-db", *options, f"--datadir={data}")
    # TMPDIR may be a folder where only the caller may write.
    command = [server, "--no-defaults", f"--datadir={data}", f"--tmpdir={data}"]
    with (data / "log").open("w") as log:
        process = subprocess.Popen(
            [
                *command,
                f"--socket={_socket(folder)}",
                "--skip-networking",
                f"--pid-file={data}/pid",
            ],
            stdout=log,
            stderr=log,
            **_as_user("mysql"),
        )
    try:
        end = monotonic() + PATIENCE
        while not _socket(folder).exists():
            if process.poll() is not None or monotonic() > end:
                raise RuntimeError("MariaDB does not start:\n" + (data / "log").read_text()[-2000:])
            sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _socket(folder: Path) -> Path:
    return folder / "mariadb" / "socket"


def _run(folder: Path, user: str, name: str, *arguments: object) -> None:
    command = [_installed(name), *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
        **_as_user(user),
    )
    if done.returncode:
        raise RuntimeError(f"{name} fails: {done.stderr}")


def _as_user(name: str) -> dict[str, Any]:
    return {"user": name, "group": name, "extra_groups": []} if os.geteuid() == 0 else {}
