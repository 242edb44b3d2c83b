#!/bin/bash
# The damaged objects of e2e_damage.sh with the repository in a bucket.
REPO_PLACE=s3 exec "$(dirname "$0")/e2e_damage.sh"
