/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VFS: descriptors, paths, mounts, exec, and what has no server of its own (pipes, poll, epoll,
 * eventfd, locks).
 *
 * A program's system call runs in a coroutine (lib/coro) with the program as its `client`. What a
 * file server must do, it does with the *program* as its caller: ask() forwards the blocked program
 * to it and waits until it comes back; a call that needs nothing afterwards is handed over for good
 * (hand_over()): the server answers the program itself. So VFS never waits, and data is copied
 * once.
 *
 * Files of this folder: table.c clients; file.c descriptors; server.c servers and their deaths;
 * ask.c overdue.c pace.c; wait.c; path.c mount.c; then one file for each group of system calls. main.c dispatches.
 */
#ifndef VFS_VFS_H
#define VFS_VFS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "abi/proto/file.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"
#include "lib/undo/list.h"
#include "servers/vfs/part.h"
#include "servers/vfs/overdue.h"
#include "servers/vfs/share.h"

#define VFS_PATH_MAX 4096
#define VFS_NAME_MAX 255
#define VFS_SYMLINKS_MAX 40
#define VFS_FILES_MAX 1024 /* descriptors of a process: the most that RLIMIT_NOFILE may be */

struct client;

/* ---- waiting (wait.c) ---- */

struct waiter { /* in one queue; woken() runs when that is woken */
    struct waiter *next, **link; /* link: NULL when in no queue */
    void (*woken)(struct waiter *);
    struct client *client;
};
struct wait_queue {
    struct waiter *first;
};

#define WAIT_FOREVER 0ull

/* Wait in one queue until woken: 0; -EINTR when a signal came, -ETIMEDOUT at `deadline` (clock, ns;
 * WAIT_FOREVER). Check the condition again. */
long wait_on(struct client *c, struct wait_queue *q, uint64_t deadline);
/* To wait in several queues (poll): c->woken = false, enter each with a waiter of its own, check
 * the conditions, sleep, leave each. */
void wait_enter(struct waiter *w, struct client *c, struct wait_queue *q);
/* epoll: woken() is called at once, no client */
void wait_enter_with(struct waiter *w, void (*woken)(struct waiter *), struct wait_queue *q);
void wait_leave(struct waiter *w);
long wait_sleep(struct client *c, uint64_t deadline);
/* In loops whose length a program decides: when the step has taken long, others have their turn
 * first. What may have changed meanwhile is looked at again. No signal ends it. */
void wait_turn(struct client *c);
void wait_briefly(struct client *c); /* the same, whatever the step has taken */
void wait_through(struct client *c, uint64_t ns); /* the same, for so long */
bool wait_step_is_long(void); /* others should have their turn */
/* It is behind a server, until then at most: ask_overdue() follows. Not any more. */
void wait_answer_begins(struct client *c, uint64_t until);
void wait_answer_ends(struct client *c);
void wait_step_begins(void); /* for main.c: the work of a client begins, or goes on */
/* Wake all. A waiter stays in its queue until it leaves. */
void wake_all(struct wait_queue *q);
void wait_wake(struct waiter *w); /* that one alone */

/* For main.c: run whoever is due; set the alarm for the earliest deadline. */
void wait_run(void);
void wait_alarm_is_over(void);
void wait_wake_client(struct client *c); /* it runs on at the next wait_run() */
/* timers of VFS itself: at boot, then for answers about readiness that did not come; for requests that are overdue;
 * for those that a server was to give back, and what else it is to hear of, while it hangs */
enum vfs_timer { TIMER_SERVERS, TIMER_OVERDUE, TIMER_RECALLS, TIMER_OWED, VFS_TIMERS };
void wait_timer(enum vfs_timer which, uint64_t when, void (*due)(void));
/* Unless it is set: each who sets it anew would put it off. */
void wait_timer_once(enum vfs_timer which, uint64_t when, void (*due)(void));
void wait_forget(struct client *c); /* it is about to be freed */

/* ---- servers (server.c) ---- */

struct server { /* who serves a DS key: "fs/ram", "chr/5", "net". Never freed. */
    char key[32], service[16]; /* service: RS's name of it; "": not known */
    endpoint_t endpoint; /* of the incarnation that is there; 0: none now */
    endpoint_t last; /* of the last that was there */
    struct server *next;
    struct wait_queue back; /* who waits for it to come back */
    endpoint_t hung; /* the incarnation that did not answer a plain call; 0: it did */
    uint64_t hung_until;
    unsigned grants; /* it has of us */
    struct wait_queue wants_grant; /* who waits for one */
    bool has_files; /* it is a file system's, not a device's */
    bool calls_us; /* fs/proc: no plain call to it, it may be calling us */
    uint32_t traits; /* enum file_trait */
    bool tells; /* it was told to notify us about readiness: ask it after NOTIFY_BIT_POLL */
    bool is_owed; /* what it answered about readiness came too late, and is lost */
};

/* The server of that key, asking DS. NULL: nobody has it, or no memory. */
struct server *server_find(const char *key);
/* The same for one that is being started as `ep`. NULL: no memory. */
struct server *server_expect(const char *key, endpoint_t ep);
/* It has died (an endpoint that is stale): wait until a fresh one is there. 0, -EINTR, -EIO when it
 * does not come back in time. */
long server_wait(struct client *c, struct server *s, endpoint_t dead);
/* NOTIFY_BIT_DS. */
void server_events(void);
void servers_start(void);
/* After NOTIFY_BIT_POLL: which nodes became ready; wakes their pollers. */
void server_poll_events(void);
void servers_look_again(void); /* all who wait for something of a server ask it anew */
/* Call it at once, without a program: close, poll, cancel. -EAGAIN for one that calls us,
 * -ETIMEDOUT for one that does not answer; it is left alone for a second then. */
long server_call(struct server *s, struct message *m);
/* The same about readiness: when no answer comes, all who wait for something of it look again. */
long server_poll_call(struct server *s, struct message *m);
/* Lend it memory, and its successor when it dies meanwhile: as grant_make(). There are not many
 * grants, so it may have to wait; `more`: how many others are made before the next wait, which will
 * not have to. Give it back. */
long server_grant(struct client *c, struct server *s, const void *address, size_t length,
                  uint32_t flags, unsigned more);
void server_revoke(struct server *s, long grant);

/* ---- open files (file.c) ---- */

struct io { /* a read or write */
    uint64_t address; /* in the program: of the bytes; with `vector` of struct iovec[] */
    uint64_t length; /* bytes; with `vector` the number of segments */
    uint64_t offset; /* when positioned */
    bool vector, positioned, write;
};

struct file;

/* What kinds of open files differ in. All run in the client's coroutine; NULL: the error beside.
 * They return the call's result, or SERVICE_NO_REPLY after hand_over(). */
struct file_operations {
    const char *name; /* for /proc/PID/fd: "pipe", "socket"; with the file's node: "pipe:[12]" */
    long (*transfer)(struct client *c, struct file *f, struct io *io); /* -EINVAL */
    /* -ENOTTY */
    long (*ioctl)(struct client *c, struct file *f, uint64_t request, uint64_t argument);
    /* ready now; tell: wake f->pollers when one comes. NULL: always ready */
    uint32_t (*poll)(struct file *f, uint32_t events, bool tell);
    bool is_ours; /* nobody but VFS knows of it: no server is asked for its attributes */
    /* the last descriptor is gone. c may be NULL */
    void (*close)(struct client *c, struct file *f);
};

struct file { /* an open file description */
    const struct file_operations *operations;
    uint32_t references, flags; /* flags: O_* as fcntl(F_GETFL) gives them */
    uint32_t mode; /* of the inode: S_IF* | permissions when opened */
    bool busy; /* its position is being moved by a call */
    bool seekable; /* has a position */
    struct server *server; /* remote files */
    uint64_t node; /* the server's number; of local ones a number for people */
    uint64_t lock_node; /* the inode's own number (a clone of a device has another node) */
    /* the incarnation of the server that knows it is open; 0: none needs to (sockets) */
    endpoint_t opened_by;
    uint64_t position;
    uint64_t rdev;
    struct part claimed; /* opened with O_EXCL: nobody else claims any of it */
    void *local; /* the pipe, epoll set, ... of a local file */
    char *path; /* canonical, or NULL */
    struct wait_queue pollers, idle;
    struct share *share; /* whose it is */
    size_t path_bytes; /* of path, as taken from it */
    struct file *next_all, **link_all; /* all open files */
    struct file *next_told; /* remote files whose server was told to tell us */
    bool told;
};

/* A new open file, one reference; NULL: no memory. */
struct file *file_new(const struct file_operations *operations, uint32_t flags, uint32_t mode);
/* False: the user has no room for it, or no memory. */
bool file_set_path(struct file *f, const char *path);
struct file *file_first(void); /* all of them: next_all */
void file_get(struct file *f);
/* closes it with the last reference; c may be NULL */
void file_put(struct client *c, struct file *f);
/* One that nobody has seen yet, because its opening failed: it is in the list of all. */
void file_discard(struct file *f);
uint64_t file_number(void); /* a fresh node number for a local file */

struct descriptor {
    struct file *file;
    bool close_on_exec;
};
struct files { /* a process's table; shared with CLONE_FILES */
    uint32_t references, size, limit; /* limit: RLIMIT_NOFILE */
    uint64_t size_limit; /* RLIMIT_FSIZE, bytes; UINT64_MAX: none */
    struct descriptor *descriptor;
};

/* The open file behind fd, NULL: EBADF. No reference is taken: take one before anything that may
 * wait. */
struct file *fd_file(struct client *c, uint64_t fd);
struct file *fd_used(struct client *c, uint64_t fd); /* NULL also for O_PATH: only a name */
/* The lowest free descriptor >= from: the file's reference goes to it. -EMFILE (the reference is
 * dropped). flags: O_CLOEXEC */
long fd_install(struct client *c, struct file *f, uint32_t from, uint32_t flags);
/* That descriptor, whatever it was. -ENOMEM (the reference is dropped). */
long fd_replace(struct client *c, struct file *f, uint32_t fd, uint32_t flags);
/* 0, or -EMFILE: there will be no descriptor for what is about to be opened. */
long fd_wanted(const struct client *c);
long fd_close(struct client *c, uint64_t fd);
struct files *files_new(void);
struct files *files_copy(const struct files *from);
void files_put(struct client *c, struct files *t);
void files_close_on_exec(struct client *c);
bool files_unshare(struct client *c); /* exec: false: no memory */

/* ---- clients (table.c) ---- */

struct location { /* a directory */
    struct server *server;
    uint64_t node;
    const char *path; /* canonical; the file's */
    struct file *file; /* holds it, also when it is removed */
};
struct place { /* where relative paths begin; shared with CLONE_FS */
    uint32_t references, umask;
    struct location cwd, root;
};

struct client { /* a thread of a program */
    endpoint_t endpoint; /* 0: unused */
    int pid;
    uint32_t uid, gid; /* effective */
    uint32_t real_uid, real_gid;
    uint32_t group_count, groups[FILE_GROUPS_MAX]; /* supplementary */
    struct files *files;
    struct place *place;
    char *exe; /* canonical path of its program */
    struct message call; /* the call in progress, as it came */
    struct coro *work; /* runs the call in progress; NULL: none */
    long result; /* of the coroutine when it has ended */
    struct server *behind; /* the server that has it now; NULL: we have it */
    endpoint_t behind_endpoint; /* the incarnation that has it */
    struct overdue overdue; /* what that is asked for */
    struct message handed; /* what that was handed */
    endpoint_t
        meant_for; /* the only incarnation that knows the node it is asked about; 0: all do */
    bool repeats; /* the call is made once more, because the server has died */
    struct server *asked_again; /* ask.c: who is to be asked for `handed` again */
    struct message answer; /* of ask() */
    bool answered; /* answer is there */
    bool returned; /* it has been taken back from the server: what it was handed is not done */
    bool in_doubt; /* the same, and the server has not said what it has done */
    uint64_t recalled; /* since when the server is asked that, in vain; 0: it is not */
    bool woken, timed_out, runnable; /* wait.c */
    /* a signal: every wait ends with -EINTR; PM gets it when the call is over (life.c) */
    bool cancelled;
    bool interrupted; /* one has ended so */
    bool exiting; /* its files are closed then */
    bool finishes; /* it is over when it is done, whoever kills it: servers are waited for */
    bool lost; /* exiting, and a server did not give it back in time: no other is asked by it */
    bool gone; /* it is freed when its work has ended */
    uint64_t deadline;
    struct client *next_runnable, *next_sleeping;
};

struct client *client_of(endpoint_t ep); /* NULL: unknown */
struct client *client_new(endpoint_t ep, int pid);
void client_free(struct client *c);
struct client *client_next(struct client *c); /* all of them: begin with NULL */
struct place *place_new(void);
struct place *place_copy(const struct place *from);
void place_put(struct client *c, struct place *p);
/* It is there from now on. (place.c) */
long location_set(struct client *c, struct location *l, struct server *s, uint64_t node,
                  const char *path);

/* ---- asking file servers (ask.c) ---- */

/* Forward the blocked client to the server and wait for it to come back: result, and the reply's words
 * in *m. When the server dies meanwhile, it waits for the fresh one and asks again if `again`,
 * else -EIO; NEVER: nor is a fresh one waited for before. -EINTR: cancelled, and the request may wait. Whose
 * the answer is, behind_endpoint says: it may have died since. */
enum again { ONCE, AGAIN, NEVER };
long ask(struct client *c, struct server *s, struct message *m, enum again again);
/* Hand it over for good. Returns SERVICE_NO_REPLY, or an error. */
long hand_over(struct client *c, struct server *s, const struct message *m);
/* For main.c */
void ask_answered(struct client *c, const struct message *m);
void ask_bounced(struct client *c, const struct message *m);
/* It is cancelled, and a server has it: take it back. What it waits for ends, what is done already
 * counts, anything else goes on. */
void ask_take_back(struct client *c);
/* It is exiting, and the server that has it has not given it back in time. */
void ask_overdue(struct client *c);
bool ask_any_behind(const struct server *s); /* it has some client's request */
void ask_taken(struct client *c); /* PM has taken it from that one */

/* ---- requests that have killed servers (pace.c) ---- */
/* So much of a server's time this request of c's has cost (ns) before it was refused: those of its kind and user wait. */
void pace_set(const struct client *c, const struct server *s, uint64_t type, uint64_t cost);
/* When such a request may be made next, which is this one's turn then; 0: at once. */
uint64_t pace_turn(const struct client *c, const struct server *s, uint64_t type);

/* ---- memory of the client ---- */
/* The signal mask at `address` (0: none; `size` must be 8) holds until the call is over with
 * `result`. */
long mask_begin(struct client *c, uint64_t address, uint64_t size);
long mask_end(struct client *c, uint64_t address, long result);
long user_read(struct client *c, uint64_t address, void *local, size_t length); /* 0, -EFAULT */
/* The same into a vault (lib/vault): not logged, and copied once more when the step is repeated. */
long user_read_vault(struct client *c, uint64_t address, void *vault, size_t length);
long user_write(struct client *c, uint64_t address, const void *local, size_t length);
/* A string: NUL-terminated in `text`. Its length, -EFAULT, -ENAMETOOLONG. */
long user_string(struct client *c, uint64_t address, char *text, size_t room);

/* ---- paths (path.c) ---- */

struct found {
    struct server *server;
    uint64_t node; /* 0: it is not there (only with FOUND_MAY_MISS) */
    uint32_t mode, uid; /* mode: 0 when not there */
    uint64_t size, rdev;
    uint64_t parent; /* with FOUND_MAY_MISS and node 0: the directory that lacks it, same server */
    bool trailing_slash; /* the path ended in '/': must be a directory */
    struct file *unnamed; /* with FOUND_UNNAMED: it is this open file; nothing else is known */
    endpoint_t
        opened_by; /* with FOUND_OPEN: that incarnation of the server has opened it, as node `use` */
    uint64_t use;
    char path[VFS_PATH_MAX]; /* canonical. Here begins what is long, and not cleared */
    char last[VFS_NAME_MAX + 1]; /* with `parent`: the name it would have */
    struct found *next_all, **link_all; /* all that are in use */
    bool unmounts; /* it is umount's own */
};
enum found_flag {
    FOUND_FOLLOW = 1,
    FOUND_MAY_MISS = 2,
    FOUND_OPEN = 4 /* open regular files on the way: flags in the upper half */,
    FOUND_UNNAMED = 8 /* accept what /proc/self/fd leads to and has no path: pipes, sockets */
};
#define FOUND_OPEN_SHIFT 32

/* Walk `path` (in our memory) from directory descriptor `at` (AT_FDCWD). 0 or -errno. */
long path_find(struct client *c, int at, const char *path, uint64_t flags, struct found *out);
/* The same with the path in the program's memory. "" is -ENOENT unless AT_EMPTY_PATH was allowed by
 * the caller before. */
long path_find_user(struct client *c, int at, uint64_t address, uint64_t flags, struct found *out);
/* The directory in which the last component is, and that component: for create, unlink, rename.
 * `out` is the directory; last the name. */
long path_find_parent(struct client *c, int at, uint64_t address, struct found *out);
/* A struct found from the pool (they are big); give it back. NULL: no memory. */
struct found *found_new(void);
void found_free(struct found *f);
/* The same for one that is a part of something. */
void found_begin(struct found *f);
void found_end(struct found *f);
struct found *found_first(void); /* all of them: next_all */

/* ---- rights (stat.c) ---- */
/* May the client do that (R_OK W_OK X_OK) with it? 0, -EACCES */
long found_may(struct client *c, const struct found *f, int how);
/* A path argument and other text, in a buffer of VFS_PATH_MAX from the heap; free() it. */
long path_fetch(struct client *c, uint64_t address, char **text);

/* ---- mounts (mount.c) ---- */
struct mount {
    struct server *server; /* NULL: not mounted */
    bool is_claimed; /* it is being mounted: nobody finds it, or may mount any of its parts */
    bool ends; /* it is being unmounted: nobody finds it any more */
    const struct server *claimed; /* its server, or who is to be */
    uint64_t root;
    struct server *over_server; /* what it covers; NULL: the root of all */
    uint64_t over_node;
    uint64_t flags; /* MS_*: those that are kept here, and not by the server */
    char path[256], type[16], options[64];
    char source[64]; /* as mount(8) shows it */
    struct part part; /* its disk */
    char instance[16]; /* name of the service that was started for it; "": none */
};
/* A service that RS starts for a mount, as NAME (instance.c). */
long instance_start(const char *base, const char *parameters, char name[16], endpoint_t *out);
void instance_stop(const char *name);
struct mount *mount_over(struct server *s, uint64_t node); /* what covers that directory */
struct mount *mount_at(struct server *s, uint64_t root); /* the mount with that root */
struct mount *mount_root(void);
struct mount *mount_next(struct mount *m); /* all of them: begin with NULL */
/* The mount at whose place, one component below the root, an absolute path begins; *rest: what
 * follows. NULL: none */
struct mount *mount_of_path(const char *path, const char **rest);
/* Is what that server has mounted with the flag MS_*? */
bool server_is_mounted_with(struct server *s, uint64_t flag);
long mount_add(struct client *c, struct server *s, const char *type, const struct found *over,
               uint64_t flags);
uint64_t mount_shown(const struct mount *m); /* its flags, as ST_* of statvfs(3) */
int mount_line(const struct mount *m, char *text, size_t room); /* of /proc/mounts; as snprintf() */
long mounts_text(char *text, size_t room); /* /proc/mounts */
void mounts_read_only(struct server *s); /* it says that it changes nothing any more */
void mounts_tell(struct server *s); /* a fresh incarnation: which of its directories are covered */

/* ---- opening (open.c) ---- */
/* Open what was found: a new file with one reference in *out. */
long open_found(struct client *c, const struct found *f, uint32_t flags, struct file **out);
/* A path of ours: for init's console and exec. */
long open_path(struct client *c, const char *path, uint32_t flags, struct file **out);
/* A FIFO that was found (pipe.c). May wait for the other end. */
long fifo_open(struct client *c, const struct found *f, uint32_t flags, struct file **out);

/* F_GETPIPE_SZ, F_SETPIPE_SZ (pipe.c) */
long pipe_fcntl(struct file *f, uint64_t command, uint64_t argument);

/* ---- locks (lock.c) ---- */
/* F_SETLK F_SETLKW F_GETLK */
long lock_fcntl(struct client *c, struct file *f, uint64_t command, uint64_t argument);
/* a descriptor of it is closed by the process of that table: its POSIX locks go */
void lock_closed(const struct files *t, struct file *f);
void lock_file_gone(struct file *f); /* flock locks go with the open file */

/* ---- epoll (epoll.c) ---- */
/* the last descriptor of it is closed: no set has it any more */
void epoll_file_gone(struct file *f);

/* ---- sockets (socket.c, unix.c) ---- */
bool file_is_socket(const struct file *f);
/* Sockets of this machine, AF_UNIX. type: SOCK_* with SOCK_CLOEXEC, SOCK_NONBLOCK; request:
 * SOCKET_*; call: the arguments of the system call */
long unix_socket(struct client *c, uint32_t type, uint32_t protocol);
long unix_call(struct client *c, struct file *f, uint64_t request, const uint64_t *call);
long unix_accept(struct client *c, struct file *f, const uint64_t *call, uint32_t type);
/* That socket has lost a reference, and is left with others. */
void unix_still_referenced(struct client *c, const struct file *f);

/* ---- system calls ---- */
typedef long (*call_handler)(struct client *c, const uint64_t *w); /* w: the six arguments */
struct call_entry {
    uint16_t number;
    call_handler handle;
};
struct call_table {
    const struct call_entry *entries;
    size_t count;
};
/* At the end of each file: VFS_TABLE(pipe_calls, {SYS_pipe, sys_pipe}, ...). main.c lists the
 * tables. */
#define VFS_TABLE(name, ...)                                                                       \
    static const struct call_entry name##_entries[] = {__VA_ARGS__};                               \
    const struct call_table name = {name##_entries,                                                \
                                    sizeof name##_entries / sizeof name##_entries[0]};
extern const struct call_table io_calls, open_calls, descriptor_calls, stat_calls, name_calls,
    attribute_calls, place_calls, exec_calls, mount_calls, pipe_calls, poll_calls, select_calls,
    epoll_calls, event_calls, socket_calls, pair_calls, lock_calls, directory_calls, xattr_calls;

/* Deadline of a timeout: struct timespec at address (0: for ever) -> *deadline (0 for ever; in the
 * past: at once). 0, -EFAULT, -EINVAL */
long deadline_from(struct client *c, uint64_t address, uint64_t *deadline);

/* SIGPIPE and the like to the client itself. */
void signal_client(struct client *c, int signal);
/* The call in progress ends with `result`, and then comes the signal, which would end the call first.
 * Returns the handler's result. */
long signal_with_result(struct client *c, int signal, long result);

/* Requests of PM's and others' (life.c). They return SERVICE_NO_REPLY or a result. */
long life_fork(struct message *m);
long life_exit(struct message *m);
long life_cancel(struct message *m);
long life_late(endpoint_t ep, struct message *late); /* the result of what was taken back from it,
                                                        by ipc_late_answer() */
void life_called_off(struct client *c); /* a cancelled call has ended, result in c->result */
long life_credentials(struct message *m);
long life_file_limit(struct message *m);

/* A client's work runs in a coroutine. When it ends, its result goes to the client, unless it is
 * SERVICE_NO_REPLY. False: no memory, nothing has run. (main.c) */
bool client_begin(struct client *c, void (*work)(void *));
void client_resume(struct client *c);
long client_call_again(
    struct client *c); /* in its coroutine: the call in progress, from its beginning */

/* boot.c: the first program, when the servers that it needs are there. */
void boot_start(void);
void boot_try(void); /* after a change in DS */
void boot_init(struct client *init);

/* mmap.c: VFS_MMAP, run as a call */
long sys_mmap_file(struct client *c, const uint64_t *w);

/* proc_info.c */
long info_fd_link(struct message *m);
long info_mounts(struct message *m);

#include "servers/vfs/remote.h"

#endif
