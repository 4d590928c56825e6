/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints what the manifests allow, for `make authority`: build/authority FILE.svc... A paragraph
 * for each service, with what it has of each kind of right; then the matrix of calls. Status 1 when
 * a manifest is broken or calls uphill.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/kernel.h"
#include "lib/manifest/manifest.h"

#define SERVICES 64

static struct manifest all[SERVICES];
static unsigned count;

static const struct manifest *find(const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(all[i].name, name) == 0)
            return &all[i];
    return NULL;
}

static bool read_file(const char *path)
{
    static char text[65536];
    char error[160];
    FILE *file = fopen(path, "r");
    size_t n = file ? fread(text, 1, sizeof text, file) : 0;

    if (!file || count == SERVICES) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return false;
    }
    fclose(file);
    if (manifest_parse(text, n, path, &all[count], error, sizeof error) < 0) {
        fprintf(stderr, "%s\n", error);
        return false;
    }
    count++;
    return true;
}

static void print_names(const char *key, const struct manifest_names *names)
{
    if (names->all || names->count)
        printf("    %-14s", key);
    if (names->all)
        printf(" all");
    for (uint32_t i = 0; i < names->count; i++)
        printf(" %s", names->name[i]);
    if (names->all || names->count)
        printf("\n");
}

static void print_kernel(const struct manifest *m)
{
    bool any = false;

    for (unsigned n = 0; n < KERNEL_CALLS; n++)
        if ((m->kernel_calls >> n & 1) && !manifest_kernel_call_standard(n)) {
            printf(any ? " %s" : "    kernel         %s", manifest_kernel_call_name(n));
            any = true;
        }
    if (any)
        printf("\n");
}

static void print_linux(const struct manifest *m)
{
    if (m->routes & (1u << ROUTE_VM | 1u << ROUTE_PM | 1u << ROUTE_VFS))
        printf("    linux         %s%s%s\n", m->routes >> ROUTE_VM & 1 ? " memory" : "",
               m->routes >> ROUTE_PM & 1 ? " process" : "",
               m->routes >> ROUTE_VFS & 1 ? " files" : "");
    if (m->reads)
        printf("    reads         %s%s\n", m->reads >> RING_LOG & 1 ? " log" : "",
               m->reads >> RING_TRACE & 1 ? " trace" : "");
    if (m->right_flags & RIGHT_COPY_ANY)
        printf("    memory         of every process\n");
}

static void print_device(const struct manifest *m)
{
    for (uint32_t i = 0; i < m->devices; i++)
        printf("    device         pci %04x:%04x, its BARs and interrupt\n", m->device[i].vendor,
               m->device[i].device);
    for (uint32_t i = 0; i < m->places; i++) {
        printf("    device         ports 0x%x-0x%x", m->place[i].first, m->place[i].last);
        printf(m->place[i].has_irq ? ", irq %u\n" : "\n", m->place[i].irq);
    }
    for (uint32_t i = 0; i < m->irqs; i++)
        printf("    irq            %u\n", m->irq[i]);
    for (uint32_t i = 0; i < m->ports; i++)
        printf("    ports          0x%x-0x%x\n", m->port[i].first, m->port[i].last);
    if (m->queue_size)
        printf("    queue          %lluK with %s%s\n", (unsigned long long)m->queue_size >> 10,
               m->queue_client, m->devices ? ", and DMA: without an IOMMU to all memory" : "");
}

static void print_service(const struct manifest *m)
{
    printf("%s (%s)\n", m->name, manifest_class_name(m->class));
    print_names("calls", &m->calls);
    print_names("calls up", &m->calls_up);
    print_names("forwards", &m->forwards);
    print_names("notifies", &m->notifies);
    print_names("complains of", &m->complains_of);
    printf("    publishes      %s %s/%s", m->name, manifest_class_name(m->class), m->name);
    for (uint32_t i = 0; i < m->keys; i++)
        printf(" %s", m->key[i]);
    printf("\n");
    print_kernel(m);
    print_linux(m);
    print_device(m);
}

/* What the kernel is told: as prepare_rights() of servers/rs/service.c. */
static char cell(const struct manifest *from, const struct manifest *to)
{
    bool up = manifest_lists(&from->calls_up, to),
         call = (manifest_lists(&from->calls, to) || strcmp(to->name, "rs") == 0) &&
                !manifest_lists(&to->calls_up, from),
         forward = manifest_lists(&from->forwards, to);

    if (up)
        return 'U';
    if (call)
        return forward ? 'B' : 'C';
    return forward ? 'F' : '.';
}

static void print_matrix(void)
{
    printf("\nC call, F forward, B both, U call against the order; a row is who, a column whom\n");
    for (unsigned line = 0; line < MANIFEST_NAME_MAX; line++) {
        bool any = false;

        for (unsigned i = 0; i < count; i++)
            any |= strlen(all[i].name) > line;
        if (!any)
            break;
        printf("%-12s", "");
        for (unsigned i = 0; i < count; i++)
            printf(" %c", strlen(all[i].name) > line ? all[i].name[line] : ' ');
        printf("\n");
    }
    for (unsigned i = 0; i < count; i++) {
        printf("%-12s", all[i].name);
        for (unsigned k = 0; k < count; k++)
            printf(" %c", i == k ? '-' : cell(&all[i], &all[k]));
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    char error[160];
    bool good = true;

    for (int i = 1; i < argc; i++)
        good = read_file(argv[i]) && good;
    for (unsigned i = 0; i < count; i++)
        if (!manifest_downhill(&all[i], find, error, sizeof error)) {
            fprintf(stderr, "%s\n", error);
            good = false;
        }
    for (unsigned i = 0; i < count; i++)
        print_service(&all[i]);
    print_matrix();
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
