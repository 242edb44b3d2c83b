# Sourced by demo.sh and suite.sh: makes sure that Debian packages are there.

BUILD_PACKAGES="gcc libc6-dev make autoconf automake pkg-config libzstd-dev libssl-dev libarchive-dev libjson-c-dev libcurl4-openssl-dev libexpat1-dev"

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
