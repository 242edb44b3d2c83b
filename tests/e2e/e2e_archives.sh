#!/bin/bash
# Archives, read by other programs.
. "$(dirname "$0")/functions.sh"
begin 120 "archives"

# What archives cannot hold, or readers read differently: sockets, fractions of seconds before 1970, names of attributes that are no text or
# hold '='.
judge_archive() {
	local ignores=() name
	for name in links/a/socket links/far/away/socket links/z-socket specials/socket; do
		ignores+=(--ignore "$name")
	done
	for name in d1960 d1969 f1960 f1969 s1960 s1969; do
		ignores+=(--ignore "times/$name")
	done
	judge "$1" "${ignores[@]}" --ignore-xattr $'user.\xff' --ignore-xattr user.%FF "${@:2}"
}

archives() {
	note "archives"
	# GNU tar cannot give attributes to a file that only root may write to.
	local without=() ignored=()
	is_root || without=(--exclude xattrs/read-only) ignored=(--ignore xattrs/read-only)
	rm -rf "$T/dst"
	mkdir "$T/dst"
	check "GNU tar reads the archive" piped "$T/dst" tar --xattrs --xattrs-include='*' --acls --same-owner -xp -- -V big "${without[@]}"
	judge_archive "GNU tar restores all" "${ignored[@]}" "$T/big" "$T/dst"
	check_number "every socket is named" "$(grep -c socket "$T/err.tar")" -eq "$(find "$T/big" -type s | wc -l)"
	rm -rf "$T/dst"
	mkdir "$T/dst"
	if command -v bsdtar >/dev/null; then
		check "bsdtar reads the archive" piped "$T/dst" bsdtar --xattrs --acls --same-owner -xpf - -- -V big
		judge_archive "bsdtar restores all" --ignore-root "$T/big" "$T/dst"
	else
		note "bsdtar: left out"
	fi
	rm -rf "$T/dst"
	mkdir "$T/dst"
	check "tar of one folder" piped "$T/dst" tar --xattrs --xattrs-include='*' --acls -xp -- -V big links
	check "it holds nothing else" [ "$(ls -A "$T/dst")" = links ]
	judge "one folder" --ignore a/socket --ignore far/away/socket --ignore z-socket "$T/big/links" "$T/dst/links"
	check "tar of one file" piped "$T/dst" tar -xO -- -V big /sizes/one
	check "its content" [ "$(cat "$T/out")" = x ]
	expect 1 "tar of what is not there" sf tar -V big no/such
	check_not "no reader takes that for an archive" tar -t -f "$T/out" 2>"$T/err"
}

two_volumes
sections archives
finish
