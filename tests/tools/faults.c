/* Preloaded into otpd: a disk and a user database with the faults that the file $OTPD_FAULTS names, at each call:
 *   disk ERRNO    nothing can be written to files
 *   users ERRNO   users other than root cannot be looked up
 *   users hang    there is no answer about them, until the file says otherwise */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* The fault of a thing: an errno, 0 for none, -1 if it hangs. */
static int fault(const char *thing)
{
    char text[64] = "", what[16], how[16];
    int error = errno, fd = open(getenv("OTPD_FAULTS"), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t length = read(fd, text, sizeof text - 1);
        text[length > 0 ? length : 0] = 0;
        close(fd);
    }
    errno = error;
    if (sscanf(text, "%15s %15s", what, how) != 2 || strcmp(what, thing) != 0)
        return 0;
    return strcmp(how, "hang") == 0 ? -1 : atoi(how);
}

static int disk_fails(int fd)
{
    struct stat info;
    int error = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? fault("disk") : 0;
    if (error)
        errno = error;
    return error;
}

ssize_t write(int fd, const void *data, size_t size)
{
    return disk_fails(fd) ? -1 : REAL(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    return disk_fails(fd) ? -1 : REAL(pwrite)(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    return disk_fails(fd) ? -1 : REAL(pwrite64)(fd, data, size, at);
}

int fallocate(int fd, int mode, off_t at, off_t size)
{
    return disk_fails(fd) ? -1 : REAL(fallocate)(fd, mode, at, size);
}

int fallocate64(int fd, int mode, off64_t at, off64_t size)
{
    return disk_fails(fd) ? -1 : REAL(fallocate64)(fd, mode, at, size);
}

static int users_fail(void)
{
    struct timespec moment = { 0, 10000000 };
    int error;
    while ((error = fault("users")) < 0)
        nanosleep(&moment, NULL);
    return error;
}

int getpwnam_r(const char *name, struct passwd *user, char *room, size_t size, struct passwd **found)
{
    int error = strcmp(name, "root") ? users_fail() : 0;
    *found = NULL;
    return error ? error : REAL(getpwnam_r)(name, user, room, size, found);
}

int getpwuid_r(uid_t uid, struct passwd *user, char *room, size_t size, struct passwd **found)
{
    int error = uid ? users_fail() : 0;
    *found = NULL;
    return error ? error : REAL(getpwuid_r)(uid, user, room, size, found);
}
