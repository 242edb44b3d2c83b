#!/bin/sh
# A database volume is exported, changed, exported again, imported into an empty folder, and PostgreSQL is started on the import.
# Usage: sh tests/demo.sh [ROWS]     (2,000,000 rows by default: about 300 MB)
set -e
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/tests/packages.sh"
ROWS=${1:-2000000}

# shellcheck disable=SC2086
need_packages $BUILD_PACKAGES postgresql util-linux
WORK=$(mktemp -d "${TMPDIR:-/tmp}/snapferry-demo.XXXXXX")
# The database server refuses to run as root.
if [ "$(id -u)" -eq 0 ]; then
	chown postgres "$WORK"
	as_owner() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
else
	as_owner() { "$@"; }
fi
PG=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
server() { as_owner "$PG/pg_ctl" -s -w -D "$1" -o "-k $WORK -c listen_addresses= -p 54329" -l "$WORK/log" "$2"; }
sql() { as_owner "$PG/psql" -h "$WORK" -p 54329 -d postgres -XAtq -v ON_ERROR_STOP=1 -c "$1"; }
RUNNING=
finish() {
	[ -z "$RUNNING" ] || server "$RUNNING" stop || true
	rm -rf "$WORK"
}
trap finish EXIT
trap 'exit 130' INT TERM
step() { printf '\n== %s\n' "$1"; }

step "Building snapferry"
build "$WORK/build"
snapferry() { "$WORK/build/snapferry" "$@"; }

step "A PostgreSQL volume with $ROWS rows"
as_owner "$PG/initdb" -D "$WORK/data" -A trust --no-sync >/dev/null
server "$WORK/data" start
RUNNING=$WORK/data
sql "create table visit as select g id, now() - g * interval '1 second' seen, md5(g::text) token,
	'user ' || (g % 5000) || ' looked at page ' || (g::bigint * 7919 % 1000003) note from generate_series(1, $ROWS) g;
	create index on visit (id); create index on visit (token)"
server "$WORK/data" stop
RUNNING=
du -sh "$WORK/data"

step "A repository in a local folder, and a first export"
umask 077
export SNAPFERRY_REPOSITORY="$WORK/repository"
snapferry init --new-key-file "$WORK/key"
export SNAPFERRY_KEY_FILE="$WORK/key"
snapferry export -V demo/data-postgres-0 --tag app=postgres "$WORK/data"

step "10,000 rows are added, 10,000 change, and an incremental export"
server "$WORK/data" start
RUNNING=$WORK/data
sql "insert into visit select g, now(), md5(g::text), 'later' from generate_series($ROWS + 1, $ROWS + 10000) g;
	update visit set note = 'changed' where id between 1000 and 10999"
EXPECTED=$(sql "select count(*) || ' rows, ' || count(*) filter (where note = 'changed') || ' changed, ' || sum(hashtext(visit::text)) from visit")
server "$WORK/data" stop
RUNNING=
snapferry export -V demo/data-postgres-0 --tag app=postgres "$WORK/data"

step "What is stored"
snapferry list
du -sh "$WORK/data" "$WORK/repository"

step "Import into an empty folder, and a check against the source"
snapferry import -V demo/data-postgres-0 "$WORK/imported"
snapferry diff -V demo/data-postgres-0 latest "$WORK/imported/"
snapferry verify --level 4

step "PostgreSQL starts on the import"
server "$WORK/imported" start
RUNNING=$WORK/imported
GOT=$(sql "select count(*) || ' rows, ' || count(*) filter (where note = 'changed') || ' changed, ' || sum(hashtext(visit::text)) from visit")
echo "source:   $EXPECTED"
echo "imported: $GOT"
if [ "$GOT" != "$EXPECTED" ]; then
	echo "The imported database differs." >&2
	exit 1
fi
printf '\nThe imported database holds every row.\n'
