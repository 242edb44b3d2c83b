#!/bin/bash
# The round trips and incremental exports of e2e_roundtrip.sh with the repository in a bucket.
REPO_PLACE=s3 exec "$(dirname "$0")/e2e_roundtrip.sh"
