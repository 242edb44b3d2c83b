/*
 * snapferry: moves the data of volumes to an object store and back.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "command.h"
#include "error.h"

static const struct command commands[] = {
    {"init", CMD_INIT, "", 0, 0, "make a repository",
	"Make a repository in an empty place.  The secret comes from --key-file, --new-key-file,\n"
	"--password-file or the environment (SNAPFERRY_PASSWORD, SNAPFERRY_PASSWORD_COMMAND); on a\n"
	"terminal it is asked for.",
	false, cmd_init},
    {"export", CMD_EXPORT, "SOURCE", 1, 1, "store a folder or device as a new snapshot",
	"Store SOURCE as a new snapshot of a volume.  What the volume's latest snapshot has already is not\n"
	"stored again.",
	true, cmd_export},
    {"import", CMD_IMPORT, "TARGET", 1, 1, "restore a snapshot into a folder or device",
	"Restore a snapshot into TARGET, an empty folder (or one with --overwrite); with --block a device or\n"
	"image file.  An import that was killed goes on where it was when it is started again.",
	true, cmd_import},
    {"list", CMD_LIST, "", 0, 0, "list volumes and snapshots",
	"List all volumes with their snapshots, or those of one.", false, cmd_list},
    {"show", CMD_SHOW, "", 0, 0, "show a snapshot's manifest", "Show what is known of a snapshot.", true, cmd_show},
    {"ls", CMD_LS, "[PATH]", 0, 1, "list the files of a snapshot", "List PATH (or the root) of a snapshot.", true,
	cmd_ls},
    {"tar", CMD_TAR, "[PATH]", 0, 1, "write a snapshot as a tar archive",
	"Write a snapshot, or PATH in it, to standard output as a pax archive.", true, cmd_tar},
    {"verify", CMD_VERIFY, "", 0, 0, "check that snapshots can be restored",
	"Check a volume's snapshots, or all.  Levels: 0 manifests, signatures and chains; 1 all packs are\n"
	"there and have their lengths; 2 catalogs, pack directories and all references; 3 every frame of the\n"
	"packs opens; 4 and has the content that it was stored with.",
	false, cmd_verify},
    {"diff", CMD_DIFF, "SNAPSHOT [SNAPSHOT|DIRECTORY]", 1, 2, "compare snapshots, or a snapshot with a folder",
	"Tell the differences between two snapshots, a snapshot and its parent, or a snapshot and a folder or\n"
	"device.",
	true, cmd_diff},
    {"doctor", CMD_DOCTOR, "", 0, 0, "check what a repository's place can do",
	"Find out by trying whether REPO can hold a repository, and what its server really does.  Needs no key,\n"
	"and no repository there yet.",
	false, cmd_doctor},
};

static void
usage(FILE *out)
{
	(void)fprintf(out, "Usage: snapferry COMMAND [options] [arguments]\n\n"
			   "Moves the data of volumes to an object store, deduplicated, compressed and encrypted, and "
			   "back.\n\nCommands:\n");
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		(void)fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
	(void)fprintf(
	    out, "\nsnapferry help COMMAND tells about one and its options.  snapferry --version tells the version.\n");
}

static void
prepare_process(void)
{
	struct rlimit files, none = {0, 0};

	/* Keys are in memory: no core dumps.  (PR_SET_DUMPABLE would close /proc/self/fd to users other than root,
	 * which attributes need.) */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(077);
	/* Memory is a contract: few arenas, and freed memory goes back. */
	(void)mallopt(M_ARENA_MAX, 2);
	(void)mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = MIN(files.rlim_max, (rlim_t)65536);
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

static int
run(const struct command *c, int argc, char **argv)
{
	struct options o;
	struct error err;
	int status = 0;

	if (options_parse(&o, c, argc, argv, &err) < 0) {
		(void)fprintf(stderr, "snapferry %s: %s\n", c->name, err.msg);
		status = error_exit_status(err.code);
	} else if (o.help) {
		options_help(c);
	} else {
		status = c->run(&o);
	}
	options_wipe(&o);
	return status;
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	return NULL;
}

static int
unknown_command(const char *name)
{
	(void)fprintf(stderr, "snapferry: unknown command %s (snapferry --help lists them)\n", name);
	return 2;
}

static int
help(const char *name)
{
	const struct command *c = find_command(name);

	if (c == NULL)
		return unknown_command(name);
	options_help(c);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct command *c;

	prepare_process();
	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if ((c = find_command(argv[1])) != NULL)
		return run(c, argc - 1, argv + 1);
	if (strcmp(argv[1], "help") == 0 && argc > 2)
		return help(argv[2]);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
		(void)printf("%s\n", PACKAGE_STRING);
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return 0;
	}
	return unknown_command(argv[1]);
}
