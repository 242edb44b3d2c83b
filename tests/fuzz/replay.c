/*
 * Runs a fuzz target on files, without a fuzzing engine: the corpus is part of the ordinary tests.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		uint8_t *data = malloc(1 << 24);
		size_t len;

		if (f == NULL || data == NULL) {
			fprintf(stderr, "%s: cannot be read\n", argv[i]);
			return 1;
		}
		len = fread(data, 1, 1 << 24, f);
		(void)fclose(f);
		/* An exact allocation, so that reads past the end are seen. */
		uint8_t *exact = malloc(len == 0 ? 1 : len);

		if (exact == NULL)
			return 1;
		for (size_t k = 0; k < len; k++)
			exact[k] = data[k];
		(void)LLVMFuzzerTestOneInput(exact, len);
		free(exact);
		free(data);
	}
	printf("%d inputs\n", argc - 1);
	return argc > 1 ? 0 : 1;
}
