/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/manifest/*.c
/* The manifest parser: every key, every kind of error, and garbage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/kernel.h"
#include "abi/service.h"
#include "lib/manifest/manifest.h"
#include "lib/manifest/suggest.h"

#define FILE_NAME "etc/bardo/x.svc"

static struct manifest m;
static char error[128];

static int parse(const char *text)
{
    size_t n = strlen(text);
    char *exact = malloc(n ? n : 1); /* no NUL behind it: ASan sees a read beyond the end */
    int result;

    memcpy(exact, text, n);
    error[0] = 0;
    result = manifest_parse(exact, n, FILE_NAME, &m, error, sizeof error);
    free(exact);
    return result;
}

static void refused(const char *text, const char *message)
{
    assert_true(parse(text) < 0);
    assert_string_equal(error, message);
}

static void test_defaults(void **state)
{
    assert_int_equal(parse("class server"), 0);
    assert_string_equal(m.name, "x");
    assert_int_equal(m.class, CLASS_SERVER);
    assert_int_equal(m.heartbeat_ms, 100);
    assert_int_equal(m.heartbeat_high_ms, 200);
    assert_true(m.restart);
    assert_int_equal(m.stack, 65536);
    assert_true(m.kernel_calls >> KERNEL_REPLY_RECEIVE & 1);
    assert_false(m.kernel_calls >> KERNEL_SLOT_CREATE & 1);
    assert_false(m.kernel_calls >> KERNEL_IRQ_ACK & 1);
    assert_int_equal(m.routes, 1u << ROUTE_GUARDIAN | 1u << ROUTE_KERNEL);
    assert_int_equal(parse("class server\nreturns rolled-back"), 0);
    assert_true(m.restart);
    assert_int_equal(parse("class server\nreturns rolled-back\nessential yes"), 0);
    assert_false(m.restart);
    assert_true(parse("class core") < 0);
}

static void test_all_keys(void **state)
{
    assert_int_equal(
        parse(
            "# a comment\n\n  description\t Intel 82540EM   # trailing\r\nclass net\nstart 7\n"
            "device pci 8086:100e\ndevice pci 8086:100F\nqueue 1280K net\ncalls rs ds\ncalls vm\n"
            "notifies all\nkernel irq_ack port_in\nrights copy_any\nreads trace log\nlinux memory "
            "files "
            "process\npriority 2\n"
            "cpu 500\nmemory 4M\nstack 5000\narchive yes\nheartbeat 20\nrestart no\nbudget 300 60\n"
            "backoff 200 10 2000\ndependents tty net\npolicy /etc/bardo/policy/generic.sh -m root\n"
            "deadline 700\nalternate e1000-2\nparameters speed=9600 x\nirq 4 3\nports 0x3f8-0x3ff "
            "96-100"),
        0);
    assert_string_equal(m.description, "Intel 82540EM");
    assert_int_equal(m.class, CLASS_NET);
    assert_int_equal(m.devices, 2);
    assert_int_equal(m.device[1].vendor, 0x8086);
    assert_int_equal(m.device[1].device, 0x100f);
    assert_int_equal(m.queue_size, 1280 << 10);
    assert_string_equal(m.queue_client, "net");
    assert_int_equal(m.calls.count, 3);
    assert_string_equal(m.calls.name[2], "vm");
    assert_true(m.notifies.all);
    assert_true(m.kernel_calls >> KERNEL_IRQ_ACK & 1);
    assert_true(m.kernel_calls >> KERNEL_PORT_IN & 1);
    assert_int_equal(m.right_flags, RIGHT_COPY_ANY);
    assert_int_equal(m.reads, 1u << RING_LOG | 1u << RING_TRACE);
    assert_int_equal(m.routes, 1u << ROUTE_GUARDIAN | 1u << ROUTE_KERNEL | 1u << ROUTE_VM |
                                   1u << ROUTE_VFS | 1u << ROUTE_PM);
    assert_int_equal(m.priority, 2);
    assert_int_equal(m.cpu_permille, 500);
    assert_int_equal(m.memory, 4 << 20);
    assert_int_equal(m.stack, 8192);
    assert_true(m.archive);
    assert_int_equal(m.heartbeat_ms, 20);
    assert_false(m.restart);
    assert_int_equal(m.budget, 300);
    assert_int_equal(m.backoff_free, 200);
    assert_int_equal(m.backoff_first_ms, 10);
    assert_int_equal(m.backoff_max_ms, 2000);
    assert_int_equal(m.dependents.count, 2);
    assert_string_equal(m.policy, "/etc/bardo/policy/generic.sh");
    assert_string_equal(m.policy_arguments, "-m root");
    assert_int_equal(m.deadline_ms, 700);
    assert_string_equal(m.parameters, "speed=9600 x");
    assert_string_equal(m.alternate, "e1000-2");
    assert_int_equal(m.irqs, 2);
    assert_int_equal(m.irq[1], 3);
    assert_int_equal(m.ports, 2);
    assert_int_equal(m.port[0].first, 0x3f8);
    assert_int_equal(m.port[1].last, 100);
}

static void test_publishes(void **state)
{
    assert_int_equal(
        parse("class fs\npublishes blk/8 blk/254\npublishes chr/1\ncomplains-of a b\n"), 0);
    assert_int_equal(m.keys, 3);
    assert_true(manifest_may_publish(&m, "x", "x"));
    assert_true(manifest_may_publish(&m, "x", "fs/x"));
    assert_true(manifest_may_publish(&m, "x.1", "fs/x.1"));
    assert_true(manifest_may_publish(&m, "x", "blk/254"));
    assert_true(manifest_may_publish(&m, "x", "chr/1"));
    assert_false(manifest_may_publish(&m, "x", "fs/x.1")); /* that is another instance */
    assert_false(manifest_may_publish(&m, "x", "fs/proc"));
    assert_false(manifest_may_publish(&m, "x", "blk/25"));
    assert_false(manifest_may_publish(&m, "x", "chr/10"));
    assert_false(manifest_may_publish(&m, "x", "net/x"));
    assert_false(manifest_may_publish(&m, "x", ""));
    assert_int_equal(m.complains_of.count, 2);
    assert_string_equal(m.complains_of.name[1], "b");
}

static void test_places(void **state)
{
    assert_int_equal(parse("class char\ndevice isa 0x2f8-0x2ff 3\ndevice isa 0x3e8-0x3ef\n"), 0);
    assert_true(m.isa);
    assert_int_equal(m.places, 2);
    assert_int_equal(m.place[0].first, 0x2f8);
    assert_int_equal(m.place[0].last, 0x2ff);
    assert_true(m.place[0].has_irq);
    assert_int_equal(m.place[0].irq, 3);
    assert_int_equal(m.place[1].first, 0x3e8);
    assert_false(m.place[1].has_irq);
    refused("class char\ndevice isa 0x2f8\n",
            FILE_NAME ":2: device: expected FIRST-LAST, not '0x2f8'");
    refused("class char\ndevice isa 5-4 3\n", FILE_NAME ":2: device: bad range of ports");
    refused("class char\ndevice isa 1-4 16\n",
            FILE_NAME ":2: device: expected a number from 0 to 15, not '16'");
    refused("class char\ndevice isa 1-4 3 4\n", FILE_NAME ":2: device: unexpected '4'");
    refused("class char\ndevice isa 1-2\ndevice isa 3-4\ndevice isa 5-6\ndevice isa 7-8\n"
            "device isa 9-10\n",
            FILE_NAME ":6: device: too many devices");
    refused("class char\ndevice isa 1-4\nirq 4\n",
            FILE_NAME ":3: interrupts are given twice: with \"device isa\" and by "
                      "themselves");
    refused("class char\ndevice isa 1-4\nports 5-6\n",
            FILE_NAME ":3: ports are given twice: with \"device isa\" and by themselves");
    refused("class char\ndevice isa 1-4\ndevice pci 1:1\n",
            FILE_NAME ":3: a device is either on the PCI or on the ISA bus");
}

static void test_errors(void **state)
{
    refused("class net\ncalls rs all\n",
            FILE_NAME ":2: calls: name those that it needs, not 'all'");
    refused("class net\nforwards fs/x\n", FILE_NAME ":2: forwards: bad name 'fs/x'");
    refused("class net\npublishes fs/*\n", FILE_NAME ":2: publishes: bad name 'fs/*'");
    refused("class net\npublishes\n", FILE_NAME ":2: publishes: its value is missing: NAME...");
    refused("class net\npublishes 0123456789012345678901234567890123\n", FILE_NAME
            ":2: publishes: longer than 31 characters: '0123456789012345678901234567890'");
    refused("class net\npublishes 1 2 3 4 5 6 7 8 9\n",
            FILE_NAME ":2: publishes: too many names '9'");
    refused("", FILE_NAME ":1: the line \"class\" is missing");
    refused("class net\n\nfoo bar\n", FILE_NAME ":3: unknown key 'foo'");
    refused("class nets\n", FILE_NAME ":1: class: unknown class 'nets' (did you mean 'net'?)");
    refused("class net\nclass net\n", FILE_NAME ":2: class: given twice; line 1 has it already");
    refused("class net x\n", FILE_NAME ":1: class: unexpected 'x'");
    refused("class\n", FILE_NAME
            ":1: class: its value is missing: server, fs, net, char, block, input or screen");
    refused("class net\nheartbeat abc\n",
            FILE_NAME ":2: heartbeat: expected a number from 0 to 60000, not 'abc'");
    refused("class net\nheartbeat 5\n",
            FILE_NAME ":2: heartbeat: a heartbeat is 0 (none) or 10 ms and more");
    refused("class net\nheartbeat 50 50\n",
            FILE_NAME ":2: heartbeat: expected a number from 51 to 600000, not '50'");
    refused("class net\nheartbeat 0 50\n",
            FILE_NAME ":2: heartbeat: 0 is for no heartbeat at all: no second number follows it");
    refused("class net\nheartbeat 50 100 200\n", FILE_NAME ":2: heartbeat: unexpected '200'");
    assert_int_equal(parse("class net\nheartbeat 50 1500\n"), 0);
    assert_int_equal(m.heartbeat_ms, 50);
    assert_int_equal(m.heartbeat_high_ms, 1500);
    assert_int_equal(parse("class net\nheartbeat 50\n"), 0);
    assert_int_equal(m.heartbeat_high_ms, 100);
    assert_int_equal(parse("class net\nheartbeat 0\n"), 0);
    assert_int_equal(m.heartbeat_high_ms, 0);
    refused("class net\nheartbeat 99999999999999999999999\n", FILE_NAME
            ":2: heartbeat: expected a number from 0 to 60000, not '99999999999999999999999'");
    refused("class net\npriority 16\n",
            FILE_NAME ":2: priority: expected a number from 0 to 15, not '16'");
    refused("class net\ndevice pci 8086\n",
            FILE_NAME ":2: device: expected VENDOR:DEVICE in hexadecimal, not '8086'");
    refused("class net\ndevice pci 18086:1\n",
            FILE_NAME ":2: device: expected VENDOR:DEVICE in hexadecimal, not '18086:1'");
    refused("class net\ndevice usb 1:1\n", FILE_NAME ":2: device: bad kind of device 'usb'");
    refused("class net\ndevice isa\ndevice pci 1:1\n",
            FILE_NAME ":3: a device is either on the PCI or on the ISA bus");
    refused("class server\nstandby yes\n",
            FILE_NAME ":2: only drivers have a fresh copy that stands by");
    refused("class net\nreturns rolled-back\nstandby yes\n",
            FILE_NAME ":3: only drivers have a fresh copy that stands by");
    refused("class net\nports 0x3ff-0x3f8\n", FILE_NAME ":2: ports: bad range of ports");
    refused("class net\nqueue 5000 net\n",
            FILE_NAME ":2: queue: size of the queue is not a multiple of 4K");
    refused("class net\nqueue 64K\n",
            FILE_NAME ":2: queue: expected name of a service, but the line ends");
    refused("class net\nqueue 64K x\n", FILE_NAME ":2: a queue to itself");
    refused("class net\nqueue 64K ../x\n", FILE_NAME ":2: queue: bad name '../x'");
    refused("class net\nkernel fly\n", FILE_NAME ":2: kernel: unknown kernel call 'fly'");
    refused("class net\nrights all\n", FILE_NAME ":2: rights: unknown right 'all'");
    refused("class net\nlinux memory disk\n",
            FILE_NAME ":2: linux: unknown class of Linux calls 'disk'");
    refused("class net\ncalls abcdefghijklmnopq\n",
            FILE_NAME ":2: calls: longer than 15 characters: 'abcdefghijklmno'");
    refused("class net\nbackoff 1 100 50\n",
            FILE_NAME ":2: backoff: expected a number from 100 to 86400000, not '50'");
    refused("class net\nbudget 5\n",
            FILE_NAME ":2: budget: expected a number from 1 to 86400, but the line ends");
    refused("class net\npolicy generic.sh\n",
            FILE_NAME ":2: policy: the path of a policy script begins with '/'");
    refused("class net\nalternate\n", FILE_NAME ":2: alternate: its value is missing: PROGRAM");
    refused("class net\nalternate ../x\n", FILE_NAME ":2: alternate: bad name '../x'");
    refused("class net\nalternate y\nalternate y\n",
            FILE_NAME ":3: alternate: given twice; line 2 has it already");
    refused("class net\nalternate y z\n", FILE_NAME ":2: alternate: unexpected 'z'");
    refused("class net\nalternate x\n", FILE_NAME ":2: its alternate is itself");
    refused("class server\nreturns rolled-back\nalternate y\n",
            FILE_NAME ":3: one that goes on with its memory has no alternate");
    refused("class server\nessential yes\n",
            FILE_NAME ":2: what the system cannot do without must keep its memory: \"returns "
                      "rolled-back\" is missing");
    refused("class server\nreturns rolled-back\nessential yes\nhold yes\n",
            FILE_NAME ":4: what the system cannot do without is never held");
    refused("class net\nparameters a\nparameters b\n",
            FILE_NAME ":3: parameters: given twice; line 2 has it already");
    refused("class net\nrestart maybe\n", FILE_NAME ":2: restart: expected yes or no, not 'maybe'");
    refused("class net\nmemory 99999999999G\n", FILE_NAME
            ":2: memory: expected a number from 4096 to 70368744177664, not '99999999999G'");
    refused("class \x01net\n", FILE_NAME ":1: a control character in the line");
}

static void test_what_follows(void **state)
{
    assert_int_equal(parse("class net\ndevice pci 1:2\nalternate y\npolicy /p\n"
                           "ladder restart restart reset bus-reset dependents alternate script "
                           "give-up\nstrategy rest\nat-end script /etc/x  a b \n"),
                     0);
    assert_int_equal(m.ladder.count, 8);
    assert_int_equal(m.ladder.rung[7], LADDER_GIVE_UP);
    assert_int_equal(m.strategy, STRATEGY_REST);
    assert_int_equal(m.at_end, END_SCRIPT);
    assert_string_equal(m.end_script, "/etc/x");
    assert_string_equal(m.end_arguments, "a b");
    assert_int_equal(parse("class net\nat-end reboot\n"), 0);
    assert_int_equal(m.end_uptime_s, 300);
    assert_int_equal(parse("class net\nat-end reboot 10\n"), 0);
    assert_int_equal(m.end_uptime_s, 10);
    refused("class net\nstrategy al\n",
            FILE_NAME ":2: strategy: expected one, rest or all, not 'al'");
    refused("class net\ndependents b all\n",
            FILE_NAME ":2: dependents: name those that are restarted with it, not 'all'");
    refused("class net\nladder restart dependants\n",
            FILE_NAME ":2: ladder: unknown rung 'dependants' (did you mean 'dependents'?)");
    refused("class net\nladder reset restart\n", FILE_NAME
            ":2: ladder: what is milder does not help any more after the one before it: 'restart'");
    refused("class net\nladder restart dependents dependents\n", FILE_NAME
            ":2: ladder: only restart, reset and bus-reset are tried twice, not 'dependents'");
    refused("class net\nladder give-up\n",
            FILE_NAME ":2: ladder: it begins with a fresh copy, not with 'give-up'");
    refused("class net\nladder restart restart restart restart restart restart restart restart "
            "restart restart restart restart restart\n",
            FILE_NAME ":2: ladder: too many rungs 'restart'");
    refused("class net\nladder restart reset\n",
            FILE_NAME ":2: it has no device that could be reset");
    refused("class char\ndevice isa\nladder restart bus-reset\n", FILE_NAME
            ":3: what is on the ISA bus can be reset by its driver alone, not from outside");
    refused("class net\nladder restart alternate\n",
            FILE_NAME ":2: there is no line \"alternate\" with the other program");
    refused("class net\nladder restart script\n",
            FILE_NAME ":2: there is no line \"policy\" with the script");
    refused("class net\nat-end rebot\n",
            FILE_NAME ":2: at-end: unknown action 'rebot' (did you mean 'reboot'?)");
    refused("class net\nat-end reboot 86401\n",
            FILE_NAME ":2: at-end: expected a number from 0 to 86400, not '86401'");
    refused("class net\nat-end hold 5\n", FILE_NAME ":2: at-end: unexpected '5'");
    refused("class net\nat-end script\n",
            FILE_NAME ":2: at-end: expected path of the script, but the line ends");
    refused("class net\nat-end script x\n",
            FILE_NAME ":2: at-end: the path of a policy script begins with '/'");
    refused("class server\nreturns rolled-back\nessential yes\nladder restart\n",
            FILE_NAME ":4: what the system cannot do without is never replaced: it goes on");
    refused("class server\nreturns rolled-back\nessential yes\nat-end poweroff\n",
            FILE_NAME ":4: what the system cannot do without is never replaced: it goes on");
    refused("class server\nstrategy all\nreturns rolled-back\nessential yes\n",
            FILE_NAME ":2: what the system cannot do without is never replaced: it goes on");
}

static void test_names(void **state)
{
    assert_int_equal(
        manifest_parse("class net", 9, "etc/bardo/e1000.1.svc", &m, error, sizeof error), 0);
    assert_string_equal(m.name, "e1000.1");
    assert_true(manifest_parse("class net", 9, "etc/bardo/.svc", &m, error, sizeof error) < 0);
    assert_true(manifest_parse("class net", 9, "etc/bardo/abcdefghijklmnop.svc", &m, error,
                               sizeof error) < 0);
    assert_true(manifest_parse("class net", 9, "etc/bardo/x.conf", &m, error, sizeof error) < 0);
    assert_true(manifest_parse("class net", 9, "etc/bardo/a b.svc", &m, error, sizeof error) < 0);
    assert_non_null(strstr(error, "etc/bardo/a b.svc: "));
}

static void test_limits(void **state)
{
    char text[4096] = "class net\n";

    for (int i = 0; i <= MANIFEST_DEVICES; i++)
        strcat(text, "device pci 1:1\n");
    refused(text, FILE_NAME ":18: device: too many devices 'pci'");
    strcpy(text, "class net\ncalls");
    for (int i = 0; i <= MANIFEST_NAMES; i++)
        strcat(text, " a");
    refused(text, FILE_NAME ":2: calls: too many names 'a'");
    strcpy(text, "class net\nirq 1 2 3 4 5 6 7 8 9");
    refused(text, FILE_NAME ":2: irq: too many interrupts");
    memset(text, 'p', 1000);
    memcpy(text, "class net\nparameters ", 21);
    text[1000] = 0;
    refused(text, FILE_NAME ":2: parameters: longer than 511 characters");
}

static void test_garbage(void **state)
{
    static const char words[] =
        "class net device pci 8086:100e # irq ports 0x3f8-0x3ff queue 4K a\n\0\xff-:M";
    char text[512];

    srand(1);
    for (int round = 0; round < 20000; round++) {
        int n = rand() % (int)sizeof text;

        for (int i = 0; i < n; i++)
            text[i] = words[rand() % (int)(sizeof words - 1)];
        (void)manifest_parse(text, (size_t)n, FILE_NAME, &m, error, sizeof error);
    }
}

static void test_registers(void **state)
{
    assert_int_equal(parse("class screen\ndevice isa\nregisters 0xa0000-0xbffff\n"), 0);
    assert_int_equal(m.class, CLASS_SCREEN);
    assert_int_equal(m.registers, 0xa0000);
    assert_int_equal(m.registers_size, 0x20000);
    refused("class input\ndevice isa\nregisters 0xa0000\n",
            FILE_NAME ":3: registers: expected FIRST-LAST, not '0xa0000'");
    for (unsigned i = 0; i < 6; i++) {
        static const char *const ranges[] = {"0x9f000-0xa0fff", "0xff000-0x100fff",
                                             "0xa0010-0xa0fff", "0xa0000-0xa0ffe",
                                             "0xb0000-0xa0fff", "0-0xffffffffffffffff"};
        char text[96];

        snprintf(text, sizeof text, "class screen\ndevice isa\nregisters %s\n", ranges[i]);
        refused(text, FILE_NAME ":3: registers: registers are whole pages from 0xa0000 to 0xfffff");
    }
    assert_int_equal(parse("class screen\ndevice isa\nframebuffer yes\n"), 0);
    assert_true(m.framebuffer);
    refused("class screen\nframebuffer yes\n",
            FILE_NAME ":2: the loader's picture is for an ISA device alone");
    refused("class screen\nregisters 0xa0000-0xa0fff\n",
            FILE_NAME ":2: registers at a place of their own have ISA devices alone");
    refused("class screen\ndevice isa\nregisters 0xa0000-0xa0fff\nregisters 0xa1000-0xa1fff\n",
            FILE_NAME ":4: registers: given twice; line 3 has it already");
}

/* A good value of each key, a word or number that it does not take, one that is too long. */
static const struct {
    const char *key, *good, *bad;
    bool repeats;
} samples[] = {
    {"description", "text", NULL, false},
    {"class", "net", "nte", false},
    {"start", "0", "1001", false},
    {"device", "pci 8086:100e", "pci 8086:1000e", true},
    {"irq", "15", "16", true},
    {"ports", "0x3f8-0x3ff", "0-0x10000", true},
    {"registers", "0xa0000-0xa0fff", "0x9f000-0xa0fff", false},
    {"framebuffer", "no", "y", false},
    {"queue", "4K net", "1 net", false},
    {"calls", "rs", "r/s", true},
    {"calls-up", "rs", "all", true},
    {"forwards", "rs", "r!", true},
    {"notifies", "rs", "fs/*", true},
    {"complains-of", "rs", "a/b", true},
    {"publishes", "blk/8", "blk*", true},
    {"kernel", "port_in", "port-in", true},
    {"reads", "log", "logs", true},
    {"rights", "copy_any", "copy", true},
    {"linux", "files", "file", true},
    {"priority", "15", "16", false},
    {"cpu", "1000", "0", false},
    {"memory", "4096", "4095", false},
    {"stack", "64K", "9M", false},
    {"archive", "yes", "y", false},
    {"heartbeat", "60000", "60001", false},
    {"restart", "no", "none", false},
    {"hold", "yes", "maybe", false},
    {"standby", "no", "now", false},
    {"returns", "fresh", "back", false},
    {"essential", "no", "perhaps", false},
    {"instances", "one", "two", false},
    {"budget", "1024 86400", "1025 60", false},
    {"backoff", "1 2 3", "1 3 2", false},
    {"dependents", "a", "all", true},
    {"strategy", "rest", "most", false},
    {"ladder", "restart dependents", "restart climb", false},
    {"at-end", "reboot 0", "reboot -1", false},
    {"policy", "/a", "a", false},
    {"alternate", "y", "y/z", false},
    {"deadline", "10", "9", false},
    {"parameters", "text", NULL, false},
};
#define SAMPLES (sizeof samples / sizeof *samples)

static void begins(const char *text, const char *format, ...)
{
    char start[64];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(start, sizeof start, format, arguments);
    va_end(arguments);
    assert_true(parse(text) < 0);
    if (strncmp(error, start, strlen(start)) != 0)
        assert_string_equal(error, start);
}

/* Of every key: its value missing, given twice, out of range, too long, with something behind it. */
static void test_each_key(void **state)
{
    char text[1200], junk[601];
    unsigned n = 0;

    memset(junk, 'a', sizeof junk - 1);
    junk[sizeof junk - 1] = 0;
    for (; manifest_key_name(n); n++) {
        const char *key = samples[n].key;
        unsigned line = strcmp(key, "class") == 0 ? 1 : 2;
        const char *first = line == 1 ? "" : "class net\n";

        assert_string_equal(manifest_key_name(n), key);
        snprintf(text, sizeof text, "%s%s %s\n", first, key, samples[n].good);
        assert_true(parse(text) == 0 || strcmp(key, "registers") == 0);
        snprintf(text, sizeof text, "%s%s\n", first, key);
        begins(text, FILE_NAME ":%u: %s: its value is missing: ", line, key);
        snprintf(text, sizeof text, "%s%s # %s\n", first, key, samples[n].good);
        begins(text, FILE_NAME ":%u: %s: its value is missing: ", line, key);
        snprintf(text, sizeof text, "%s%s %s\n", first, key, junk);
        begins(text, FILE_NAME ":%u: %s: ", line, key);
        snprintf(text, sizeof text, "%s%s %s\n", first, key, samples[n].bad ? samples[n].bad : "");
        begins(text, FILE_NAME ":%u: %s: ", line, key);
        if (samples[n].repeats)
            continue;
        snprintf(text, sizeof text, "%s%s %s\n\n%s %s\n", first, key, samples[n].good, key,
                 samples[n].good);
        begins(text, FILE_NAME ":%u: %s: given twice; line %u has it already", line + 2, key, line);
    }
    assert_int_equal(n, SAMPLES);
}

static char told[1024];

static void note(void *to, const char *message)
{
    assert_ptr_equal(to, told);
    strcat(strcat(told, message + strlen("etc/bardo/")), "\n");
}

static const char *all_faults(const char *text)
{
    struct manifest_listener all = {note, told};
    struct manifest_lines lines;

    told[0] = 0;
    manifest_parse_all(text, strlen(text), FILE_NAME, &m, &lines, &all, error, sizeof error);
    return told;
}

static void test_all_faults(void **state)
{
    assert_string_equal(all_faults("clas net\nheartbaet 5\n\x01\nbudget 1\nstart 2\nstart 3\n"),
                        "x.svc:1: unknown key 'clas' (did you mean 'class'?)\n"
                        "x.svc:2: unknown key 'heartbaet' (did you mean 'heartbeat'?)\n"
                        "x.svc:3: a control character in the line\n"
                        "x.svc:4: budget: expected a number from 1 to 86400, but the line ends\n"
                        "x.svc:6: start: given twice; line 5 has it already\n"
                        "x.svc:6: the line \"class\" is missing\n");
    assert_string_equal(all_faults("class nte"),
                        "x.svc:1: class: unknown class 'nte' (did you mean "
                        "'net'?)\n");
    assert_string_equal(all_faults("class net\nqueue 4K x\nstart 1\n"),
                        "x.svc:2: a queue to itself\n");
    assert_string_equal(all_faults("class net\n"), "");
}

static const char *suggested(const char *word)
{
    static const char *const names[] = {"list", "status", NULL,       "restart",
                                        "log",  "up",     "heartbeat"};

    return suggest_name(word, names, sizeof names / sizeof *names, sizeof *names);
}

static void test_suggestions(void **state)
{
    assert_string_equal(suggested("lits"), "list");
    assert_string_equal(suggested("staus"), "status");
    assert_string_equal(suggested("restrat"), "restart");
    assert_string_equal(suggested("rest"), "restart");
    assert_string_equal(suggested("lgo"), "log");
    assert_string_equal(suggested("pu"), "up");
    assert_string_equal(suggested("hearbeta"), "heartbeat");
    assert_null(suggested("x"));
    assert_null(suggested(""));
    assert_null(suggested("fly"));
    assert_null(suggested("wonderful"));
    assert_null(suggested("restartrestartrestartrestartrestart"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registers),    cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_all_keys),     cmocka_unit_test(test_publishes),
        cmocka_unit_test(test_places),       cmocka_unit_test(test_errors),
        cmocka_unit_test(test_what_follows), cmocka_unit_test(test_names),
        cmocka_unit_test(test_limits),       cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_each_key),     cmocka_unit_test(test_all_faults),
        cmocka_unit_test(test_suggestions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
