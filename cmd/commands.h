/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* commands: the sub-commands of plamo-fast, a file each. */
#ifndef PF_CMD_COMMANDS_H
#define PF_CMD_COMMANDS_H

#include "options.h"

/* argv[0] is the sub-command's name. options holds what the environment says. Each returns the exit
   status. */
int command_build(int argc, char **argv, struct options *options);
int command_create(int argc, char **argv, struct options *options);
int command_plan(int argc, char **argv, struct options *options);
int command_lock(int argc, char **argv, struct options *options);
int command_digest(int argc, char **argv, struct options *options);
int command_clean(int argc, char **argv, struct options *options);
int command_owners(int argc, char **argv, struct options *options);
int command_overlaps(int argc, char **argv, struct options *options);
int command_diff(int argc, char **argv, struct options *options);
int command_verify(int argc, char **argv, struct options *options);
int command_doctor(int argc, char **argv, struct options *options);
int command_warm(int argc, char **argv, struct options *options);
int command_gc(int argc, char **argv, struct options *options);

/* For the sub-commands: an engine made from options, watched for signals; NULL after saying why,
 *with status set. */
struct pf_engine *command_engine(struct options *options, int *status);

/* Ends what command_engine began. */
void command_end(struct pf_engine *engine);

/* What a command wrote to standard output is there: its status, or EXIT_FAILED after saying so. */
int command_flush(int status);

/* Handles --help and --version: true where the option was one of them. */
bool command_answers(int option, const char *help, const struct options *options, bool makes_root);

#endif
