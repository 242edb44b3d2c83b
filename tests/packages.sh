# Sourced by demo.sh and suite.sh: makes sure that Debian packages are there.

BUILD_PACKAGES="gcc libc6-dev make autoconf automake pkg-config libzstd-dev libssl-dev libarchive-dev libjson-c-dev libcurl4-openssl-dev libexpat1-dev"

# Servers for the store in a bucket.
S3_PACKAGES="ceph-mon ceph-osd radosgw swift-proxy swift-account swift-container swift-object memcached nghttp2-proxy faketime openssl python3"

# For the store over libs3, an option.
LIBS3_PACKAGES="libs3-dev"

# need_packages NAME...: install what is missing when root, otherwise say what is missing and end.
need_packages() {
	missing=
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing="$missing $package"
	done
	[ -z "$missing" ] && return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "These Debian packages are missing; install them as root:" >&2
		echo "    apt-get install$missing" >&2
		exit 1
	fi
	echo "Installing$missing"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q >/dev/null
	# shellcheck disable=SC2086
	apt-get install -q -y --no-install-recommends $missing >/dev/null
}

# without_services COMMAND...: what it installs starts no daemon.  Debian asks policy-rc.d about that; it is left as it was.
without_services() {
	policy=/usr/sbin/policy-rc.d
	if [ -e $policy ] || [ "$(id -u)" -ne 0 ]; then
		"$@"
		return
	fi
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod +x $policy
	"$@"
	without_status=$?
	rm -f $policy
	return $without_status
}

# build FOLDER [CONFIGURE OPTION...]: configure and make out of tree, quietly; the log is shown when it fails.
build() {
	folder=$1
	shift
	mkdir -p "$folder"
	[ -x "$TOP/configure" ] || (cd "$TOP" && autoreconf -fi) >"$folder/autoreconf.log" 2>&1 || {
		cat "$folder/autoreconf.log" >&2
		return 1
	}
	(cd "$folder" && "$TOP/configure" "$@" && make -j"$(nproc)") >"$folder/build.log" 2>&1 || {
		tail -n 60 "$folder/build.log" >&2
		return 1
	}
}
