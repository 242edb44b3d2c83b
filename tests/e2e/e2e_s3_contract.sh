#!/bin/bash
# What the layers above rely on in every store, in a bucket.  (Swift cannot promise all of it: of several who write the same key at the same
# moment all succeed.  The program's names are nobody else's.)
REPO_PLACE=s3
. "$(dirname "$0")/functions.sh"
CONTRACT=$(realpath "${E2E_TOOLS:-.}/../s3/contract")
[ -x "$CONTRACT" ] || skip "needs the program tests/s3/contract (make check-s3 builds it)"
begin 120 "the contract of stores"

contract() {
	expect 0 "$1" "$CONTRACT" s3://$BUCKET/contract
	check "$1: nothing is left" [ -z "$(s3 list $BUCKET)" ]
}

contract "a bucket"
rules "match * * delay 1" "$(printf 'match * * skip %d times 1 reset down 0\n' 3 8 13 21 34 55 89)"
contract "a bucket whose answers are lost"
finish
