#!/bin/bash
# The kills of e2e_kill.sh with the repository in a bucket.
REPO_PLACE=s3 exec "$(dirname "$0")/e2e_kill.sh"
