/*
 * Preloaded into a process that is to lose its power: notes in a ledger what each fsync and fdatasync made durable, and
 * keeps what renames, removals and overwrites since then would have to be undone with. Notes follow the deed, so that a
 * process killed in between claims too little, never too much. Only files below CUT_ROOT are looked at; the ledger is the
 * file `ledger` in the folder CUT_KEPT, on the same file system. See cut.ts for the lines.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *root, *kept_folder;
static int ledger = -1;
static atomic_ulong kept_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void begin(void) {
  char path[PATH_MAX];
  root = getenv("CUT_ROOT");
  kept_folder = getenv("CUT_KEPT");
  if (root == NULL || kept_folder == NULL) return;
  snprintf(path, sizeof path, "%s/ledger", kept_folder);
  ledger = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

/* One write a line: threads do not mix theirs. */
static void note(const char *format, ...) {
  char line[2 * PATH_MAX + 64];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (length < 0 || length >= (int)sizeof line || write(ledger, line, length) != length) abort();
}

static int is_below_root(const char *path) {
  pthread_once(&once, begin);
  return ledger >= 0 && strncmp(path, root, strlen(root)) == 0;
}

static int is_watched(int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return is_below_root(path);
}

/* A second name for what is about to lose its own, which also keeps its inode from being given to another file. */
static unsigned long keep(const char *path) {
  char name[PATH_MAX];
  unsigned long number = atomic_fetch_add(&kept_count, 1) + 1;
  snprintf(name, sizeof name, "%s/%d-%lu", kept_folder, getpid(), number);
  return link(path, name) == 0 ? number : 0;
}

static int synced(int fd, const char *name) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  struct stat before;
  int watched = is_watched(fd) && fstat(fd, &before) == 0;
  int result = real(fd);
  if (watched && result == 0) {
    note("covered\t%lu\t%lld\n", (unsigned long)before.st_ino, (long long)before.st_size);
  }
  return result;
}

int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }

int rename(const char *from, const char *to) {
  int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
  int watched = is_below_root(to);
  unsigned long replaced = watched ? keep(to) : 0;
  int result = real(from, to);
  if (watched && result == 0) note("renamed\t%s\t%s\t%d-%lu\n", from, to, getpid(), replaced);
  return result;
}

int unlink(const char *path) {
  int (*real)(const char *) = dlsym(RTLD_NEXT, "unlink");
  int watched = is_below_root(path);
  unsigned long removed = watched ? keep(path) : 0;
  int result = real(path);
  if (watched && result == 0) note("removed\t%s\t%d-%lu\n", path, getpid(), removed);
  return result;
}

/* Writing at a place of its own may overwrite; what is appended is cut by length. */
static void note_overwrite(int fd, size_t count, off_t offset) {
  unsigned char old[1024];
  char hex[2 * sizeof old + 1];
  struct stat before;
  if (count > sizeof old || !is_watched(fd) || fstat(fd, &before) != 0 || offset >= before.st_size) return;
  ssize_t length = pread(fd, old, count, offset);
  if (length <= 0) return;
  for (ssize_t i = 0; i < length; i++) sprintf(hex + 2 * i, "%02x", old[i]);
  note("overwritten\t%lu\t%lld\t%s\n", (unsigned long)before.st_ino, (long long)offset, hex);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
  ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
  note_overwrite(fd, count, offset);
  return real(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
  note_overwrite(fd, count, offset);
  return real(fd, bytes, count, offset);
}
