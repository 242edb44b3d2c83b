#!/bin/bash
# The random changes of e2e_incremental_random.sh with the repository in a bucket.
REPO_PLACE=s3 exec "$(dirname "$0")/e2e_incremental_random.sh"
