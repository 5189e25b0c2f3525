/*
 * launch DATA_BYTES FILE_BYTES OPEN_FILES PROGRAM [ARGUMENT...]
 *
 * Runs a user's program in the code container and leaves nothing of it behind. It sets the program's limits, adopts
 * every process that the program leaves (whatever session, group or environment it has taken), kills them when the
 * program has ended, reaps them, and then ends exactly as the program did, by exit code or by signal.
 *
 * Its file may be executed but not read, so no program can trace it or look into it. A program can kill it, being of the
 * same user; then the supervisor sees an end by SIGKILL and kills what is left.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what) {
  dprintf(2, "launch: %s: %s\n", what, strerror(errno));
  _exit(126);
}

static void limit(int resource, rlim_t most) {
  struct rlimit value = {most, most};
  if (setrlimit(resource, &value) != 0) fail("setrlimit");
}

/* The kernel takes memory from programs first, not from the supervisor. Raising one's own score needs no right. */
static void offer_to_oom_killer(void) {
  int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  if (write(file, "1000", 4) < 0 && errno != EACCES && errno != EPERM) fail("oom_score_adj");
  close(file);
}

/* Kills all children; what they leave becomes ours and is found in the next round. */
static void kill_children(void) {
  DIR *processes = opendir("/proc");
  struct dirent *entry;
  if (processes == NULL) fail("/proc");
  while ((entry = readdir(processes)) != NULL) {
    char path[64], line[512], *rest;
    int file, parent;
    ssize_t length;
    pid_t pid = atoi(entry->d_name);
    if (pid <= 1 || pid == getpid()) continue;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if ((file = open(path, O_RDONLY | O_CLOEXEC)) < 0) continue;
    length = read(file, line, sizeof line - 1);
    close(file);
    if (length <= 0) continue;
    line[length] = '\0';
    /* The name of the command may hold anything, but nothing behind its last parenthesis. */
    if ((rest = strrchr(line, ')')) == NULL || sscanf(rest + 1, " %*c %d", &parent) != 1) continue;
    if (parent == getpid()) kill(pid, SIGKILL);
  }
  closedir(processes);
}

static void end_as(int status) {
  if (WIFSIGNALED(status)) {
    struct rlimit none = {0, 0};
    sigset_t all;
    setrlimit(RLIMIT_CORE, &none);
    signal(WTERMSIG(status), SIG_DFL);
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    raise(WTERMSIG(status));
  }
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 125);
}

int main(int count, char **words) {
  static const int told[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM};
  pid_t program, ended;
  int status, result = 0;
  if (count < 5) {
    dprintf(2, "usage: launch DATA_BYTES FILE_BYTES OPEN_FILES PROGRAM [ARGUMENT...]\n");
    return 126;
  }
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) fail("subreaper");
  program = fork();
  if (program < 0) fail("fork");
  if (program == 0) {
    offer_to_oom_killer();
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_DATA, strtoull(words[1], NULL, 10));
    limit(RLIMIT_FSIZE, strtoull(words[2], NULL, 10));
    limit(RLIMIT_NOFILE, strtoull(words[3], NULL, 10));
    execv(words[4], words + 4);
    fail(words[4]);
  }
  /* Signals are for the program. */
  for (unsigned one = 0; one < sizeof told / sizeof *told; one++) signal(told[one], SIG_IGN);
  /* Its pipes are the program's alone: the supervisor reads to their end. */
  close(1);
  close(2);
  do {
    ended = wait(&status);
    if (ended == program) result = status;
  } while (ended != program && (ended > 0 || errno == EINTR));
  for (;;) {
    kill_children();
    ended = waitpid(-1, &status, WNOHANG);
    if (ended == 0) usleep(1000);
    else if (ended < 0 && errno != EINTR) break;
  }
  end_as(result);
}
