#!/bin/bash
# The second dialect: a server that insists on its region and knows no conditional writes.
REPO_PLACE=s3
S3_SERVER=swift
. "$(dirname "$0")/functions.sh"
begin 120 "Swift"

new_repository
mktree --small "$T/src"
note "a round trip"
pass_uncertainty
export_tree 0 v "$T/src"
first=$snapshot
check_number "conditional writes were tried, or known not to be" "$(requests ' 501 ')" -le 4
import_tree 0 v "$first" "$T/dst"
judge "the tree comes back" "$T/src" "$T/dst"
cp -a "$T/src" "$T/first.src"
head -c 3000000 /dev/urandom >"$T/src/new"
export_tree 0 v "$T/src"
check_number "only what is new is stored" "$(stat_of_export new_bytes)" -le 3100000
import_tree 0 v latest "$T/dst"
judge "the second snapshot" "$T/src" "$T/dst"
import_tree 0 v "$first" "$T/dst"
judge "the first one" --ignore-holes "$T/first.src" "$T/dst"
expect 0 "verify" sf verify -V v --level 4

note "regions"
expect 0 "no region: the server says which" env -u AWS_REGION "$SNAPFERRY" list
expect "0|13" "another region" env AWS_REGION=eu-west-1 "$SNAPFERRY" list
expect 13 "a wrong secret" env AWS_SECRET_ACCESS_KEY=wrong "$SNAPFERRY" list
expect 10 "no bucket" sf list -r s3://no-such-bucket/r

note "faults"
for rule in "match PUT /s/ times 1 reset down 0" "match PUT /p/ times 1 reset up body+1000" "match PUT /p/ times 1 reply-after 500 InternalError" \
    "match PUT /s/ times 1 repeat" "match GET * times 3 reset down 0"; do
	head -c 500000 /dev/urandom >"$T/src/new"
	rules "$rule"
	expect 0 "$rule" sf export -V v --retry-time 5 --stall-time 2 "$T/src"
	rules
	import_tree 0 v latest "$T/dst"
	judge "after $rule" "$T/src" "$T/dst"
done
finish
