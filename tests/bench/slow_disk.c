/* Preloaded into otpd: a disk whose syncs take SLOW_DISK_MS milliseconds, one after the other. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;

static int slowly(const char *name, int fd)
{
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    const char *milliseconds = getenv("SLOW_DISK_MS");
    long wait = milliseconds ? atol(milliseconds) : 0;
    struct timespec turn = { wait / 1000, wait % 1000 * 1000000 };

    pthread_mutex_lock(&disk);
    int result = sync(fd);
    nanosleep(&turn, NULL);
    pthread_mutex_unlock(&disk);
    return result;
}

int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
