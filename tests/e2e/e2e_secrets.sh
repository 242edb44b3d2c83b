#!/bin/bash
# Passwords, key files, and who may open a repository.
. "$(dirname "$0")/functions.sh"
begin 120 "secrets"

secrets() {
	note "secrets"
	local key=$SNAPFERRY_KEY_FILE SNAPFERRY_REPOSITORY="$T/secret"
	unset SNAPFERRY_KEY_FILE
	expect 2 "init without a secret, and nobody to ask" sf init </dev/null
	check_not "it makes nothing" [ -e "$T/secret/repo.json" ]
	printf 'the right one\r\nand a second line\n' >"$T/right"
	echo wrong >"$T/wrong"
	: >"$T/nothing"
	expect 0 "init with a password file" sf init --password-file "$T/right" --label mine
	check "the label is kept" grep -rq '"mine"' "$T/secret/keys"
	expect 0 "password file" sf list --password-file "$T/right"
	SNAPFERRY_PASSWORD_FILE=$T/right expect 0 "password file of the environment" sf list
	SNAPFERRY_PASSWORD='the right one' expect 0 "password of the environment" sf list
	SNAPFERRY_PASSWORD_COMMAND="head -n 1 $T/right" expect 0 "password command" sf list
	SNAPFERRY_PASSWORD_FILE=$T/wrong expect 0 "an option goes before the environment" sf list --password-file "$T/right"
	expect 12 "wrong password file" sf list --password-file "$T/wrong"
	one_line "wrong password: one line" .
	SNAPFERRY_PASSWORD=wrong expect 12 "wrong password" sf list
	SNAPFERRY_PASSWORD_COMMAND="echo wrong" expect 12 "wrong password command" sf list
	expect 12 "the key file of another repository" sf list --key-file "$key"
	SNAPFERRY_PASSWORD_COMMAND="exit 3" expect 2 "a password command that fails" sf list
	SNAPFERRY_PASSWORD_COMMAND="true" expect 2 "a password command that says nothing" sf list
	SNAPFERRY_PASSWORD='' expect 2 "an empty password" sf list
	expect 2 "an empty password file" sf list --password-file "$T/nothing"
	expect 2 "a password file that is not there" sf list --password-file "$T/none"
	expect 2 "a key file that is not there" sf list --key-file "$T/none"
	expect 2 "no secret at all" sf list </dev/null
	one_line "it says what to do" SNAPFERRY_PASSWORD
	local before
	before=$(fingerprint "$T/secret")
	SNAPFERRY_PASSWORD=other expect 1 "a second init" sf init
	expect 1 "a second init with a new key" sf init --new-key-file "$T/second.key"
	check_not "the key of a failed init is not kept" [ -e "$T/second.key" ]
	check "a second init changes nothing" [ "$(fingerprint "$T/secret")" = "$before" ]
	check "a key file is for its owner alone" [ "$(stat -c %a "$key")" = 600 ]
	expect "1|2" "a key file is never replaced" sf init -r "$T/third" --new-key-file "$T/right"
	check "it is as it was" grep -q 'right one' "$T/right"
	mkdir "$T/foreign" && echo mine >"$T/foreign/file"
	SNAPFERRY_PASSWORD=x expect 1 "init in a folder with other files" sf init -r "$T/foreign"
	check "nothing is added" [ "$(ls -A "$T/foreign")" = file ]
	expect 10 "no repository" sf list -r "$T/foreign" --key-file "$key"
	expect 10 "no repository at all" sf list -r "file://$T/none" --key-file "$key"
	export SNAPFERRY_KEY_FILE=$key
}

new_repository
sections secrets
finish
