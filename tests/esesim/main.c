/* SPDX-License-Identifier: Apache-2.0 */
/* esesim ROOT COMMAND ...: the driver's calls for a shell. */
#ifdef _WIN32
#define __USE_MINGW_ANSI_STDIO 1
#endif
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ESESIM_CLIENT
#include "esesim.h"
#include "lines.h"

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#include <windows.h>
#endif

typedef ese_result (*command_run)(const char *root, char **argument, int count);

static const char *optional(char **argument, int count, int at)
{
  return at < count ? argument[at] : NULL;
}

static uint32_t number(char **argument, int count, int at, uint32_t otherwise)
{
  return at < count ? (uint32_t)strtoul(argument[at], NULL, 10) : otherwise;
}

/* key=value arguments as lines. */
static ese_result with_settings(const char *root, const char *directory, const char *name, char **argument, int count)
{
  lines text = {0};
  ese_result result;
  int n;
  lines_add(&text, "%s", "");
  for (n = 0; n < count; n++)
    lines_add(&text, "%s\n", argument[n]);
  result = directory ? esesim_add_group(root, directory, name, text.text) : esesim_set_group(root, name, text.text);
  lines_free(&text);
  return result;
}

static ese_result print(char *text, ese_result result)
{
  if (text)
    fputs(text, stdout);
  esesim_free(text);
  return result;
}

static ese_result run_create(const char *root, char **argument, int count)
{
  const char *annotation = optional(argument, count, 0), *server = optional(argument, count, 1);
  return esesim_create(root, annotation ? annotation : "Microsoft Information Store", server ? server : "");
}

static ese_result run_add_group(const char *root, char **argument, int count)
{
  return with_settings(root, argument[0], argument[1], argument + 2, count - 2);
}

static ese_result run_set_group(const char *root, char **argument, int count)
{
  return with_settings(root, NULL, argument[0], argument + 1, count - 1);
}

static ese_result run_add_database(const char *root, char **argument, int count)
{
  return esesim_add_database(root, argument[0], argument[1], argument[2], optional(argument, count, 3));
}

static ese_result run_remove_database(const char *root, char **argument, int count)
{
  (void)count;
  return esesim_remove_database(root, argument[0], argument[1]);
}

static ese_result run_rename_database(const char *root, char **argument, int count)
{
  (void)count;
  return esesim_rename_database(root, argument[0], argument[1], argument[2]);
}

static ese_result run_mount(const char *root, char **argument, int count)
{
  return esesim_mount(root, argument[0], optional(argument, count, 1));
}

static ese_result run_dismount(const char *root, char **argument, int count)
{
  return esesim_dismount(root, argument[0], optional(argument, count, 1));
}

static ese_result run_put(const char *root, char **argument, int count)
{
  return esesim_put(root, argument[0], argument[1], number(argument, count, 2, 0), argument[3], number(argument, count, 4, 0));
}

static ese_result run_write(const char *root, char **argument, int count)
{
  return esesim_write(root, argument[0], number(argument, count, 1, 1), number(argument, count, 2, 1), number(argument, count, 3, 30));
}

static ese_result run_roll(const char *root, char **argument, int count)
{
  (void)count;
  return esesim_roll(root, argument[0]);
}

static ese_result run_checkpoint(const char *root, char **argument, int count)
{
  return esesim_checkpoint(root, argument[0], number(argument, count, 1, 0));
}

static ese_result run_stretch(const char *root, char **argument, int count)
{
  (void)count;
  return esesim_stretch(root, argument[0], argument[1], strtoll(argument[2], NULL, 10));
}

static ese_result run_wipe_stream(const char *root, char **argument, int count)
{
  (void)count;
  return esesim_wipe_stream(root, argument[0]);
}

static ese_result run_backup(const char *root, char **argument, int count)
{
  (void)count;
  return esesim_foreign_backup(root, argument[0], argument[1]);
}

static ese_result run_fault(const char *root, char **argument, int count)
{
  return esesim_fault(root, argument[0], optional(argument, count, 1));
}

static ese_result run_dump(const char *root, char **argument, int count)
{
  ese_result result;
  char *text = esesim_dump(root, optional(argument, count, 0), &result);
  return print(text, result);
}

static ese_result run_status(const char *root, char **argument, int count)
{
  ese_result result;
  char *text = esesim_status(root, argument[0], &result);
  (void)count;
  return print(text, result);
}

/* What a trace of ESESIM_ACCOUNT leaves: `root` is its file. */
static ese_result run_account(const char *trace, char **argument, int count)
{
  char line[128], sign, call[96];
  static const char *const calls[] = {"ESEBackupFreeInstanceInfo", "ESEBackupFree", "ESERestoreFreeEnvironment",
                                      "ESEBackupRestoreFreeNodes", "ESEBackupRestoreFreeRegisteredInfo"};
  long live[sizeof calls / sizeof *calls] = {0}, wrong = 0, left = 0;
  size_t n;
  FILE *file = fopen(trace, "r");
  (void)argument;
  (void)count;
  if (!file)
    return ESE_E_FILE_NOT_FOUND;
  while (fgets(line, sizeof line, file) && sscanf(line, "%c %95s", &sign, call) == 2) {
    wrong += sign == '!';
    for (n = 0; n < sizeof calls / sizeof *calls; n++)
      if (!strcmp(calls[n], call))
        live[n] += sign == '+' ? 1 : sign == '-' ? -1 : 0;
  }
  fclose(file);
  for (n = 0; n < sizeof calls / sizeof *calls; n++) {
    left += live[n];
    if (live[n])
      printf("%ld not freed by %s\n", live[n], calls[n]);
  }
  if (wrong)
    printf("%ld freed by the wrong call\n", wrong);
  return left || wrong ? ESE_E_FROM_CALLBACK : ESE_OK;
}

static const struct {
  const char *name;
  command_run run;
  int least;
  const char *arguments;
} commands[] = {
    {"create", run_create, 0, "[ANNOTATION [SERVER]]"},
    {"add-group", run_add_group, 2, "DIRECTORY NAME [log_size=65536 digits=8 streams=1 lag=2 circular=0 recovery=0 base=E00 ...]"},
    {"set-group", run_set_group, 1, "GROUP KEY=VALUE..."},
    {"add-database", run_add_database, 3, "GROUP NAME FILE [GUID]"},
    {"remove-database", run_remove_database, 2, "GROUP NAME"},
    {"rename-database", run_rename_database, 3, "GROUP NAME NEW-NAME"},
    {"mount", run_mount, 1, "GROUP [DATABASE]"},
    {"dismount", run_dismount, 1, "GROUP [DATABASE]"},
    {"put", run_put, 4, "GROUP DATABASE PAGE TEXT [1: to disk at once]"},
    {"write", run_write, 1, "GROUP [COUNT [SEED [PERCENT TO DISK AT ONCE]]]"},
    {"roll", run_roll, 1, "GROUP"},
    {"checkpoint", run_checkpoint, 1, "GROUP [GENERATIONS BEHIND]"},
    {"stretch", run_stretch, 3, "GROUP DATABASE BYTES"},
    {"wipe-stream", run_wipe_stream, 1, "GROUP"},
    {"backup", run_backup, 2, "GROUP full|copy|incremental|differential"},
    {"fault", run_fault, 1, "SWITCH [VALUE]: see faults.h"},
    {"dump", run_dump, 0, "[GROUP]"},
    {"status", run_status, 1, "GROUP"},
    {"account", run_account, 0, ": ROOT is a file written by ESESIM_ACCOUNT=FILE"},
};

static int usage(void)
{
  size_t n;
  fputs("esesim ROOT COMMAND ...\n", stderr);
  for (n = 0; n < sizeof commands / sizeof *commands; n++)
    fprintf(stderr, "  %-16s %s\n", commands[n].name, commands[n].arguments);
  return 2;
}

static int run(int argc, char **argv)
{
  size_t n;
  for (n = 0; argc > 2 && n < sizeof commands / sizeof *commands; n++)
    if (!strcmp(commands[n].name, argv[2])) {
      ese_result result;
      if (argc - 3 < commands[n].least)
        return usage();
      result = commands[n].run(argv[1], argv + 3, argc - 3);
      if (result < 0)
        fprintf(stderr, "esesim: %s: 0x%08" PRIX32 "\n", argv[2], (uint32_t)result);
      return result < 0;
    }
  return usage();
}

#ifdef _WIN32
int wmain(int argc, wchar_t **wide)
{
  char **argv = calloc((size_t)argc + 1, sizeof *argv);
  int n, status;
  _setmode(_fileno(stdout), _O_BINARY);
  for (n = 0; argv && n < argc; n++) {
    int size = WideCharToMultiByte(CP_UTF8, 0, wide[n], -1, NULL, 0, NULL, NULL);
    argv[n] = malloc((size_t)size);
    if (!argv[n])
      return 2;
    WideCharToMultiByte(CP_UTF8, 0, wide[n], -1, argv[n], size, NULL, NULL);
  }
  status = argv ? run(argc, argv) : 2;
  for (n = 0; argv && n < argc; n++)
    free(argv[n]);
  free(argv);
  return status;
}
#else
int main(int argc, char **argv)
{
  return run(argc, argv);
}
#endif
