/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void pf_close_at(int *fd)
{
    if (*fd < 0)
        return;
    int saved = errno;
    close(pf_steal_fd(fd));
    errno = saved;
}

void pf_free_at(void *ptr)
{
    free(*(void **)ptr);
}

int pf_steal_fd(int *fd)
{
    int given = *fd;
    *fd = -1;
    return given;
}
