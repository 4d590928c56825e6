/* SPDX-License-Identifier: BSD-2-Clause */
// sources: drivers/net/e1000/chip.c drivers/net/e1000e/chip.c lib/e1000/e1000.c drivers/net/rtl8139/chip.c lib/driver/netdriver.c lib/driver/wait.c
// flags: -Itests/unit/host
/*
 * The chips' halves against QEMU's own chips, through its qtest socket: the processor only halts;
 * registers are reached by commands, memory is a file that both map, and frames come and go over a
 * datagram socket.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "drivers/net/e1000/chip.h"
#include "drivers/net/e1000e/chip.h"
#undef RING_SIZE
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"

extern const struct net_driver rtl8139_driver;

#define MEMORY (64u << 20)
#define QUEUE_PHYSICAL (16u << 20)
#define REGISTERS 0xfe000000u /* where we map the device's memory BAR */
#define DEVICE 4u /* its slot */

static char folder[] = "/tmp/bardo-nic-XXXXXX";
static int machine = -1, wire = -1; /* qtest and frames */
static pid_t qemu;
static uint8_t *memory;
static struct net_queue *queue;
static jmp_buf death;
static long accesses_left;

/* ---- qtest ---- */

static uint64_t command(const char *format, ...) __attribute__((format(printf, 1, 2)));
static uint64_t command(const char *format, ...)
{
    char text[256];
    va_list arguments;
    size_t n;

    va_start(arguments, format);
    n = (size_t)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    text[n++] = '\n';
    assert_int_equal(write(machine, text, n), n);
    do { /* one answer, in one piece; IRQ lines are not answers */
        n = (size_t)read(machine, text, sizeof text - 1);
        assert_in_range(n, 1, sizeof text - 1);
        text[n] = 0;
    } while (strncmp(text, "IRQ", 3) == 0);
    assert_true(strncmp(text, "OK", 2) == 0);
    return n > 3 ? strtoull(text + 3, NULL, 0) : 0;
}

static uint32_t config_read(uint32_t slot, uint32_t offset)
{
    command("outl 0xcf8 0x%x", 0x80000000u | slot << 11 | offset);
    return (uint32_t)command("inl 0xcfc");
}
static void config_write(uint32_t slot, uint32_t offset, uint32_t value)
{
    command("outl 0xcf8 0x%x", 0x80000000u | slot << 11 | offset);
    command("outl 0xcfc 0x%x", value);
}

static void step(void)
{
    if (accesses_left > 0 && --accesses_left == 0)
        longjmp(death, 1);
}
uint8_t mmio_read8(volatile void *base, uint32_t offset)
{
    (void)base, step();
    return (uint8_t)command("readb 0x%x", REGISTERS + offset);
}
uint16_t mmio_read16(volatile void *base, uint32_t offset)
{
    (void)base, step();
    return (uint16_t)command("readw 0x%x", REGISTERS + offset);
}
uint32_t mmio_read32(volatile void *base, uint32_t offset)
{
    (void)base, step();
    return (uint32_t)command("readl 0x%x", REGISTERS + offset);
}
void mmio_write8(volatile void *base, uint32_t offset, uint8_t value)
{
    (void)base, step();
    command("writeb 0x%x 0x%x", REGISTERS + offset, value);
}
void mmio_write16(volatile void *base, uint32_t offset, uint16_t value)
{
    (void)base, step();
    command("writew 0x%x 0x%x", REGISTERS + offset, value);
}
void mmio_write32(volatile void *base, uint32_t offset, uint32_t value)
{
    (void)base, step();
    command("writel 0x%x 0x%x", REGISTERS + offset, value);
}
uint64_t clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
void driver_pause(uint64_t ns)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

void log_info(const char *format, ...)
{
    (void)format;
}
void panic(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    abort();
}

/* ---- the machine ---- */

static int listen_at(const char *name, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, type, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", folder, name);
    assert_int_equal(bind(s, (void *)&address, sizeof address), 0);
    return s;
}

static void bios_of_halts(void)
{
    static char halts[65536];
    char path[128];
    int file;

    memset(halts, 0xf4, sizeof halts);
    snprintf(path, sizeof path, "%s/bios", folder);
    file = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(file, halts, sizeof halts), sizeof halts);
    close(file);
}

static void run_qemu(const char *model)
{
    char qtest[128], backend[160], netdev[256], nic[64], bios[128];

    snprintf(qtest, sizeof qtest, "unix:%s/qtest", folder);
    snprintf(bios, sizeof bios, "%s/bios", folder);
    snprintf(backend, sizeof backend,
             "memory-backend-file,id=m,size=64M,share=on,mem-path=%s/memory", folder);
    snprintf(netdev, sizeof netdev,
             "dgram,id=n,local.type=unix,local.path=%s/card,remote.type=unix,remote.path=%s/host",
             folder, folder);
    snprintf(nic, sizeof nic, "%s,netdev=n,addr=4.0,mac=52:54:00:12:34:56,romfile=", model);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execlp("qemu-system-x86_64", "qemu-system-x86_64", "-accel", "tcg", "-bios", bios, "-qtest",
           qtest, "-qtest-log", "none", "-M", "q35,memory-backend=m", "-m", "64", "-object",
           backend, "-display", "none", "-nodefaults", "-netdev", netdev, "-device", nic, NULL);
    _exit(127);
}

static void machine_start(const char *model)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[128];
    int listener, file;

    strcpy(folder, "/tmp/bardo-nic-XXXXXX");
    assert_non_null(mkdtemp(folder));
    bios_of_halts();
    listener = listen_at("qtest", SOCK_STREAM);
    assert_int_equal(listen(listener, 1), 0);
    wire = listen_at("host", SOCK_DGRAM);
    qemu = fork();
    if (qemu == 0)
        run_qemu(model);
    machine = accept(listener, NULL, NULL);
    assert_true(machine >= 0);
    close(listener);
    config_write(DEVICE, 0x10,
                 strncmp(model, "e1000", 5) == 0 ? REGISTERS : 0xc001); /* rtl8139: ports first */
    config_write(DEVICE, 0x14, strncmp(model, "e1000", 5) == 0 ? 0xc001 : REGISTERS);
    config_write(DEVICE, 0x04, config_read(DEVICE, 0x04) | 7);
    snprintf(path, sizeof path, "%s/memory", folder);
    file = open(path, O_RDWR);
    assert_true(file >= 0);
    memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/card", folder);
    assert_int_equal(connect(wire, (void *)&address, sizeof address), 0);
    queue = (struct net_queue *)(memory + QUEUE_PHYSICAL);
    queue->header.magic = NET_QUEUE_MAGIC;
    queue->header.client_ready = 1;
    queue->receive.posted = queue->receive.completed = queue->transmit.posted =
        queue->transmit.completed = 0xfffffff1u;
    accesses_left = -1;
}

static void machine_stop(void)
{
    static const char *const names[] = {"qtest", "host", "card", "memory", "bios"};
    char path[128];

    kill(qemu, SIGKILL);
    waitpid(qemu, NULL, 0);
    close(machine);
    close(wire);
    munmap(memory, MEMORY);
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

/* ---- the client's side and the wire ---- */

static void post_receive(uint32_t count)
{
    for (; count != 0; count--, queue->receive.posted++) {
        uint32_t slot = queue->receive.posted % NET_RING_SIZE;

        queue->receive.entry[slot] = (struct net_entry){
            QUEUE_BUFFERS_OFFSET + NET_HEADROOM + slot * NET_BUFFER_SIZE, NET_BUFFER_ROOM, 0, 0};
    }
}
static void post_transmit(uint32_t number)
{
    uint32_t slot = queue->transmit.posted % NET_RING_SIZE,
             offset =
                 QUEUE_BUFFERS_OFFSET + NET_HEADROOM + (NET_RING_SIZE + slot) * NET_BUFFER_SIZE;
    uint8_t *frame = (uint8_t *)queue + offset;

    memset(frame, 0xff, 14);
    memcpy(frame + 14, &number, 4);
    queue->transmit.entry[slot] = (struct net_entry){offset, 60 + number % 1400, 0, 0};
    queue->transmit.posted++;
}
static void wire_send(uint32_t number)
{
    uint8_t frame[1514];

    memset(frame, 0xff, 12);
    frame[12] = 0x88, frame[13] = 0xb5;
    memcpy(frame + 14, &number, 4);
    memset(frame + 18, (int)number, sizeof frame - 18);
    assert_int_equal(send(wire, frame, 60 + number * 37 % 1455, 0), 60 + number * 37 % 1455);
}
static uint32_t received_number(uint32_t k)
{
    uint32_t number;

    memcpy(&number, (uint8_t *)queue + queue->receive.entry[k % NET_RING_SIZE].offset + 14, 4);
    assert_int_equal(queue->receive.entry[k % NET_RING_SIZE].length, 60 + number * 37 % 1455);
    return number;
}
/* The number of the next frame on the wire; UINT32_MAX: none. */
static uint32_t wire_receive(void)
{
    struct pollfd p = {wire, POLLIN, 0};
    uint8_t frame[2048];
    uint32_t number;

    if (poll(&p, 1, 200) != 1 || recv(wire, frame, sizeof frame, 0) < 18)
        return UINT32_MAX;
    memcpy(&number, frame + 14, 4);
    return number;
}

static enum queue_driver_state start(struct net_device *d, const struct net_driver *driver,
                                     bool may_adopt)
{
    enum queue_driver_state state;

    net_device_open(d, driver, (void *)1, queue, QUEUE_PHYSICAL, NET_QUEUE_BYTES);
    assert_int_equal(net_device_start(d, may_adopt, &state), 0);
    return state;
}
static void serve(struct net_device *d)
{
    while (net_device_serve(d))
        ;
}

/* Frames both ways while the driver dies at every `period`th register access: nothing lost, nothing
 * twice, no reset. */
static void transfer(const struct net_driver *driver, long period)
{
    static struct net_device d;
    static volatile uint32_t came, taken, sent, left;
    const uint32_t total = 400, begin = queue->receive.completed;
    uint64_t resets = queue->header.resets;

    came = taken = sent = left = 0;
    accesses_left = period;
    if (setjmp(death) != 0) {
        accesses_left = period + (long)(came % 7);
        assert_int_equal(start(&d, driver, true), QUEUE_DRIVER_ADOPTED);
    } else {
        assert_int_equal(start(&d, driver, true), QUEUE_DRIVER_ADOPTED);
    }
    for (int idle = 0; (taken < total || left < total) && idle < 3000; idle++) {
        while (came < total && came - taken < 60)
            wire_send(came++);
        while (sent < total && queue->transmit.posted - queue->transmit.completed < 30)
            post_transmit(sent++);
        serve(&d);
        for (uint32_t k = begin + taken; k != queue->receive.completed; k++) {
            assert_int_equal(received_number(k), taken);
            taken++;
            post_receive(1);
            idle = 0;
        }
        while (left < sent && queue->transmit.completed == queue->transmit.posted) {
            assert_int_equal(wire_receive(), left);
            left++;
        }
        usleep(500);
    }
    accesses_left = -1;
    assert_int_equal(taken, total);
    assert_int_equal(left, total);
    assert_int_equal(queue->header.resets, resets);
    assert_int_equal(wire_receive(), UINT32_MAX);
}

static void first_start(const struct net_driver *driver)
{
    struct net_device d;
    static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

    assert_int_equal(start(&d, driver, true), QUEUE_DRIVER_RESET);
    assert_memory_equal(queue->mac, mac, 6);
    assert_int_equal(queue->link_up, 1);
    usleep(1100000); /* the e1000's second after RCTL */
    post_receive(NET_RING_SIZE);
    serve(&d);
}

static void test_e1000_survives(void **state)
{
    (void)state;
    machine_start("e1000");
    first_start(&e1000_driver);
    for (long period = 25; period < 60; period += 9) /* more than adopting takes */
        transfer(&e1000_driver, period);
    machine_stop();
}

static void test_e1000e_survives(void **state)
{
    (void)state;
    machine_start("e1000e");
    first_start(&e1000e_driver);
    for (long period = 25; period < 60; period += 9)
        transfer(&e1000e_driver, period);
    machine_stop();
}

static void test_rtl8139_survives(void **state)
{
    (void)state;
    machine_start("rtl8139");
    first_start(&rtl8139_driver);
    for (long period = 25; period < 60; period += 9)
        transfer(&rtl8139_driver, period);
    machine_stop();
}

/* A reset in the middle, as when the rings are garbage: frames flow again, and the next incarnation
 * adopts. */
static void reset_and_go_on(const char *model, const struct net_driver *driver)
{
    struct net_device d;

    machine_start(model);
    first_start(driver);
    transfer(driver, 1000000);
    for (int what = 0; what < 3; what++) {
        if (what == 1)
            memset(memory + QUEUE_PHYSICAL + QUEUE_CHIP_OFFSET, 0xa5, QUEUE_CHIP_SIZE);
        if (what == 2)
            queue->receive.posted = queue->receive.completed; /* no buffers at all at that moment */
        assert_int_equal(start(&d, driver, what == 1), QUEUE_DRIVER_RESET);
        post_receive(NET_RING_SIZE - (queue->receive.posted - queue->receive.completed));
        serve(&d);
        transfer(driver, 100);
    }
    machine_stop();
}

static void test_e1000_reset(void **state)
{
    (void)state;
    reset_and_go_on("e1000", &e1000_driver);
}
static void test_e1000e_reset(void **state)
{
    (void)state;
    reset_and_go_on("e1000e", &e1000e_driver);
}
static void test_rtl8139_reset(void **state)
{
    (void)state;
    reset_and_go_on("rtl8139", &rtl8139_driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e1000_survives),   cmocka_unit_test(test_e1000e_survives),
        cmocka_unit_test(test_rtl8139_survives), cmocka_unit_test(test_e1000_reset),
        cmocka_unit_test(test_e1000e_reset),     cmocka_unit_test(test_rtl8139_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
