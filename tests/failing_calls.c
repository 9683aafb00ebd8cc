/* Makes one call of the C library on the files of a folder fail. tests/fault_runs.py preloads it.

   FAULT_FOLDER    calls on files below this folder count
   FAULT_LOG       gets a line for every such call: its name and the path
   FAULT_CALL      the call that fails: open, read, write, fsync, truncate, link, rename, unlink, mkdir
   FAULT_NUMBER    which of these calls fails, from 1
   FAULT_ERRNO     its error
   FAULT_COUNT     a file that grows by a byte with each of these calls, in whatever process
   FAULT_NO_FSYNC  set: fsync does nothing, which shows what it costs
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* The number of this call among those of all processes of the run, from 1; -1 without a file. */
static long counted(void) {
  const char *path = getenv("FAULT_COUNT");
  if (!path) return -1;
  int file = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0666);
  syscall(SYS_write, file, "x", 1);
  long end = syscall(SYS_lseek, file, 0, SEEK_CUR);
  syscall(SYS_close, file);
  return end;
}

static int fails(const char *call, const char *path) {
  const char *folder = getenv("FAULT_FOLDER"), *wanted = getenv("FAULT_CALL");
  if (!folder || !path || strncmp(path, folder, strlen(folder)) != 0) return 0;
  const char *log = getenv("FAULT_LOG");
  if (log) {
    char line[PATH_MAX + 32];
    int length = snprintf(line, sizeof line, "%s %s\n", call, path);
    int file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0666);
    syscall(SYS_write, file, line, length);
    syscall(SYS_close, file);
  }
  if (!wanted || strcmp(wanted, call) != 0) return 0;
  const char *number = getenv("FAULT_NUMBER"), *error = getenv("FAULT_ERRNO");
  if (!number || !error || counted() != atol(number)) return 0;
  errno = atoi(error);
  return 1;
}

static int fails_on(const char *call, int file) {
  char link[64], path[PATH_MAX];
  int before = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  errno = before;
  if (length <= 0) return 0;
  path[length] = 0;
  return fails(call, path);
}

#define REAL(type, name, ...)                                    \
  static type (*real)(__VA_ARGS__);                              \
  if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define OPEN(name)                                               \
  int name(const char *path, int flags, ...) {                   \
    REAL(int, #name, const char *, int, ...);                    \
    va_list rest;                                                \
    va_start(rest, flags);                                       \
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                \
    return fails("open", path) ? -1 : real(path, flags, mode);   \
  }
OPEN(open)
OPEN(open64)

ssize_t read(int file, void *bytes, size_t count) {
  REAL(ssize_t, "read", int, void *, size_t);
  return fails_on("read", file) ? -1 : real(file, bytes, count);
}

ssize_t write(int file, const void *bytes, size_t count) {
  REAL(ssize_t, "write", int, const void *, size_t);
  return fails_on("write", file) ? -1 : real(file, bytes, count);
}

int fsync(int file) {
  REAL(int, "fsync", int);
  if (getenv("FAULT_NO_FSYNC")) return 0;
  return fails_on("fsync", file) ? -1 : real(file);
}

int ftruncate64(int file, off64_t length) {
  REAL(int, "ftruncate64", int, off64_t);
  return fails_on("truncate", file) ? -1 : real(file, length);
}

int link(const char *from, const char *to) {
  REAL(int, "link", const char *, const char *);
  return fails("link", to) ? -1 : real(from, to);
}

int linkat(int a, const char *from, int b, const char *to, int flags) {
  REAL(int, "linkat", int, const char *, int, const char *, int);
  return fails("link", to) ? -1 : real(a, from, b, to, flags);
}

int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  return fails("rename", to) ? -1 : real(from, to);
}

int unlink(const char *path) {
  REAL(int, "unlink", const char *);
  return fails("unlink", path) ? -1 : real(path);
}

int mkdir(const char *path, mode_t mode) {
  REAL(int, "mkdir", const char *, mode_t);
  return fails("mkdir", path) ? -1 : real(path, mode);
}
