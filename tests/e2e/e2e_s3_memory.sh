#!/bin/bash
# The peaks of memory of e2e_memory.sh with the repository in a bucket.
REPO_PLACE=s3 exec "$(dirname "$0")/e2e_memory.sh"
